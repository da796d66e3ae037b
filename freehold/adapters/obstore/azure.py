"""Azure Blob Storage."""

from functools import partial
from typing import Any

from obstore.exceptions import BaseError
from obstore.store import AzureStore

from freehold.adapters.obstore.connection import Address, address_of, clients_of
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
            clients = clients_of(partial(AzureStore, address.bucket, **options), settings, address)
        except BaseError:
            # The account has no name, or its key is no base64; the text may hold some of the key.
            raise no_credentials(str(address)) from None
        return cls(address, settings.timeout, clients)


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
