"""S3, of AWS or of whoever speaks it."""

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from obstore.store import S3Store

from freehold.adapters.obstore.connection import Address, address_of, clients_of
from freehold.adapters.obstore.object_store import RemoteObjectStore
from freehold.ports.object_store import Opens, StoreSettings

_SECRETS = "access_key_id", "secret_access_key", "session_token"


class S3ObjectStore(RemoteObjectStore, Opens):
    @classmethod
    def open(cls, settings: StoreSettings) -> "S3ObjectStore":
        address = address_of(settings, "s3")
        options = _options(settings, address, os.environ)
        clients = clients_of(partial(S3Store, address.bucket, **options), settings, address)
        return cls(address, settings.timeout, clients)

    def replace(self, key: str, data: bytes, version: str) -> bool:
        if super().replace(key, data, version):
            return True
        bare = version.strip('"')
        if bare == version or self.version(key) != version:
            return False
        # Some servers compare the tag as text with their own, which has no quotes.
        return super().replace(key, data, bare)


def _options(
    settings: StoreSettings, address: Address, environment: Mapping[str, str]
) -> dict[str, Any]:
    """What is not given here, the library looks for in the environment and in machine roles."""
    region = (
        settings.region
        or environment.get("AWS_REGION")
        or environment.get("AWS_DEFAULT_REGION", "us-east-1")
    )
    options: dict[str, Any] = {"region": region, "prefix": address.prefix or None}
    options |= {name: settings.secrets[name] for name in _SECRETS if name in settings.secrets}
    if address.endpoint:
        options |= {"endpoint": address.endpoint, "virtual_hosted_style_request": False}
    elif "." not in address.bucket:
        options["virtual_hosted_style_request"] = True
    return options
