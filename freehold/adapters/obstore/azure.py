"""Azure Blob Storage."""

from typing import Any

from obstore.exceptions import BaseError
from obstore.store import AzureStore

from freehold.adapters.obstore.connection import Address, address_of, for_parts, for_requests
from freehold.adapters.obstore.faults import no_credentials
from freehold.adapters.obstore.object_store import RemoteObjectStore
from freehold.ports.object_store import Opens, StoreSettings

_SECRETS = {
    "account_name": "account_name",
    "account_key": "account_key",
    "sas_token": "sas_key",
    "token": "bearer_token",
}
"""The port's name → the library's."""


class AzureObjectStore(RemoteObjectStore, Opens):
    @classmethod
    def open(cls, settings: StoreSettings) -> "AzureObjectStore":
        address = address_of(settings, "az")
        options = _options(settings, address)
        try:
            client = AzureStore(address.bucket, **options, **for_requests(settings, address))
            parts = AzureStore(address.bucket, **options, **for_parts(settings, address))
        except BaseError:
            # The account has no name, or its key is no base64; the text may hold some of the key.
            raise no_credentials(str(address)) from None
        return cls(address, settings.timeout, client, parts)


def _options(settings: StoreSettings, address: Address) -> dict[str, Any]:
    """What is not given here, the library looks for in the environment and in machine roles."""
    options: dict[str, Any] = {"prefix": address.prefix or None}
    options |= {
        theirs: settings.secrets[ours]
        for ours, theirs in _SECRETS.items()
        if ours in settings.secrets
    }
    if address.endpoint:
        options["endpoint"] = address.endpoint
    return options
