"""Encrypted stores: the contract of a store over inner stores, and what encryption promises."""

import json
import os
import resource
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers.azure import Azurite
from servers.gcs import GcsDouble, GcsEmulator, GcsServer
from servers.s3 import MotoServer
from traced import traced

from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.adapters.encryption import data_keys, rotation
from freehold.adapters.encryption.envelope import CHUNK, HEADER, SEALED, TAG, plain_size
from freehold.adapters.encryption.object_store import EncryptedObjectStore
from freehold.adapters.gcs.object_store import GcsObjectStore
from freehold.adapters.keyfile.key_service import FileKeyService
from freehold.adapters.kms.key_service import KmsKeyService
from freehold.adapters.memory.object_store import MemoryObjectStore
from freehold.adapters.obstore.azure import AzureObjectStore
from freehold.adapters.obstore.s3 import S3ObjectStore
from freehold.domain.errors import AdapterFailed, IntegrityError, StorageFailed
from freehold.ports.contracts.object_store import (
    ObjectsContract,
    ObjectStoreContract,
    RangesContract,
)
from freehold.ports.contracts.object_store_abilities import (
    ComparesAndSetsContract,
    CreatesOnceContract,
    FillsUpContract,
    MovesFilesContract,
    PutsTogetherContract,
)
from freehold.ports.key_service import KeyService, KeySettings, Rotated, RotatesKeys
from freehold.ports.object_store import (
    ComparesAndSets,
    CreatesOnce,
    LocalPaths,
    MovesFiles,
    ObjectStore,
    PutsTogether,
    SignsUrls,
    StoreSettings,
)

MARKER = b"patient 4711 has"


def keys_in(folder: Path) -> FileKeyService:
    path = folder / "keys.json"
    return FileKeyService(path) if path.exists() else FileKeyService.create(path)


class CountingKeys(KeyService):
    """Another service, and how often it was asked."""

    def __init__(self, inner: KeyService) -> None:
        self.inner, self.wraps, self.unwraps = inner, 0, 0

    @classmethod
    def open(cls, settings: KeySettings) -> "CountingKeys":
        return cls(FileKeyService.open(settings))

    @property
    def key_id(self) -> str:
        return self.inner.key_id

    def wrap(self, data_key: bytes, context: Mapping[str, str]) -> bytes:
        self.wraps += 1
        return self.inner.wrap(data_key, context)

    def unwrap(self, wrapped: bytes, key_id: str, context: Mapping[str, str]) -> bytes:
        self.unwraps += 1
        return self.inner.unwrap(wrapped, key_id, context)


@contextmanager
def small_files() -> Iterator[None]:
    """The kernel refuses to let a file of this process grow beyond 64 KiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestEncryptedDisk(
    ObjectStoreContract,
    FillsUpContract,
    MovesFilesContract,
    PutsTogetherContract,
    CreatesOnceContract,
    ComparesAndSetsContract,
):
    def make(self, folder: Path) -> ObjectStore:
        return EncryptedObjectStore(DiskObjectStore(folder / "inner"), keys_in(folder))

    def full(self, store: ObjectStore) -> AbstractContextManager[None]:
        return small_files()


class TestEncryptedMemory(ObjectStoreContract, CreatesOnceContract, ComparesAndSetsContract):
    def make(self, folder: Path) -> ObjectStore:
        return EncryptedObjectStore(MemoryObjectStore(), keys_in(folder))

    @pytest.mark.xfail(strict=True, reason="never: memory does not outlive its process")
    def test_it_stands_when_opened_again(self, tmp_path: Path) -> None:
        super().test_it_stands_when_opened_again(tmp_path)


@pytest.fixture(scope="module")
def kms_key(moto: MotoServer) -> KeySettings:
    client = boto3.client(
        "kms",
        endpoint_url=moto.endpoint,
        region_name="eu-central-1",
        aws_access_key_id=moto.secrets["access_key_id"],
        aws_secret_access_key=moto.secrets["secret_access_key"],
    )
    key = str(client.create_key()["KeyMetadata"]["Arn"])
    client.close()
    return KeySettings(key, moto.endpoint, secrets=moto.secrets)


class TestEncryptedS3(ObjectsContract, RangesContract, MovesFilesContract, ComparesAndSetsContract):
    """Objects and keys beyond a network."""

    @pytest.fixture(autouse=True)
    def _running(self, moto: MotoServer, kms_key: KeySettings) -> None:
        self.moto, self.key = moto, kms_key
        self.made: dict[Path, StoreSettings] = {}

    def make(self, folder: Path) -> ObjectStore:
        where = self.made.setdefault(folder, self.moto.bucket("prefix"))
        return EncryptedObjectStore(S3ObjectStore.open(where), KmsKeyService.open(self.key))


class RemoteSuite(
    ObjectsContract,
    RangesContract,
    MovesFilesContract,
    CreatesOnceContract,
    ComparesAndSetsContract,
):
    """Objects beyond a network, keys in a file."""

    opened: type[AzureObjectStore] | type[GcsObjectStore]
    running: Azurite | GcsServer

    @pytest.fixture(autouse=True)
    def _buckets(self) -> None:
        self.made: dict[Path, StoreSettings] = {}

    def make(self, folder: Path) -> ObjectStore:
        where = self.made.setdefault(folder, self.running.bucket("prefix"))
        folder.mkdir(exist_ok=True)
        return EncryptedObjectStore(self.opened.open(where), keys_in(folder))


class TestEncryptedAzure(RemoteSuite):
    opened = AzureObjectStore

    @pytest.fixture(autouse=True)
    def _running(self, azurite: Azurite) -> None:
        self.running = azurite


class TestEncryptedGcs(RemoteSuite):
    """On the double that keeps generations."""

    opened = GcsObjectStore

    @pytest.fixture(autouse=True)
    def _running(self, gcs_double: GcsDouble) -> None:
        self.running = gcs_double


class TestEncryptedGcsEmulator(ObjectsContract, RangesContract):
    """On the emulator, which was not written here, what needs no generations."""

    @pytest.fixture(autouse=True)
    def _running(self, gcs_emulator: GcsEmulator) -> None:
        self.running = gcs_emulator
        self.made: dict[Path, StoreSettings] = {}

    def make(self, folder: Path) -> ObjectStore:
        where = self.made.setdefault(folder, self.running.bucket("prefix"))
        folder.mkdir(exist_ok=True)
        return EncryptedObjectStore(GcsObjectStore.open(where), keys_in(folder))


@pytest.fixture
def service(tmp_path: Path) -> FileKeyService:
    return keys_in(tmp_path)


@pytest.fixture
def inner() -> MemoryObjectStore:
    return MemoryObjectStore()


@pytest.fixture
def store(inner: MemoryObjectStore, service: FileKeyService) -> EncryptedObjectStore:
    return EncryptedObjectStore(inner, service)


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[MemoryObjectStore, EncryptedObjectStore]]:
    """For properties, which make no folder for each example."""
    with TemporaryDirectory() as folder:
        inner = MemoryObjectStore()
        yield inner, EncryptedObjectStore(inner, keys_in(Path(folder)))


Shared = tuple[MemoryObjectStore, EncryptedObjectStore]


def refused(use: Callable[[], object]) -> IntegrityError:
    with pytest.raises(IntegrityError) as caught:
        use()
    return caught.value


class Bare(ObjectStore):
    """The five methods and nothing else."""

    def __init__(self, inner: ObjectStore) -> None:
        self._inner = inner

    def put(self, key: str, data: bytes) -> None:
        self._inner.put(key, data)

    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        return self._inner.get(key, start, stop)

    def size(self, key: str) -> int | None:
        return self._inner.size(key)

    def keys(self, prefix: str = "", after: str = "") -> Iterator[str]:
        return self._inner.keys(prefix, after)

    def delete(self, key: str) -> None:
        self._inner.delete(key)


def test_it_can_what_the_inner_store_can_and_no_more(
    tmp_path: Path, service: FileKeyService
) -> None:
    kinds = (MovesFiles, PutsTogether, CreatesOnce, ComparesAndSets, LocalPaths, SignsUrls)
    disk, memory = DiskObjectStore(tmp_path / "a"), MemoryObjectStore()
    for inner in (disk, memory, Bare(memory)):
        wrapped = EncryptedObjectStore(inner, service)
        assert isinstance(wrapped, EncryptedObjectStore) and isinstance(wrapped, RotatesKeys)
        for kind in kinds:
            kept = isinstance(inner, kind) and kind not in (LocalPaths, SignsUrls)
            assert isinstance(wrapped, kind) is kept


SIZES = [0, 1, 15, 16, 17, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 5]


@pytest.mark.parametrize("size", SIZES)
def test_sizes_about_the_edges_of_chunks(
    store: EncryptedObjectStore, inner: MemoryObjectStore, size: int
) -> None:
    data = os.urandom(size)
    store.put("a", data)
    assert store.get("a") == data
    assert store.size("a") == size
    stored = inner.size("a")
    assert stored == HEADER + size + TAG * max(1, -(-size // CHUNK))
    assert plain_size(stored, "a") == size


@pytest.mark.parametrize("stored", [0, 1, HEADER, HEADER + TAG - 1, HEADER + SEALED + TAG])
def test_sizes_that_no_object_has(
    store: EncryptedObjectStore, inner: MemoryObjectStore, stored: int
) -> None:
    inner.put("a", bytes(stored))
    assert refused(lambda: store.size("a")).code == "envelope.altered"


@settings(max_examples=150, deadline=None)
@given(
    size=st.sampled_from([0, 1, 700, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 77]),
    start=st.integers(0, 4 * CHUNK),
    stop=st.none() | st.integers(0, 5 * CHUNK),
)
def test_a_range_is_the_plain_slice(
    shared: Shared, size: int, start: int, stop: int | None
) -> None:
    _, store = shared
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    store.put("range", data)
    assert store.get("range", start, stop) == data[start:stop]


class Watched(Bare):
    """Says which bytes were asked for."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self.read = 0

    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        data = super().get(key, start, stop)
        self.read += len(data)
        return data


def test_a_range_reads_only_its_chunks(inner: MemoryObjectStore, service: FileKeyService) -> None:
    watched = Watched(inner)
    store = EncryptedObjectStore(watched, service)
    store.put("a", bytes(9 * CHUNK))
    store.get("a", 5 * CHUNK + 3, 5 * CHUNK + 9)
    assert watched.read == HEADER + SEALED + 1
    watched.read = 0
    store.get("a", 10, 20)
    assert watched.read == HEADER + SEALED + 1


def test_an_absent_range(store: EncryptedObjectStore) -> None:
    for start, stop in ((0, 5), (5, 5), (3, None), (2 * CHUNK, 3 * CHUNK)):
        with pytest.raises(KeyError):
            store.get("a", start, stop)


@settings(max_examples=400, deadline=None)
@given(
    size=st.sampled_from([0, 1, 33, 2000]),
    place=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
)
def test_any_flipped_bit_is_found(shared: Shared, size: int, place: float, bit: int) -> None:
    inner, store = shared
    store.put("flip", os.urandom(size))
    stored = bytearray(inner.get("flip"))
    stored[int(place * len(stored))] ^= 1 << bit
    inner.put("flip", bytes(stored))
    refused(lambda: store.get("flip"))
    refused(lambda: store.get("flip", 0, 10))


def test_every_bit_of_the_header_counts(
    store: EncryptedObjectStore, inner: MemoryObjectStore
) -> None:
    store.put("a", b"plain")
    stored = inner.get("a")
    for place in range(8 * len(stored)):
        bad = bytearray(stored)
        bad[place // 8] ^= 1 << place % 8
        inner.put("a", bytes(bad))
        refused(lambda: store.get("a"))
    inner.put("a", stored)
    assert store.get("a") == b"plain"


@pytest.mark.parametrize("size", [0, 40, CHUNK, 2 * CHUNK + 9])
def test_a_cut_is_found_wherever_it_is(
    store: EncryptedObjectStore, inner: MemoryObjectStore, size: int
) -> None:
    store.put("a", os.urandom(size))
    stored = inner.get("a")
    edges = {HEADER + SEALED * number for number in range(4)}
    near = {edge + by for edge in edges for by in (-1, 0, 1, TAG, TAG + 1)}
    for length in sorted({0, 1, 8, 100, len(stored) - 1, *near}):
        if length < len(stored):
            inner.put("a", stored[:length])
            refused(lambda: store.get("a"))
            refused(lambda: store.get("a", max(size - 1, 0)))
            refused(lambda: store.get("a", max(size - 1, 0), size + 5))
            refused(lambda: store.get("a", 5 * CHUNK, 6 * CHUNK))


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True))
def test_a_cut_anywhere_is_found(shared: Shared, place: float) -> None:
    inner, store = shared
    store.put("cut", bytes(CHUNK + 500))
    stored = inner.get("cut")
    inner.put("cut", stored[: int(place * len(stored))])
    refused(lambda: store.get("cut"))


def test_what_is_added_is_found(store: EncryptedObjectStore, inner: MemoryObjectStore) -> None:
    for size in (10, CHUNK):
        store.put("a", os.urandom(size))
        stored = inner.get("a")
        for more in (b"\0", bytes(TAG), bytes(SEALED), stored[HEADER:]):
            inner.put("a", stored + more)
            refused(lambda: store.get("a"))


def test_chunks_that_change_places_are_found(
    store: EncryptedObjectStore, inner: MemoryObjectStore
) -> None:
    store.put("a", os.urandom(3 * CHUNK))
    stored = inner.get("a")
    head, parts = stored[:HEADER], [stored[HEADER + SEALED * n :][:SEALED] for n in range(3)]
    for order in ([1, 0, 2], [0, 2, 1], [0, 0, 2], [0, 1, 1], [0, 1, 2, 2], [1, 2], [0, 2]):
        inner.put("a", head + b"".join(parts[number] for number in order))
        refused(lambda: store.get("a"))


def test_parts_of_another_object_are_found(
    store: EncryptedObjectStore, inner: MemoryObjectStore
) -> None:
    """Both share a data key, and one key replaces the other's object."""
    store.put("a", os.urandom(2 * CHUNK))
    store.put("b", os.urandom(2 * CHUNK))
    first, second = inner.get("a"), inner.get("b")
    for bad in (
        second,
        first[:HEADER] + second[HEADER:],
        second[:HEADER] + first[HEADER:],
        first[: HEADER + SEALED] + second[HEADER + SEALED :],
    ):
        inner.put("a", bad)
        refused(lambda: store.get("a"))
        refused(lambda: store.get("a", CHUNK, CHUNK + 5))


def test_a_plain_object_is_not_read(store: EncryptedObjectStore, inner: MemoryObjectStore) -> None:
    for data in (MARKER, bytes(2000), b"freehole" + bytes(2000)):
        inner.put("a", data)
        assert refused(lambda: store.get("a")).code == "envelope.not-encrypted"


def test_a_later_format_is_named(store: EncryptedObjectStore, inner: MemoryObjectStore) -> None:
    store.put("a", b"1")
    stored = inner.get("a")
    inner.put("a", stored[:8] + b"\2" + stored[9:])
    assert refused(lambda: store.get("a")).code == "envelope.unknown-version"


def test_a_wrong_key_is_named_and_nothing_else(
    store: EncryptedObjectStore, inner: MemoryObjectStore, service: FileKeyService, tmp_path: Path
) -> None:
    store.put("folder/secret-name", MARKER)
    (tmp_path / "other").mkdir()
    stranger = EncryptedObjectStore(inner, keys_in(tmp_path / "other"))
    for use in (
        lambda: stranger.get("folder/secret-name"),
        lambda: stranger.get("folder/secret-name", 2, 5),
        stranger.rotate,
    ):
        error = refused(use)
        assert str(error) == f"error[key.wrong]: not readable with the key {service.key_id}"
        shown = json.dumps(error.as_json()) + repr(error)
        (key,) = json.loads((tmp_path / "keys.json").read_text())["keys"]
        for hidden in (key["k"], str(tmp_path), "secret-name", MARKER.decode()):
            assert hidden not in shown


def test_no_plain_byte_reaches_the_store(tmp_path: Path, service: FileKeyService) -> None:
    folder = tmp_path / "objects"
    store = EncryptedObjectStore(DiskObjectStore(folder), service)
    assert isinstance(store, MovesFiles)
    assert isinstance(store, CreatesOnce)
    store.put("put", MARKER * 100)
    assert store.create("created", MARKER * 100)
    (tmp_path / "file").write_bytes(MARKER * 100_000)
    store.upload("uploaded", tmp_path / "file")
    stored = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert len([data for data in stored if len(data) > 1000]) == 3
    assert not any(MARKER in data for data in stored)
    assert MARKER in store.get("put")


def test_the_same_bytes_are_stored_differently(
    store: EncryptedObjectStore, inner: MemoryObjectStore
) -> None:
    store.put("a", bytes(1000))
    first = inner.get("a")
    store.put("a", bytes(1000))
    assert inner.get("a")[HEADER:] != first[HEADER:]


@pytest.mark.parametrize("size", SIZES)
def test_files_move_in_and_out(tmp_path: Path, service: FileKeyService, size: int) -> None:
    store = EncryptedObjectStore(DiskObjectStore(tmp_path / "objects"), service)
    assert isinstance(store, MovesFiles)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(size))
    up: list[int] = []
    down: list[int] = []
    store.upload("a", source, up.append)
    store.download("a", target, down.append)
    assert target.read_bytes() == source.read_bytes() == store.get("a")
    assert sum(up) == sum(down) == size
    with pytest.raises(KeyError):
        store.download("b", tmp_path / "b")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"source", "target", "objects", "keys.json"}


def test_an_altered_file_does_not_appear(tmp_path: Path, service: FileKeyService) -> None:
    inner = DiskObjectStore(tmp_path / "objects")
    store = EncryptedObjectStore(inner, service)
    assert isinstance(store, MovesFiles)
    store.put("a", os.urandom(3 * CHUNK))
    stored = inner.get("a")
    for bad in (stored[:-SEALED], stored[:-1], stored[:-1] + b"\0\1", stored[:300]):
        inner.put("a", bad)
        refused(lambda: store.download("a", tmp_path / "target"))  # type: ignore[attr-defined]
        assert not [path for path in tmp_path.iterdir() if "target" in path.name]


def test_a_file_that_cannot_be_moved(
    tmp_path: Path, service: FileKeyService, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EncryptedObjectStore(DiskObjectStore(tmp_path / "objects"), service)
    assert isinstance(store, MovesFiles)
    with pytest.raises(StorageFailed):
        store.upload("a", tmp_path / "absent")
    (tmp_path / "large").write_bytes(bytes(2**20))
    with small_files(), pytest.raises(StorageFailed) as caught:
        store.upload("a", tmp_path / "large")
    assert caught.value.code == "storage.full"
    assert list(store.keys()) == []


class Restless(Bare):
    """Each reading of a header is followed by a replacement of the object, so many times."""

    def __init__(self, inner: ObjectStore, times: int) -> None:
        super().__init__(inner)
        self.times = times
        self.replaced: Callable[[int], None] = lambda _: None

    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        data = super().get(key, start, stop)
        if stop == HEADER and self.times:
            self.times -= 1
            self.replaced(self.times)
        return data


@pytest.mark.parametrize(("times", "ends"), [(1, True), (6, True), (10_000, False)])
def test_a_range_of_an_object_that_is_replaced_meanwhile(
    inner: MemoryObjectStore, service: FileKeyService, times: int, ends: bool
) -> None:
    """Each version is one letter, so that a mixture would show."""
    restless = Restless(inner, times)
    writer, store = EncryptedObjectStore(inner, service), EncryptedObjectStore(restless, service)
    writer.put("a", b"Z" * (2 * CHUNK))

    def replaced(left: int) -> None:
        writer.put("a", bytes([65 + left % 20]) * (2 * CHUNK))

    restless.replaced = replaced
    if ends:
        assert store.get("a", CHUNK + 5, CHUNK + 10) == b"A" * 5
    else:
        assert refused(lambda: store.get("a", CHUNK + 5, CHUNK + 10)).code == "envelope.altered"


def test_a_key_service_is_asked_once_for_many_objects(
    inner: MemoryObjectStore, service: FileKeyService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_keys, "_OBJECTS", 100)
    counting = CountingKeys(service)
    store = EncryptedObjectStore(inner, counting)
    for number in range(350):
        store.put(f"{number}", b"1")
        store.get(f"{number}")
    assert (counting.wraps, counting.unwraps) == (4, 0)
    reader = EncryptedObjectStore(inner, counting)
    for number in range(350):
        reader.get(f"{number}")
    assert (counting.wraps, counting.unwraps) == (4, 4)


def test_few_unwrapped_keys_are_remembered(
    inner: MemoryObjectStore, service: FileKeyService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_keys, "_OBJECTS", 1)
    monkeypatch.setattr(data_keys, "_REMEMBERED", 5)
    store = EncryptedObjectStore(inner, service)
    for number in range(20):
        store.put(f"{number:02}", b"%d" % number)
    counting = CountingKeys(service)
    reader = EncryptedObjectStore(inner, counting)
    for _ in range(2):
        listed = reader.keys()
        assert [reader.get(key) for key in listed] == [b"%d" % n for n in range(20)]
    assert counting.unwraps == 40
    assert len(reader._data_keys._known) == 5


class Wordy(CountingKeys):
    """Its wrapped keys are too long for a header."""

    def wrap(self, data_key: bytes, context: Mapping[str, str]) -> bytes:
        return bytes(500)


def test_a_wrapped_key_that_has_no_room(inner: MemoryObjectStore, service: FileKeyService) -> None:
    with pytest.raises(AdapterFailed) as caught:
        EncryptedObjectStore(inner, Wordy(service)).put("a", b"1")
    assert caught.value.code == "envelope.no-room"
    assert list(inner.keys()) == []


@pytest.mark.parametrize("kind", ["memory", "disk", "bare"])
def test_a_rotation_keeps_content_and_frees_the_old_key(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_keys, "_OBJECTS", 10)
    path = tmp_path / "keys.json"
    old = FileKeyService.create(path)
    disk, memory = DiskObjectStore(tmp_path / "objects"), MemoryObjectStore()
    inner: ObjectStore = {"memory": memory, "disk": disk, "bare": Bare(memory)}[kind]
    content = {f"part/{number % 3}/{number}": os.urandom(number * 9) for number in range(40)}
    content["large"] = os.urandom(2 * CHUNK + 1)
    for key, data in content.items():
        EncryptedObjectStore(inner, old).put(key, data)
    before = {key: inner.get(key)[HEADER:] for key in content}

    new = FileKeyService.add(path)
    counting = CountingKeys(new)
    EncryptedObjectStore(inner, new).put("newer", b"newer")
    looked: list[int] = []
    store = EncryptedObjectStore(inner, counting)
    assert store.rotate("part/1", looked.append) == Rotated(13, 0, 0)
    assert store.rotate(told=looked.append) == Rotated(28, 14, 0)
    assert sum(looked) == 13 + 42
    assert store.rotate() == Rotated(0, 42, 0)

    alone = EncryptedObjectStore(inner, FileKeyService.remove(path, old.key_id))
    assert {key: alone.get(key) for key in content} == content
    assert {key: inner.get(key)[HEADER:] for key in content} == before


def test_a_rotation_of_many_objects_asks_the_key_service_seldom(
    inner: MemoryObjectStore, tmp_path: Path
) -> None:
    old = FileKeyService.create(tmp_path / "k")
    store = EncryptedObjectStore(inner, old)
    for number in range(300):
        store.put(f"{number}", b"1")
    counting = CountingKeys(FileKeyService.add(tmp_path / "k"))
    assert EncryptedObjectStore(inner, counting).rotate().count == 300
    assert (counting.wraps, counting.unwraps) == (1, 1)


def test_a_rotation_of_large_objects_goes_by_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "IN_MEMORY", 1000)
    inner = DiskObjectStore(tmp_path / "objects")
    EncryptedObjectStore(inner, FileKeyService.create(tmp_path / "k")).put("a", MARKER * 9000)
    body = inner.get("a")[HEADER:]
    store = EncryptedObjectStore(inner, FileKeyService.add(tmp_path / "k"))
    assert store.rotate() == Rotated(1, 0, 0)
    assert store.rotate() == Rotated(0, 1, 0)
    assert store.get("a") == MARKER * 9000
    assert inner.get("a")[HEADER:] == body


def test_a_rotation_counts_plain_objects_and_goes_past_wrong_ones(
    inner: MemoryObjectStore, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    stranger = keys_in(tmp_path / "other")
    EncryptedObjectStore(inner, stranger).put("a", b"theirs")
    EncryptedObjectStore(inner, FileKeyService.create(tmp_path / "k")).put("b", b"ours")
    inner.put("c", b"plain")
    new = FileKeyService.add(tmp_path / "k")
    store = EncryptedObjectStore(inner, new)
    error = refused(store.rotate)
    assert error.code == "key.wrong" and stranger.key_id in error.what
    inner.delete("a")
    assert store.rotate() == Rotated(0, 1, 1)
    assert (store.get("b"), inner.get("c")) == (b"ours", b"plain")


class Contested(MemoryObjectStore):
    """Somebody else puts, or deletes, just before a replacement."""

    meanwhile: Callable[[], None] | None = None

    def replace(self, key: str, data: bytes, version: str) -> bool:
        if self.meanwhile:
            act, self.meanwhile = self.meanwhile, None
            act()
        return super().replace(key, data, version)


@pytest.mark.parametrize("deleted", [False, True])
def test_a_rotation_never_puts_back_what_was_replaced(tmp_path: Path, deleted: bool) -> None:
    inner = Contested()
    old = FileKeyService.create(tmp_path / "k")
    EncryptedObjectStore(inner, old).put("a", b"old")
    new = FileKeyService.add(tmp_path / "k")
    store = EncryptedObjectStore(inner, new)
    inner.meanwhile = lambda: inner.delete("a") if deleted else store.put("a", b"new")
    done = store.rotate()
    assert done.count == 0
    assert list(inner.keys()) == ([] if deleted else ["a"])
    if not deleted:
        assert store.get("a") == b"new"


@pytest.mark.long
def test_a_large_file_moves_in_flat_memory(tmp_path: Path, service: FileKeyService) -> None:
    store = EncryptedObjectStore(DiskObjectStore(tmp_path / "objects"), service)
    assert isinstance(store, MovesFiles)
    with (tmp_path / "source").open("wb") as file:
        file.truncate(2**30)
    with traced() as peak:
        store.upload("a", tmp_path / "source")
        store.download("a", tmp_path / "target")
        assert peak() < 32 * 2**20
    assert store.size("a") == (tmp_path / "target").stat().st_size == 2**30
