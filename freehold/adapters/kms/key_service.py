"""Keys of AWS KMS: symmetric encryption keys, by Encrypt, Decrypt and ReEncrypt with an encryption
context, which KMS authenticates and writes into its own audit log.

A key's id is its ARN. An alias is resolved once, so that one that moves to another key meanwhile
does no harm: a rotation by hand is a new key under the alias. KMS's own yearly rotation keeps the
ARN and needs nothing done here.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
from botocore import exceptions
from botocore.config import Config

from freehold.domain.errors import (
    AdapterFailed,
    FreeholdError,
    NotFound,
    Refused,
    Unreachable,
    WrongUsage,
)
from freehold.ports.key_service import End, KeyService, KeySettings, TellsEnds, wrong_key

_ATTEMPTS = 3
_MISSING = ("NotFoundException", "InvalidArnException", "ValidationException")
_WRONG = (*_MISSING, "InvalidCiphertextException", "IncorrectKeyException")
_BUSY = (
    "DependencyTimeoutException",
    "KMSInternalException",
    "ThrottlingException",
    "ServiceUnavailable",
    "InternalFailure",
)
_SILENT = (
    exceptions.HTTPClientError,
    exceptions.ConnectionError,
    exceptions.IncompleteReadError,
)
_NO_IDENTITY = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.TokenRetrievalError,
    exceptions.UnauthorizedSSOTokenError,
)


class KmsKeyService(KeyService, TellsEnds):
    def __init__(self, client: Any, key: str) -> None:
        self._client, self._key = client, key
        self._lock = threading.Lock()
        self._arn = ""

    @classmethod
    def open(cls, settings: KeySettings) -> "KmsKeyService":
        if not settings.key:
            raise WrongUsage("no key of KMS is named", hint="write `encryption: kms:ARN-OR-ALIAS`")
        secrets = settings.secrets
        try:
            client = boto3.Session(
                aws_access_key_id=secrets.get("access_key_id"),
                aws_secret_access_key=secrets.get("secret_access_key"),
                aws_session_token=secrets.get("session_token"),
                region_name=settings.region or _region(settings.key),
            ).client(
                "kms",
                endpoint_url=settings.endpoint or None,
                config=Config(
                    connect_timeout=settings.timeout / _ATTEMPTS,
                    read_timeout=settings.timeout / _ATTEMPTS,
                    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                ),
            )
        except (exceptions.BotoCoreError, ValueError) as exc:
            raise WrongUsage(
                "KMS cannot be used with these settings",
                why=str(exc),
                hint="give the store's region, or the key as an ARN",
            ) from exc
        return cls(client, settings.key)

    @property
    def key_id(self) -> str:
        with self._lock:
            if not self._arn:
                with _boundary(self._key):
                    found = self._client.describe_key(KeyId=self._key)
                self._arn = str(found["KeyMetadata"]["Arn"])
            return self._arn

    def wrap(self, data_key: bytes, context: Mapping[str, str]) -> bytes:
        with _boundary(self._key):
            return bytes(
                self._client.encrypt(
                    KeyId=self.key_id, Plaintext=data_key, EncryptionContext=dict(context)
                )["CiphertextBlob"]
            )

    def unwrap(self, wrapped: bytes, key_id: str, context: Mapping[str, str]) -> bytes:
        with _boundary(key_id, wrong=_WRONG):
            return bytes(
                self._client.decrypt(
                    KeyId=key_id, CiphertextBlob=wrapped, EncryptionContext=dict(context)
                )["Plaintext"]
            )

    def rewrap(self, wrapped: bytes, key_id: str, context: Mapping[str, str]) -> bytes:
        """Inside KMS: needs kms:ReEncryptFrom and kms:ReEncryptTo, and no kms:Decrypt."""
        newest = self.key_id
        with _boundary(key_id, wrong=_WRONG):
            return bytes(
                self._client.re_encrypt(
                    CiphertextBlob=wrapped,
                    SourceKeyId=key_id,
                    SourceEncryptionContext=dict(context),
                    DestinationKeyId=newest,
                    DestinationEncryptionContext=dict(context),
                )["CiphertextBlob"]
            )

    def ends(self) -> tuple[End, ...]:
        """Of the key: one that waits for its deletion, or whose imported material expires."""
        with _boundary(self._key):
            told = self._client.describe_key(KeyId=self._key)["KeyMetadata"]
        ends = []
        if "DeletionDate" in told:
            ends.append(
                End(
                    f"the key {told['Arn']}",
                    told["DeletionDate"].timestamp(),
                    why=f"it waits for its deletion: DeletionDate={told['DeletionDate']}",
                    hint="keep it: `aws kms cancel-key-deletion`, then `aws kms enable-key`; and"
                    " rotate this store to another key before you let it go",
                    is_loss=True,
                )
            )
        if "ValidTo" in told:
            ends.append(
                End(
                    f"the imported material of the key {told['Arn']}",
                    told["ValidTo"].timestamp(),
                    why=f"whoever imported it said so: ValidTo={told['ValidTo']}",
                    hint="import the same material again, with a later end or with none",
                )
            )
        return tuple(ends)


def _region(key: str) -> str | None:
    """An ARN names it: `arn:aws:kms:eu-west-1:…`."""
    parts = key.split(":")
    return parts[3] if parts[0] == "arn" and len(parts) > 5 else None


@contextmanager
def _boundary(key: str, wrong: tuple[str, ...] = ()) -> Iterator[None]:
    """Turns the SDK's errors into the port's."""
    try:
        yield
    except exceptions.ClientError as exc:
        raise _answered(exc, key, wrong) from None
    except exceptions.ParamValidationError:
        if wrong:
            raise wrong_key(key) from None
        raise _missing(key) from None
    except _SILENT as exc:
        raise _unreachable(str(exc)) from exc
    except _NO_IDENTITY as exc:
        raise Refused(
            "nobody is logged in to use KMS",
            why=str(exc),
            code="keys.denied",
            hint="log in as for the vendor's own tools, or give the site its access key",
        ) from exc
    except exceptions.BotoCoreError as exc:
        raise AdapterFailed("KMS could not be used", why=str(exc), code="keys.failed") from exc


def _answered(exc: exceptions.ClientError, key: str, wrong: tuple[str, ...]) -> FreeholdError:
    """KMS's own text is left out where the key is wrong: it names accounts and people."""
    code = str(exc.response["Error"]["Code"])
    status = int(exc.response["ResponseMetadata"].get("HTTPStatusCode", 0))
    if code in wrong:
        return wrong_key(key)
    if code in _MISSING:
        return _missing(key)
    if code in _BUSY or status >= 500:
        return _unreachable(code)
    return Refused(
        f"KMS does not let the key {key} be used",
        why=code,
        code="keys.denied",
        hint="allow kms:DescribeKey, kms:Encrypt and kms:Decrypt on it, and see that it is enabled",
    )


def _missing(key: str) -> NotFound:
    return NotFound(
        f"KMS has no key {key}",
        code="keys.missing",
        hint="check the key's name and region in freehold.yaml",
    )


def _unreachable(why: str) -> Unreachable:
    return Unreachable(
        "KMS does not answer",
        why=why,
        code="keys.unreachable",
        hint="check the network, the region and the endpoint, and repeat the command",
    )
