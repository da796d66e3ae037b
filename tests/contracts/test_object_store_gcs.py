"""Google Cloud Storage."""

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from servers.faults import FaultProxy, Mode
from servers.gcs import GcsDouble, GcsEmulator, GcsServer
from servers.gcs_double import PAGE

from freehold.adapters.gcs.object_store import GcsObjectStore
from freehold.domain.errors import StorageFailed, WrongUsage
from freehold.ports.contracts.object_store import ObjectStoreContract
from freehold.ports.contracts.object_store_abilities import (
    ComparesAndSetsContract,
    CreatesOnceContract,
    MovesFilesContract,
    SignsUrlsContract,
)
from freehold.ports.object_store import ObjectStore, StoreSettings

IGNORED = "not upstream: the emulator ignores generations; the service honours them"
ONE_PAGE = "not upstream: the emulator answers a listing by one page, whatever is asked for"
UNSIGNED = "not upstream: the tests' token signs nothing; a service account's key does"


class GcsSuite(
    ObjectStoreContract,
    MovesFilesContract,
    CreatesOnceContract,
    ComparesAndSetsContract,
    SignsUrlsContract,
):
    adapter = "gcs"
    running: GcsServer

    @pytest.fixture(autouse=True)
    def _buckets(self) -> None:
        self._made: dict[Path, StoreSettings] = {}

    def make(self, folder: Path) -> ObjectStore:
        settings = self._made.setdefault(folder, self.running.bucket("some/prefix"))
        return GcsObjectStore.open(settings)

    def secret_values(self) -> list[str]:
        return list(self.running.secrets.values())

    @pytest.mark.xfail(strict=True, reason=UNSIGNED)
    def test_whoever_has_the_url_gets_the_object(self, store: ObjectStore) -> None:
        super().test_whoever_has_the_url_gets_the_object(store)

    @pytest.mark.xfail(strict=True, reason=UNSIGNED)
    def test_the_url_names_no_secret_of_the_store(self, store: ObjectStore) -> None:
        super().test_the_url_names_no_secret_of_the_store(store)

    def test_a_token_that_signs_nothing_is_an_error(self, store: GcsObjectStore) -> None:
        with pytest.raises(StorageFailed) as caught:
            store.signed_url("a", 60)
        assert caught.value.code == "storage.cannot-sign"


class TestEmulator(GcsSuite):
    server = "gcp-storage-emulator"
    # It takes 50 puts a second, and fewer the more it holds.
    few_keys = 200

    @pytest.fixture(autouse=True)
    def _running(self, gcs_emulator: GcsEmulator) -> None:
        self.running = gcs_emulator

    @pytest.mark.xfail(strict=True, raises=AssertionError, reason=ONE_PAGE)
    def test_many_keys_by_pages(self, store: ObjectStore) -> None:
        """There are no pages to come: the double below has them."""
        for number in range(3):
            store.put(f"a/{number}", b"")
        (made,) = self._made.values()
        bucket = made.location.split("/")[2]
        asked = f"{made.endpoint}/storage/v1/b/{bucket}/o?maxResults=2"
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert len(json.loads(answer.read())["items"]) == 2

    @pytest.mark.xfail(strict=True, reason=IGNORED)
    def test_what_is_there_is_not_created(self, store: ObjectStore) -> None:
        super().test_what_is_there_is_not_created(store)

    @pytest.mark.xfail(strict=True, reason=IGNORED)
    def test_of_many_at_once_one_creates(self, store: ObjectStore) -> None:
        super().test_of_many_at_once_one_creates(store)

    @pytest.mark.xfail(strict=True, reason=IGNORED)
    def test_only_the_version_that_was_read_is_replaced(self, store: ObjectStore) -> None:
        super().test_only_the_version_that_was_read_is_replaced(store)

    @pytest.mark.xfail(strict=True, reason=IGNORED)
    def test_an_absent_object_has_no_version(self, store: ObjectStore) -> None:
        super().test_an_absent_object_has_no_version(store)

    @pytest.mark.xfail(strict=True, reason=IGNORED)
    def test_a_put_gives_a_version(self, store: ObjectStore) -> None:
        super().test_a_put_gives_a_version(store)

    @pytest.mark.xfail(strict=True, reason=IGNORED)
    def test_no_update_of_a_counter_is_lost(self, store: ObjectStore) -> None:
        super().test_no_update_of_a_counter_is_lost(store)

    @pytest.mark.xfail(strict=True, raises=AssertionError, reason=IGNORED)
    def test_a_reader_of_several_parts_never_sees_two_versions(
        self, store: ObjectStore, tmp_path: Path
    ) -> None:
        for _ in range(10):
            super().test_a_reader_of_several_parts_never_sees_two_versions(store, tmp_path)


class TestDouble(GcsSuite):
    server = "a double of our own, not the service"

    @pytest.fixture(autouse=True)
    def _running(self, gcs_double: GcsDouble) -> None:
        self.running = gcs_double

    def test_a_listing_asks_for_its_pages_as_they_are_needed(self, gcs_double: GcsDouble) -> None:
        settings = gcs_double.bucket("p")
        direct = GcsObjectStore.open(settings)
        keys = [f"a/{number:04d}" for number in range(2 * PAGE + 1)]
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda key: direct.put(key, b""), keys))
        with FaultProxy(gcs_double.endpoint) as proxy:
            store = GcsObjectStore.open(proxy.through(settings))
            assert next(store.keys()) == keys[0]
            assert proxy.requests == {"GET": 1}
            assert list(store.keys()) == keys
            assert proxy.requests == {"GET": 1 + 3}
            assert list(store.keys("a/", keys[PAGE])) == keys[PAGE + 1 :]
            assert proxy.requests == {"GET": 1 + 3 + 2}

    def test_a_page_that_does_not_come_is_asked_for_again(self, gcs_double: GcsDouble) -> None:
        """From the last key on, none twice and none left out."""
        settings = gcs_double.bucket("p")
        direct = GcsObjectStore.open(settings)
        keys = [f"a/{number:04d}" for number in range(PAGE + 5)]
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda key: direct.put(key, b""), keys))
        with FaultProxy(gcs_double.endpoint) as proxy:
            listing = GcsObjectStore.open(proxy.through(settings)).keys()
            seen = [next(listing)]
            proxy.mode = Mode(half=True, times=2)
            assert seen + list(listing) == keys
            assert proxy.requests == {"GET": 4}


@pytest.mark.parametrize("location", ["gs://", "gs://a bucket", "gs://b/../c", "s3://b", "b"])
def test_what_is_no_address(location: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        GcsObjectStore.open(StoreSettings(location))
    assert caught.value.code == "storage.address"


@pytest.mark.parametrize("secret", ["", "{", json.dumps({"private_key": "hush"})])
def test_what_is_no_service_account_is_not_shown(secret: str) -> None:
    store = GcsObjectStore.open(StoreSettings("gs://b", secrets={"service_account": secret}))
    with pytest.raises(WrongUsage) as caught:
        store.get("a")
    assert caught.value.code == "storage.credentials"
    assert "hush" not in str(caught.value)
