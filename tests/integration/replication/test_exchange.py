"""Three sites on disks: histories and artifacts by way of stores that not all of them reach."""

from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.domain.artifact import object_key
from freehold.domain.fact import Draft, Fact
from freehold.domain.projection import Change, Projection, State
from freehold.domain.signature import PublicKey
from freehold.ports.contracts.signer import TransientSigner
from freehold.ports.object_store import ObjectStore
from freehold.replication.fault import LogConflict, LogFault
from freehold.replication.fetching import fetch_artifacts
from freehold.replication.layout import SegmentName, writers
from freehold.replication.publishing import publish_log
from freehold.replication.pulling import pull_log
from freehold.replication.sending import publish_artifacts

START = 1_700_000_000_000_000


def _count(fact: Fact, state: State) -> Iterator[Change]:
    yield Change("tally", fact.writer, (state.get("tally", fact.writer) or 0) + 1)


TALLY = Projection("tally", 1, frozenset({"note.written"}), _count)


class Site:
    """Publishes all it holds into the stores that it reaches, and pulls all that it finds there."""

    def __init__(self, folder: Path, name: str, clock: Callable[[], int]) -> None:
        folder.mkdir()
        self.name, self.folder, self.signer, self._clock = name, folder, TransientSigner(), clock
        self.objects = DiskObjectStore(folder / "objects")
        self.ledger = self.open()
        self.faults: list[LogFault] = []

    def open(self) -> SqliteLedger:
        return SqliteLedger(
            self.folder / "ledger.db",
            writer=self.name,
            signer=self.signer,
            clock=self._clock,
            projections=[TALLY],
        )

    def write(self, count: int) -> None:
        self.ledger.append([Draft("note.written", {"n": n}) for n in range(count)])

    def synchronize(
        self, stores: dict[str, ObjectStore], keys: dict[str, PublicKey], *, verify: bool = False
    ) -> int:
        found = {writer for store in stores.values() for writer in writers(store)}
        pulled = [
            pull_log(writer, self.ledger, stores, keys[writer])
            for writer in sorted(found - {self.ledger.writer})
        ]
        self.faults = [fault for one in pulled for fault in one.faults]
        for store in stores.values():
            for log in self.ledger.logs():
                publish_log(self.ledger, log.writer, keys[log.writer], store, verify=verify)
        return sum(one.entries for one in pulled)

    @property
    def heads(self) -> dict[str, tuple[int, str]]:
        return {log.writer: (log.size, log.root) for log in self.ledger.logs() if log.size}

    @property
    def tally(self) -> dict[str, int]:
        return dict(self.ledger.state.scan("tally"))


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[list[Site]]:
    clock = count(START, 1000).__next__
    made = [Site(tmp_path / name, name, clock) for name in ("onprem", "aws", "azure")]
    yield made
    for site in made:
        site.ledger.close()


@pytest.fixture
def stores(tmp_path: Path) -> dict[str, ObjectStore]:
    """The private one and the second are met by the second site only, so that all passes it."""
    return {name: DiskObjectStore(tmp_path / f"store-{name}") for name in ("left", "right")}


def test_histories_meet_by_way_of_the_site_in_the_middle(
    sites: list[Site], stores: dict[str, ObjectStore]
) -> None:
    onprem, aws, azure = sites
    keys = {site.name: site.signer.public for site in sites}
    left, right = {"left": stores["left"]}, {"right": stores["right"]}
    for number, site in enumerate(sites, 1):
        site.write(number * 100)
    onprem.synchronize(left, keys)
    azure.synchronize(right, keys)
    assert aws.synchronize(stores, keys) == 400
    assert onprem.synchronize(left, keys) == 500
    assert azure.synchronize(right, keys) == 300
    assert onprem.heads == aws.heads == azure.heads
    assert onprem.tally == aws.tally == azure.tally == {"onprem": 100, "aws": 200, "azure": 300}
    assert [site.faults for site in sites] == [[], [], []]
    assert [site.synchronize(stores, keys) for site in sites] == [0, 0, 0]


def test_many_small_exchanges_leave_few_objects(
    sites: list[Site], stores: dict[str, ObjectStore]
) -> None:
    onprem, aws, _ = sites
    keys = {site.name: site.signer.public for site in sites}
    for _ in range(34):
        onprem.write(2)
        onprem.synchronize(stores, keys)
        aws.write(1)
        aws.synchronize(stores, keys)
    onprem.synchronize(stores, keys)
    assert onprem.heads == aws.heads
    for store in stores.values():
        found = [name for name in map(SegmentName.parse, store.keys("logs/onprem/")) if name]
        assert len(found) < 32


@pytest.mark.parametrize("verify", [False, True])
def test_what_one_store_lost_another_gives_or_its_writer_puts_again(
    sites: list[Site], stores: dict[str, ObjectStore], verify: bool
) -> None:
    onprem, aws, azure = sites
    keys = {site.name: site.signer.public for site in sites}
    for _ in range(4):
        onprem.write(50)
        onprem.synchronize(stores, keys)
    left = list(stores["left"].keys("logs/onprem/segments/"))
    stores["left"].put(left[1], stores["left"].get(left[1])[:-3])
    stores["right"].delete(left[2])
    if verify:
        onprem.synchronize(stores, keys, verify=True)
        assert aws.synchronize({"left": stores["left"]}, keys) == 200
        assert azure.synchronize({"right": stores["right"]}, keys) == 200
        assert aws.faults == azure.faults == []
    else:
        assert aws.synchronize({"left": stores["left"]}, keys) == 50
        assert {fault.kind for fault in aws.faults} == {"segment.corrupt", "segment.missing"}
        assert azure.synchronize(stores, keys) == 200
        assert [(one.store, one.kind) for one in azure.faults] == [("left", "segment.corrupt")]


def test_a_site_restored_from_a_backup_goes_on_in_a_new_log(
    sites: list[Site], stores: dict[str, ObjectStore]
) -> None:
    onprem, aws, azure = sites
    keys = {site.name: site.signer.public for site in sites}
    onprem.write(10)
    onprem.ledger.close()
    backup = (onprem.folder / "ledger.db").read_bytes()
    onprem.ledger = onprem.open()
    onprem.write(5)
    onprem.synchronize(stores, keys)
    aws.synchronize(stores, keys)
    onprem.ledger.close()
    for file in onprem.folder.glob("ledger.db*"):
        file.unlink()
    (onprem.folder / "ledger.db").write_bytes(backup)
    onprem.ledger = onprem.open()
    onprem.write(3)
    with pytest.raises(LogConflict) as caught:
        onprem.synchronize(stores, keys)
    assert (caught.value.code, caught.value.ours, caught.value.agreed) == ("log.behind", 13, 10)
    assert caught.value.agreed is not None
    keys["onprem.2"] = onprem.signer.public
    kept = onprem.ledger.continue_as("onprem.2", onprem.signer, caught.value.agreed)
    assert kept == 3
    assert onprem.synchronize(stores, keys) == 5
    assert aws.synchronize(stores, keys) > 0
    assert azure.synchronize(stores, keys) > 0
    assert onprem.heads == aws.heads == azure.heads
    assert aws.heads["onprem"][0] == 15
    assert onprem.tally == aws.tally == azure.tally
    assert sum(aws.tally.values()) == 18


def artifacts(site: Site, number: int, size: int) -> list[str]:
    digests = []
    for n in range(number):
        data = f"{site.name} {n} ".encode() * (size // 12)
        digests.append("sha256:" + sha256(data).hexdigest())
        site.objects.put(object_key(digests[-1]), data)
    return digests


def test_artifacts_reach_the_third_site(
    sites: list[Site], stores: dict[str, ObjectStore], tmp_path: Path
) -> None:
    onprem, aws, azure = sites
    digests = artifacts(onprem, 300, 2_000) + artifacts(onprem, 2, 9_000_000)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    left, right = stores["left"], stores["right"]
    assert publish_artifacts(digests, onprem.objects, left).artifacts == 302
    middle = fetch_artifacts(digests, {"left": left}, aws.objects, scratch=scratch)
    assert (len(middle.got), middle.faults) == (302, ())
    assert publish_artifacts(digests, aws.objects, right).packs == 1
    last = fetch_artifacts(digests, {"right": right}, azure.objects, scratch=scratch)
    assert list(last.got) == sorted(digests)
    for digest in digests:
        data = azure.objects.get(object_key(digest))
        assert "sha256:" + sha256(data).hexdigest() == digest
    assert [key for key in right.keys("packs/") if key.endswith(".zip")] == [
        key for key in left.keys("packs/") if key.endswith(".zip")
    ], "the same artifacts make the same pack"


@pytest.mark.parametrize("entries", [3_000, pytest.param(300_000, marks=pytest.mark.long)])
def test_a_long_history_is_caught_up_in_batches(
    sites: list[Site], stores: dict[str, ObjectStore], entries: int
) -> None:
    onprem, aws, _ = sites
    keys = {site.name: site.signer.public for site in sites}
    for _ in range(30):
        onprem.write(entries // 30)
    with closing(onprem.open()) as reader:
        told = publish_log(reader, "onprem", onprem.signer.public, stores["left"])
    assert told.entries == entries
    assert aws.synchronize({"left": stores["left"]}, keys) == entries
    assert aws.heads["onprem"] == onprem.heads["onprem"]
