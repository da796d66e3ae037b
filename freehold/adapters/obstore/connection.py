"""How the library is told where a store is and how long it may take."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from freehold.domain.errors import WrongUsage
from freehold.ports.object_store import StoreSettings, is_key
from freehold.ports.remote_store import attempt_seconds

_CONNECT = 5.0
"""Seconds in which a connection must stand."""
_FOREVER = timedelta(hours=24)
"""What is read has no limit as a whole, only between one byte and the next."""
_TIMES_FOR_PARTS = 4
"""A part is larger than what the time limit of a request is meant for."""


@dataclass(frozen=True)
class Address:
    bucket: str
    prefix: str
    """Empty, or a key."""
    endpoint: str
    """Empty, or a URL without a slash at its end."""

    def __str__(self) -> str:
        name = f"{self.bucket}/{self.prefix}".rstrip("/")
        host = urlsplit(self.endpoint).netloc.rpartition("@")[2]
        return f"{name} at {host}" if host else name


def address_of(settings: StoreSettings, scheme: str) -> Address:
    """Raises WrongUsage for what is no address of this scheme."""
    start, _, rest = settings.location.partition("://")
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.rstrip("/")
    if start != scheme or not is_key(bucket) or (prefix and not is_key(prefix)):
        raise WrongUsage(
            "what stands for the address of a store is none",
            hint=f"write {scheme}://NAME or {scheme}://NAME/PREFIX, of letters, digits and . _ = -",
            code="storage.address",
        )
    endpoint = settings.endpoint.rstrip("/")
    url = urlsplit(endpoint)
    if endpoint and not (url.scheme in ("http", "https") and url.hostname):
        raise WrongUsage(
            "what stands for the endpoint of a store is none",
            hint="write http://HOST:PORT or https://HOST",
            code="storage.address",
        )
    return Address(bucket, prefix, endpoint)


@dataclass(frozen=True)
class Clients:
    """The library's, of one store."""

    requests: Any
    """Tries nothing again: the adapter does, which knows what it asked for."""
    large: Any
    """As `requests`, with the time of a part."""
    parts: Any
    """Tries parts again one by one, which only the library can do."""


def clients_of(make: Callable[..., Any], settings: StoreSettings, address: Address) -> Clients:
    """`make` takes the library's `client_options` and `retry_config`."""
    short = _client(address, attempt_seconds(settings.timeout))
    long = _client(address, _TIMES_FOR_PARTS * settings.timeout)
    once = {"max_retries": 0, "retry_timeout": timedelta(seconds=settings.timeout)}
    backoff = {
        "init_backoff": timedelta(seconds=0.1),
        "max_backoff": timedelta(seconds=5),
        "base": 2,
    }
    return Clients(
        make(client_options=short, retry_config=once),
        make(client_options=long, retry_config=once),
        make(client_options=long, retry_config={**once, "max_retries": 10, "backoff": backoff}),
    )


def _client(address: Address, seconds: float) -> dict[str, Any]:
    return {
        "allow_http": address.endpoint.startswith("http:"),
        "connect_timeout": timedelta(seconds=min(_CONNECT, seconds)),
        "read_timeout": timedelta(seconds=seconds),
        "timeout": _FOREVER,
        "user_agent": "freehold",
    }
