"""Stores behind a bad network, and what is tried again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from servers.azure import Azurite
from servers.faults import FaultProxy, Mode
from servers.gcs import GcsDouble, GcsEmulator
from servers.process import Server
from servers.s3 import MotoServer

from freehold.adapters.gcs.object_store import GcsObjectStore
from freehold.adapters.obstore.azure import AzureObjectStore
from freehold.adapters.obstore.s3 import S3ObjectStore
from freehold.domain.errors import StorageFailed, Unreachable
from freehold.ports.object_store import StoreSettings
from freehold.ports.remote_store import PART, PARTS_AT_ONCE, TRIED_AGAIN, Interrupted, persist

DATA = bytes(range(256)) * 200
LARGE = bytes(PART // 4)
"""It goes in one request, as a part would."""
PATIENT = 60
"""Seconds for what moves several parts on a busy machine."""
WRITES = frozenset({"PUT", "POST"})
FINAL = [400, 403, 405, 501, 505]
AGAIN = "not upstream: obstore sends parts again after any 5xx, and cannot be told otherwise"


class FaultSuite:
    """Of any remote store; `running` is its server."""

    opened: type[S3ObjectStore] | type[AzureObjectStore] | type[GcsObjectStore]
    running: Server

    def bucket(self) -> StoreSettings:
        return self.running.bucket("p")  # type: ignore[attr-defined,no-any-return]

    @pytest.fixture
    def proxy(self, faulty: Callable[[str], FaultProxy]) -> FaultProxy:
        return faulty(self.running.endpoint)

    @pytest.fixture
    def settings(self) -> StoreSettings:
        settings = self.bucket()
        self.opened.open(settings).put("a", DATA)
        return replace(settings, timeout=6)

    @pytest.fixture
    def store(self, settings: StoreSettings, proxy: FaultProxy) -> Any:
        return self.opened.open(proxy.through(settings))

    @pytest.mark.parametrize("status", sorted(TRIED_AGAIN))
    def test_a_passing_fault_is_not_noticed(
        self, store: Any, proxy: FaultProxy, status: int
    ) -> None:
        for act in (
            lambda: store.get("a"),
            lambda: store.put("b", b"1"),
            lambda: store.put("b", LARGE),
            lambda: list(store.keys()),
            lambda: store.delete("b"),
            lambda: store.size("a"),
        ):
            proxy.requests.clear()
            proxy.mode = Mode(status=status, times=2)
            act()
            assert proxy.requests.total() >= 3
        assert store.get("a") == DATA

    @pytest.mark.parametrize("status", FINAL)
    def test_an_answer_is_final(
        self, store: Any, proxy: FaultProxy, tmp_path: Path, status: int
    ) -> None:
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(LARGE)
        version = store.version("a")
        for act in (
            lambda: store.get("a"),
            lambda: store.get("a", 5, 40_000),
            lambda: store.put("b", b"1"),
            lambda: store.put("b", LARGE),
            lambda: next(store.keys()),
            lambda: store.size("a"),
            lambda: store.delete("a"),
            lambda: store.create("b", b"1"),
            lambda: store.replace("a", b"1", version),
            lambda: store.upload("b", source),
            lambda: store.download("a", target),
        ):
            self._ends_at_once(proxy, status, act)
            assert proxy.requests.total() == 1
        proxy.mode = Mode()
        assert not target.exists()
        assert list(store.keys()) == ["a"]
        assert store.get("a") == DATA

    @pytest.mark.parametrize("status", [status for status in FINAL if status < 500])
    def test_an_answer_to_a_part_is_final(
        self, settings: StoreSettings, proxy: FaultProxy, tmp_path: Path, status: int
    ) -> None:
        self._parts_end_at_once(settings, proxy, tmp_path, status)

    @pytest.mark.parametrize("status", [status for status in FINAL if status > 500])
    def test_an_answer_of_the_server_to_a_part_is_final(
        self, settings: StoreSettings, proxy: FaultProxy, tmp_path: Path, status: int
    ) -> None:
        self._parts_end_at_once(settings, proxy, tmp_path, status)

    def _parts_end_at_once(
        self, settings: StoreSettings, proxy: FaultProxy, folder: Path, status: int
    ) -> None:
        """Several parts may be under way when the answer comes, and each is sent once. What a
        store that uploads by objects has put in vain it deletes, once."""
        direct: Any = self.opened.open(replace(settings, timeout=PATIENT))
        store: Any = self.opened.open(proxy.through(settings))
        source, target = folder / "source", folder / "target"
        source.write_bytes(bytes(3 * PART))
        direct.upload("big", source)
        for act in (lambda: store.upload("b", source), lambda: store.download("big", target)):
            self._ends_at_once(proxy, status, act)
            for method in ("GET", "HEAD", "POST", "PUT"):
                assert proxy.requests[method] <= 3
            assert proxy.requests.total() <= 6
        assert not target.exists()
        assert list(direct.keys()) == ["a", "big"]

    def _ends_at_once(self, proxy: FaultProxy, status: int, act: Callable[[], object]) -> None:
        proxy.requests.clear()
        proxy.mode = Mode(status=status)
        with pytest.raises(StorageFailed) as caught:
            act()
        proxy.mode = Mode()
        denied = status == 403
        assert caught.value.code == ("storage.denied" if denied else "storage.refused")
        assert str(status) in caught.value.why

    @pytest.mark.parametrize("half", [Mode(half=True, times=2), Mode(answer_bytes=1, times=2)])
    def test_half_an_answer_is_asked_for_again(
        self, store: Any, proxy: FaultProxy, half: Mode
    ) -> None:
        for act, answer in (
            (lambda: store.get("a"), DATA),
            (lambda: store.get("a", 5, 40_000), DATA[5:40_000]),
            (lambda: list(store.keys()), ["a"]),
        ):
            proxy.mode = half
            assert act() == answer

    @pytest.mark.parametrize(
        "mode", [Mode(half=True), Mode(cut=True), Mode(status=503), Mode(delay=60)]
    )
    def test_a_lasting_fault_is_unreachable(
        self, settings: StoreSettings, proxy: FaultProxy, mode: Mode
    ) -> None:
        store = self.opened.open(proxy.through(replace(settings, timeout=0.9)))
        proxy.mode = mode
        with pytest.raises(Unreachable) as caught:
            store.get("a")
        assert caught.value.code == "storage.unreachable"
        assert "tried" in caught.value.why
        assert 1 < proxy.requests.total() < 40

    def test_what_never_reached_it_whole_is_no_object(
        self, settings: StoreSettings, proxy: FaultProxy
    ) -> None:
        store = self.opened.open(proxy.through(replace(settings, timeout=0.9)))
        proxy.mode = Mode(upload_bytes=1000)
        for key in ("a", "b"):
            with pytest.raises(Unreachable):
                store.put(key, b"x" * 50_000)
        direct = self.opened.open(settings)
        assert direct.get("a") == DATA
        assert list(direct.keys()) == ["a"]

    def test_a_download_that_is_cut_leaves_no_file(
        self, settings: StoreSettings, proxy: FaultProxy, tmp_path: Path
    ) -> None:
        store = self.opened.open(proxy.through(replace(settings, timeout=0.9)))
        proxy.mode = Mode(half=True, methods=frozenset({"GET"}))
        with pytest.raises(Unreachable):
            store.download("a", tmp_path / "file")
        assert list(tmp_path.iterdir()) == []

    def test_parts_of_a_file_pass_a_sick_store(
        self, store: Any, proxy: FaultProxy, tmp_path: Path
    ) -> None:
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(DATA * 400)
        proxy.mode = Mode(status=503, times=3)
        store.upload("big", source)
        proxy.mode = Mode(half=True, times=3)
        store.download("big", target)
        assert target.read_bytes() == source.read_bytes()

    def test_parts_of_a_file_are_under_way_at_the_same_time(
        self, settings: StoreSettings, proxy: FaultProxy, tmp_path: Path
    ) -> None:
        """The store is slow to answer, so that who sends the next part before the answer to the
        last is seen to."""
        store: Any = self.opened.open(proxy.through(replace(settings, timeout=PATIENT)))
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(bytes(3 * PART))
        proxy.mode = Mode(delay=0.4)
        for act in (lambda: store.upload("big", source), lambda: store.download("big", target)):
            proxy.most_at_once = 0
            act()
            assert 1 < proxy.most_at_once <= PARTS_AT_ONCE
        proxy.most_at_once = 0
        for _ in range(2):
            store.size("big")
        assert proxy.most_at_once == 1


class ConditionsSuite(FaultSuite):
    """Of a store that honours conditions."""

    stale = '"0123456789abcdef"'
    """A version that no object has."""

    def test_a_creation_whose_answer_was_lost_is_known(self, store: Any, proxy: FaultProxy) -> None:
        proxy.mode = Mode(lost=True, times=1, methods=WRITES)
        assert store.create("new", b"mine")
        assert sum(proxy.requests[method] for method in WRITES) == 2
        assert store.get("new") == b"mine"
        proxy.mode = Mode(lost=True, times=1, methods=WRITES)
        assert store.replace("new", b"mine too", store.version("new"))
        assert store.get("new") == b"mine too"

    def test_a_lost_answer_and_another_writer_leave_it_in_doubt(
        self, store: Any, settings: StoreSettings, proxy: FaultProxy
    ) -> None:
        self.opened.open(settings).put("new", b"of another")
        proxy.mode = Mode(lost=True, times=1, methods=WRITES)
        with pytest.raises(Unreachable) as caught:
            store.create("new", b"mine")
        assert caught.value.code == "storage.in-doubt"
        assert store.get("new") == b"of another"

    def test_a_lost_answer_to_a_replacement_leaves_it_in_doubt(
        self, store: Any, settings: StoreSettings, proxy: FaultProxy
    ) -> None:
        """Another writes between the first attempt and the second."""
        direct = self.opened.open(settings)
        version = direct.version("a")
        direct.put("a", b"of another")
        proxy.mode = Mode(lost=True, times=1, methods=WRITES)
        with pytest.raises(Unreachable) as caught:
            store.replace("a", b"mine", version)
        assert caught.value.code == "storage.in-doubt"
        assert store.get("a") == b"of another"

    def test_what_was_refused_at_once_is_not_in_doubt(self, store: Any, proxy: FaultProxy) -> None:
        """An answer that says that nothing was done, then a true one."""
        proxy.mode = Mode(status=429, times=1, methods=WRITES)
        assert not store.create("a", b"mine")
        proxy.mode = Mode(status=429, times=1, methods=WRITES)
        assert not store.replace("a", b"mine", self.stale)
        assert store.get("a") == DATA


class TestS3(ConditionsSuite):
    opened = S3ObjectStore

    @pytest.fixture(autouse=True)
    def _running(self, moto: MotoServer) -> None:
        self.running = moto

    @pytest.mark.parametrize("status", [501, 505])
    @pytest.mark.xfail(strict=True, raises=AssertionError, reason=AGAIN)
    def test_an_answer_of_the_server_to_a_part_is_final(
        self, settings: StoreSettings, proxy: FaultProxy, tmp_path: Path, status: int
    ) -> None:
        super().test_an_answer_of_the_server_to_a_part_is_final(settings, proxy, tmp_path, status)


class TestAzure(ConditionsSuite):
    opened = AzureObjectStore

    @pytest.fixture(autouse=True)
    def _running(self, azurite: Azurite) -> None:
        self.running = azurite

    @pytest.mark.parametrize("status", [501, 505])
    @pytest.mark.xfail(strict=True, raises=AssertionError, reason=AGAIN)
    def test_an_answer_of_the_server_to_a_part_is_final(
        self, settings: StoreSettings, proxy: FaultProxy, tmp_path: Path, status: int
    ) -> None:
        super().test_an_answer_of_the_server_to_a_part_is_final(settings, proxy, tmp_path, status)


class TestGcs(FaultSuite):
    opened = GcsObjectStore

    @pytest.fixture(autouse=True)
    def _running(self, gcs_emulator: GcsEmulator) -> None:
        self.running = gcs_emulator


class TestGcsDouble(ConditionsSuite):
    """The emulator ignores conditions; what the adapter does with them is seen on a double."""

    opened = GcsObjectStore
    stale = "7"

    @pytest.fixture(autouse=True)
    def _running(self, gcs_double: GcsDouble) -> None:
        self.running = gcs_double


class Clock:
    """Time that passes only while somebody pauses or tries."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def test_pauses_grow_and_end_before_time_is_up() -> None:
    clock = Clock()

    def attempt() -> None:
        clock.now += 0.5
        raise Interrupted("HTTP 503")

    with pytest.raises(Unreachable) as caught:
        persist(attempt, "s", 60, clock=clock, pause=clock.pause, chance=lambda: 1.0)
    assert clock.pauses[:7] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2]
    assert max(clock.pauses) == 5.0
    assert clock.now <= 40.5
    assert caught.value.why == f"HTTP 503; tried {len(clock.pauses) + 1} times"


def test_pauses_are_drawn_from_nothing_on() -> None:
    clock, chances = Clock(), iter([0.0, 0.5, 0.25])
    answers = iter([Interrupted("1"), Interrupted("2"), Interrupted("3")])

    def attempt() -> str:
        for fault in answers:
            raise fault
        return "done"

    done = persist(attempt, "s", 60, clock=clock, pause=clock.pause, chance=lambda: next(chances))
    assert done == "done"
    assert clock.pauses == [0.0, 0.05, 0.05]


def test_what_is_final_is_raised_at_once() -> None:
    clock = Clock()
    with pytest.raises(KeyError):
        persist(lambda: {}["a"], "s", 60, clock=clock, pause=clock.pause)
    assert clock.pauses == []
