"""Keys of the transit engine of HashiCorp Vault or OpenBao, by its encrypt, decrypt and rewrap.

A key's id is `MOUNT/NAME:vN`, with the version that wrapped. The context, as canonical JSON, is
the `context` of a key that was made with `derived=true`, else the `associated_data` of its AEAD
(Vault 1.13). Vault's rewrap knows no associated data (its issue 29532), so that only a derived key
is rewrapped inside Vault; of another the data key passes through this process.
"""

import base64
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import hvac
import requests
from hvac import exceptions
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from freehold.domain.canonical import canonical
from freehold.domain.errors import (
    AdapterFailed,
    FreeholdError,
    NotFound,
    Refused,
    Unreachable,
    WrongUsage,
)
from freehold.ports.key_service import End, KeyService, KeySettings, TellsEnds, wrong_key

_PART = r"(?!\.{1,2}(?:/|:|\Z))[A-Za-z0-9_.-]+"
_NAMED = re.compile(rf"(?:({_PART}(?:/{_PART})*)/)?({_PART})")
_ID = re.compile(rf"({_PART}(?:/{_PART})*)/({_PART}):v[1-9][0-9]*")
_ATTEMPTS = 3
_RETRIES = Retry(
    _ATTEMPTS - 1,
    status_forcelist=(429, 502, 503),
    allowed_methods=None,
    backoff_factor=0.2,
    backoff_jitter=0.2,
    raise_on_status=False,
)
"""Whatever is asked may be asked again: nothing here changes the vault."""
_BUSY = (
    exceptions.BadGateway,
    exceptions.InternalServerError,
    exceptions.RateLimitExceeded,
    exceptions.VaultDown,
    exceptions.VaultNotInitialized,
)
_DENIED = (exceptions.Forbidden, exceptions.Unauthorized)
_REFUSED = (exceptions.InvalidRequest, exceptions.InvalidPath)


@dataclass(frozen=True)
class _Key:
    """What the engine says of a key."""

    latest: int
    derived: bool


class VaultKeyService(KeyService, TellsEnds):
    """The version that wraps is the newest when it was first asked for."""

    def __init__(self, client: Any, mount: str, name: str) -> None:
        self._client, self._mount, self._name = client, mount, name
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], _Key] = {}

    @classmethod
    def open(cls, settings: KeySettings) -> "VaultKeyService":
        named = _NAMED.fullmatch(settings.key)
        if not named:
            raise WrongUsage(
                f"'{settings.key}' is not the name of a transit key",
                hint="write `encryption: vault:NAME`, or `vault:MOUNT/NAME`",
            )
        session = requests.Session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=_RETRIES))
        client = hvac.Client(
            session=session,
            url=settings.endpoint or None,
            token=settings.secrets.get("token"),
            namespace=settings.secrets.get("namespace"),
            timeout=settings.timeout / _ATTEMPTS,
        )
        return cls(client, named[1] or "transit", named[2])

    @property
    def key_id(self) -> str:
        return f"{self._mount}/{self._name}:v{self._key(self._mount, self._name).latest}"

    def wrap(self, data_key: bytes, context: Mapping[str, str]) -> bytes:
        key = self._key(self._mount, self._name)
        with _boundary(self._name):
            answer = self._client.secrets.transit.encrypt_data(
                self._name,
                plaintext=_text(data_key),
                key_version=key.latest,
                mount_point=self._mount,
                **_bound(key, context),
            )
            return str(answer["data"]["ciphertext"]).encode()

    def unwrap(self, wrapped: bytes, key_id: str, context: Mapping[str, str]) -> bytes:
        mount, name = _parts(wrapped, key_id)
        with _boundary(key_id, wrong=True):
            answer = self._client.secrets.transit.decrypt_data(
                name,
                ciphertext=wrapped.decode("ascii"),
                mount_point=mount,
                **_bound(self._key(mount, name, key_id), context),
            )
            return base64.b64decode(answer["data"]["plaintext"], validate=True)

    def rewrap(self, wrapped: bytes, key_id: str, context: Mapping[str, str]) -> bytes:
        mount, name = _parts(wrapped, key_id)
        key = self._key(mount, name, key_id)
        if (mount, name) != (self._mount, self._name) or not key.derived:
            return super().rewrap(wrapped, key_id, context)
        with _boundary(key_id, wrong=True):
            answer = self._client.secrets.transit.rewrap_data(
                name,
                ciphertext=wrapped.decode("ascii"),
                key_version=key.latest,
                mount_point=mount,
                **_bound(key, context),
            )
            return str(answer["data"]["ciphertext"]).encode()

    def ends(self) -> tuple[End, ...]:
        """Of the token: a transit key has no end. The policy `default` lets a token ask."""
        with _boundary(self._name):
            try:
                token = self._client.auth.token.lookup_self()["data"]
            except _DENIED:
                raise Refused(
                    "the vault does not tell when the token ends",
                    code="keys.denied",
                    hint="renew the token; let it read auth/token/lookup-self, as `default` does",
                ) from None
            if token["expire_time"] is None:
                return ()
            at = datetime.fromisoformat(token["expire_time"]).timestamp()
        again = "renew it, or " if token["renewable"] else ""
        return (
            End(
                f"the token for the transit key {self._name}",
                at,
                why=f"expire_time={token['expire_time']}; nothing here renews it",
                hint=f"{again}make a new one and give it to this site",
            ),
        )

    def _key(self, mount: str, name: str, key_id: str = "") -> _Key:
        with self._lock:
            if (mount, name) not in self._found:
                with _boundary(key_id or name, wrong=bool(key_id)):
                    data = self._client.secrets.transit.read_key(name, mount_point=mount)["data"]
                    found = _Key(int(data["latest_version"]), bool(data.get("derived")))
                self._found[mount, name] = found
            return self._found[mount, name]


def _parts(wrapped: bytes, key_id: str) -> tuple[str, str]:
    """Mount and name. Raises IntegrityError if the bytes do not say the id's version."""
    parts = _ID.fullmatch(key_id)
    version = key_id.rpartition(":")[2].encode()
    if not parts or not wrapped.isascii() or wrapped.split(b":")[:2] != [b"vault", version]:
        raise wrong_key(key_id)
    return parts[1], parts[2]


def _bound(key: _Key, context: Mapping[str, str]) -> dict[str, str]:
    return {"context" if key.derived else "associated_data": _text(canonical(dict(context)))}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@contextmanager
def _boundary(key: str, wrong: bool = False) -> Iterator[None]:
    """Turns the SDK's errors into the port's."""
    try:
        yield
    except exceptions.VaultError as exc:
        raise _answered(exc, key, wrong) from None
    except requests.RequestException as exc:
        raise _unreachable(type(exc).__name__) from exc
    except (KeyError, TypeError, ValueError) as exc:
        raise AdapterFailed(
            "what answers is not a transit engine", why=repr(exc), code="keys.failed"
        ) from exc


def _answered(exc: exceptions.VaultError, key: str, wrong: bool) -> FreeholdError:
    if isinstance(exc, _BUSY):
        return _unreachable("; ".join(exc.errors or [type(exc).__name__]))
    if isinstance(exc, _REFUSED) and wrong:
        return wrong_key(key)
    if isinstance(exc, exceptions.InvalidPath):
        return NotFound(
            f"the vault has no transit key {key}",
            code="keys.missing",
            hint="check its name, its mount and the namespace, or make it",
        )
    if isinstance(exc, (*_DENIED, *_REFUSED)):
        return Refused(
            f"the vault does not let the transit key {key} be used",
            why="; ".join(exc.errors or [type(exc).__name__]),
            code="keys.denied",
            hint="renew the token; let it read keys/NAME and update encrypt/NAME and decrypt/NAME",
        )
    return AdapterFailed("the vault failed", why=type(exc).__name__, code="keys.failed")


def _unreachable(why: str) -> Unreachable:
    return Unreachable(
        "the vault does not answer",
        why=why,
        code="keys.unreachable",
        hint="check the network, its address and that it is unsealed, and repeat the command",
    )
