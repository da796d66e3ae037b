"""Azure Blob Storage."""

from pathlib import Path

import pytest
from servers.azure import Azurite

from freehold.adapters.obstore.azure import AzureObjectStore
from freehold.domain.errors import StorageFailed
from freehold.ports.contracts.object_store import ObjectStoreContract
from freehold.ports.contracts.object_store_abilities import (
    ComparesAndSetsContract,
    CreatesOnceContract,
    MovesFilesContract,
    SignsUrlsContract,
)
from freehold.ports.object_store import ObjectStore, StoreSettings


class TestAzurite(
    ObjectStoreContract,
    MovesFilesContract,
    CreatesOnceContract,
    ComparesAndSetsContract,
    SignsUrlsContract,
):
    adapter = "azure"
    server = "Azurite"

    @pytest.fixture(autouse=True)
    def _running(self, azurite: Azurite) -> None:
        self.running = azurite
        self._made: dict[Path, StoreSettings] = {}

    def make(self, folder: Path) -> ObjectStore:
        settings = self._made.setdefault(folder, self.running.bucket("some/prefix"))
        return AzureObjectStore.open(settings)

    def secret_values(self) -> list[str]:
        return [self.running.secrets["account_key"]]

    def test_a_wrong_key_is_denied(self, azurite: Azurite) -> None:
        settings = azurite.bucket()
        key = "AAAA" + azurite.secrets["account_key"][4:]
        store = AzureObjectStore.open(
            StoreSettings(
                settings.location,
                settings.endpoint,
                secrets={**azurite.secrets, "account_key": key},
            )
        )
        with pytest.raises(StorageFailed) as caught:
            store.put("a", b"1")
        assert caught.value.code == "storage.denied"
        assert key not in str(caught.value)


def test_no_account_is_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StorageFailed) as caught:
        AzureObjectStore.open(StoreSettings("az://container"))
    assert caught.value.code == "storage.no-credentials"


def test_a_key_that_is_none_is_not_shown() -> None:
    secrets = {"account_name": "a", "account_key": "this is !! no base64"}
    with pytest.raises(StorageFailed) as caught:
        AzureObjectStore.open(StoreSettings("az://container", secrets=secrets))
    assert caught.value.code == "storage.no-credentials"
    assert "base64" not in str(caught.value)
