"""The vendor's client, and its errors in the port's words."""

import json
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import (
    DefaultCredentialsError,
    GoogleAuthError,
    InvalidOperation,
    RefreshError,
    TransportError,
)
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.oauth2 import credentials as user
from google.oauth2 import service_account
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from freehold.domain.errors import FreeholdError, StorageFailed, WrongUsage
from freehold.ports.object_store import StoreSettings, is_key
from freehold.ports.remote_store import TRIED_AGAIN, Interrupted, attempt_seconds, refusal

LIBRARY = (
    *(GoogleAPICallError, GoogleAuthError, InvalidResponse, DataCorruption),
    *(RequestException, HTTPError),
)
"""What its calls raise; of what it is built upon, not all is translated."""
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_CONNECT = 5.0
"""Seconds in which a connection must stand."""
_CONNECTIONS = 64


class Connection:
    """Where a store is. The client is made when it is first used: it may look for a machine role
    by asking the network."""

    def __init__(self, settings: StoreSettings) -> None:
        start, _, rest = settings.location.partition("://")
        self.bucket, _, prefix = rest.partition("/")
        self.prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        url = urlsplit(settings.endpoint)
        named = is_key(self.bucket) and (not self.prefix or is_key(self.prefix[:-1]))
        if start != "gs" or not named:
            raise WrongUsage(
                "what stands for the address of a store is none",
                hint="write gs://NAME or gs://NAME/PREFIX, of letters, digits and . _ = -",
                code="storage.address",
            )
        if settings.endpoint and not (url.scheme in ("http", "https") and url.hostname):
            raise WrongUsage(
                "what stands for the endpoint of a store is none",
                hint="write http://HOST:PORT or https://HOST",
                code="storage.address",
            )
        host = url.netloc.rpartition("@")[2]
        self.where = rest.rstrip("/") + (f" at {host}" if host else "")
        self.endpoint = settings.endpoint.rstrip("/")
        self.timeout = settings.timeout
        seconds = attempt_seconds(settings.timeout)
        self.limits = {"retry": None, "timeout": (min(_CONNECT, seconds), seconds)}
        """For every call: the client tries nothing again, the adapter does."""
        self._secrets = settings.secrets
        self._made: Any = None
        self._making = threading.Lock()

    @property
    def client(self) -> Any:
        with self._making:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _make(self) -> Any:
        options = {"api_endpoint": self.endpoint} if self.endpoint else {}
        made = storage.Client(
            project="freehold", credentials=_credentials(self._secrets), client_options=options
        )
        # Else a thread of the library asks for the bucket's place, for telemetry that nobody wants.
        made._bucket_metadata_cache = None
        adapter = HTTPAdapter(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS)
        for scheme in ("https://", "http://"):
            made._http.mount(scheme, adapter)
        return made


_from_key: Any = service_account.Credentials.from_service_account_info
_from_token: Any = user.Credentials


def _credentials(secrets: Mapping[str, str]) -> Any:
    """None: the vendor's own search, from GOOGLE_APPLICATION_CREDENTIALS to the machine's role."""
    if "service_account" in secrets:
        try:
            key = json.loads(secrets["service_account"])
            return _from_key(key, scopes=[_SCOPE])
        except ValueError:
            # The fault's text may hold some of the key.
            raise WrongUsage(
                "the secret service_account is no key of a service account",
                hint="give the whole JSON file that the vendor made",
                code="storage.credentials",
            ) from None
    return _from_token(secrets["token"]) if "token" in secrets else None


def fault(exc: Exception, where: str, key: str = "") -> Exception:
    """KeyError, Interrupted, or the FreeholdError that it means. No chain leads back to the
    vendor's text, which holds the URL."""
    if isinstance(exc, DefaultCredentialsError):
        return no_credentials(where)
    if isinstance(exc, RefreshError | InvalidOperation):
        return refusal(where, 401, "the credentials are not accepted and cannot be renewed")
    if isinstance(exc, GoogleAPICallError | InvalidResponse):
        status = exc.code if isinstance(exc, GoogleAPICallError) else exc.response.status_code
        if status == 404:
            return KeyError(key)
        if status in TRIED_AGAIN:
            return Interrupted(f"HTTP {status}", in_doubt=status != 429)
        return refusal(where, status or 0, f"HTTP {status}")
    if isinstance(exc, RequestException | HTTPError | TransportError | DataCorruption):
        return Interrupted(f"no whole answer came over the network ({type(exc).__name__})")
    return refusal(where, 0, f"the library says {type(exc).__name__}")


def no_credentials(where: str) -> FreeholdError:
    return StorageFailed(
        f"there are no credentials for the store {where}",
        why="neither the site's secrets nor the environment have any, and no machine role gave any",
        hint="set FREEHOLD_<SITE>_… or the variables of the vendor's own tools, and repeat",
        code="storage.no-credentials",
    )
