"""What a bundle has to tell reaches its site, whatever the store does, and once."""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from servers.faults import FaultProxy, Mode

from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.adapters.memory.object_store import MemoryObjectStore
from freehold.adapters.obstore.s3 import S3ObjectStore
from freehold.app.costs.meter import meter
from freehold.app.costs.rows import usage_rows
from freehold.app.drill.exit.folder import ExitFolder
from freehold.app.drill.exit.tables import write_tables
from freehold.app.edge.taking import Taken, edge_requests, take_in
from freehold.app.traffic.requests import collect, requests
from freehold.catalog.bundles import states_of
from freehold.catalog.retention.law import DAY, Circumstances
from freehold.catalog.retention.traffic import log_parts
from freehold.domain.bundle import digest
from freehold.domain.errors import FreeholdError, Unreachable
from freehold.domain.fact import Draft
from freehold.domain.project import RetentionSpec
from freehold.endpoint.edge.folder import Bundle
from freehold.endpoint.edge.outbox import LIMIT, Outbox
from freehold.endpoint.edge.reporter import LONGEST, Reporter, open_reports
from freehold.ports.object_store import ObjectStore
from freehold.serving.prediction_log import Batch, log_part

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND


def clock() -> int:
    return NOW


def part(number: int, rows: int = 2, model: str = "delay") -> bytes:
    batch = Batch(
        prediction_ids=[f"p{number}-{row}" for row in range(rows)],
        request_id=f"r{number}",
        at=NOW + number * SECOND,
        asked_at=NOW + number * SECOND,
        model=model,
        version=1,
        alias="champion",
        routing=1,
        score=[0.5] * rows,
        reference_score=None,
        latency_us=100.0,
        reference_latency_us=None,
        error=None,
        inputs={"distance": [float(number)] * rows},
        kinds={"distance": "number"},
    )
    return log_part([batch], 0)


@pytest.fixture
def box(maker: Any, files: Any, tmp_path: Path) -> Bundle:
    """Has three parts of the log, an event, and the beats of one process that has ended and of one
    that has not."""
    root = maker.bundle(tmp_path / "box", 1, files)
    place = (root / "current").resolve()
    made = Bundle(root, place, maker.manifest(1, files))
    made.prepare()
    for number in (1, 2, 3):
        put(made, f"log/part-{number:016d}-1-000000.parquet", part(number))
    event = {"type": "endpoint.stopped", "at": NOW, "rows": 6, "dropped": 0}
    put(made, "events/0000000000000001-1-000000.json", json.dumps(event).encode())
    for ended in (True, False):
        beat = {"start": 1, "beat": NOW, "ended": ended, "model": "delay", "seconds": {"1": 2.5}}
        put(made, f"replicas/0000000000000001-{int(ended)}.json", json.dumps(beat).encode())
    put(made, "log/.part-0000000000000009-1-000000.parquet.tmp", b"being written")
    return made


def put(box: Bundle, name: str, data: bytes) -> Path:
    path = box.serving / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def left(box: Bundle) -> list[str]:
    found = (path for path in box.serving.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path.name for path in found)


STAYS = [".part-0000000000000009-1-000000.parquet.tmp", "0000000000000001-0.json"]


def objects(store: ObjectStore) -> dict[str, bytes]:
    return {key: store.get(key) for key in list(store.keys())}


def test_all_of_it_is_sent_under_its_digest_and_gone_from_here(box: Bundle) -> None:
    store = MemoryObjectStore()
    sent = Outbox(box, clock).send(store)
    assert sent.files == 6
    assert left(box) == STAYS
    found = objects(store)
    assert all(key.endswith(sha256(data).hexdigest()) for key, data in found.items())
    kinds = sorted(key.split("/")[3] for key in found)
    assert kinds == ["event", "log", "log", "log", "replica", "replica", "state"]
    assert all(key.startswith("bundles/barn/delay/") for key in found)


def test_sent_twice_it_changes_nothing(box: Bundle) -> None:
    store, outbox = MemoryObjectStore(), Outbox(box, clock)
    outbox.send(store)
    before = objects(store)
    put(box, "log/part-0000000000000001-1-000000.parquet", part(1))
    outbox.send(store)
    Outbox(box, lambda: NOW + 9).send(store)
    assert objects(store) == before


def test_beyond_the_limit_the_oldest_go_and_are_counted(box: Bundle, maker: Any) -> None:
    sizes = [len(part(number)) for number in (1, 2, 3)]
    events = (box.serving / "events/0000000000000001-1-000000.json").stat().st_size
    outbox = Outbox(box, clock, limit=sizes[2] + events)
    assert outbox.bound() == 2
    assert [path.name for path in outbox.waiting()] == [
        "part-0000000000000003-1-000000.parquet",
        "0000000000000001-1-000000.json",
    ]
    assert (outbox.state.files, outbox.state.bytes) == (2, sizes[0] + sizes[1])
    assert outbox.bound() == 0
    assert Outbox(box, clock, limit=0).bound() == 2
    again = Outbox(box, clock)
    assert (again.state.box, again.state.files) == (outbox.state.box, 4)


def test_the_box_says_which_bundle_it_runs(box: Bundle, maker: Any, files: Any) -> None:
    first = Outbox(box, clock).state
    later = Outbox(replace(box, manifest=maker.manifest(2, files)), clock).state
    assert (first.number, later.number) == (1, 2)
    assert first.box == later.box


Faults = Mapping[str, Mode]
FAULTS: Faults = {
    "away": Mode(cut=True),
    "sick": Mode(status=503),
    "half of the request": Mode(upload_bytes=10, methods=frozenset({"PUT"})),
    "answer lost": Mode(lost=True, methods=frozenset({"PUT"})),
    "slow": Mode(delay=60, methods=frozenset({"PUT"})),
    "denied": Mode(status=403),
}


@pytest.fixture
def proxied(moto: Any, faulty: Callable[[str], FaultProxy]) -> tuple[ObjectStore, FaultProxy]:
    """A real S3 behind a proxy."""
    settings = moto.bucket()
    proxy = faulty(settings.endpoint)
    opened = S3ObjectStore.open(proxy.through(replace(settings, timeout=1.5)))
    return opened, proxy


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_let_go_of_before_the_store_has_it(
    box: Bundle, proxied: tuple[ObjectStore, FaultProxy], fault: str
) -> None:
    store, proxy = proxied
    outbox = Outbox(box, clock)
    before = left(box)
    proxy.mode = FAULTS[fault]
    with pytest.raises(FreeholdError):
        outbox.send(store)
    assert left(box) == before
    proxy.mode = Mode()
    outbox.send(store)
    assert left(box) == STAYS
    found = objects(store)
    assert len(found) == 7
    assert all(key.endswith(sha256(data).hexdigest()) for key, data in found.items())


def test_a_store_that_fails_in_the_middle_has_what_is_gone_from_here(
    box: Bundle, proxied: tuple[ObjectStore, FaultProxy]
) -> None:
    store, proxy = proxied
    outbox, names = Outbox(box, clock), left(box)
    parts = {path.name: path.read_bytes() for path in (box.serving / "log").glob("part*")}

    class Failing(MemoryObjectStore):
        """Passes two objects on, and then the network is cut."""

        def put(self, key: str, data: bytes) -> None:
            if proxy.requests["PUT"] == 2:
                proxy.mode = Mode(cut=True)
            store.put(key, data)

    with pytest.raises(Unreachable):
        outbox.send(Failing())
    gone = set(names) - set(left(box))
    assert len(gone) == 2
    proxy.mode = Mode()
    assert {parts[name] for name in gone} == set(objects(store).values())


class Away(MemoryObjectStore):
    def __init__(self) -> None:
        super().__init__()
        self.is_away = True

    def put(self, key: str, data: bytes) -> None:
        if self.is_away:
            raise Unreachable("the store does not answer", why="it is away")
        super().put(key, data)


def test_pauses_grow_while_the_store_is_away_and_are_drawn_at_random(box: Bundle) -> None:
    store, told = Away(), list[str]()
    chance = random.Random(1)
    reporter = Reporter(Outbox(box, clock), lambda: store, told.append, 60.0, chance.random)
    pauses = [reporter.turn() for _ in range(40)]
    assert all(0 <= pause < min(2.0**at, LONGEST) for at, pause in enumerate(pauses))
    assert max(pauses) > LONGEST / 2
    assert len(set(pauses)) == 40
    assert told == ["reports wait: [unreachable] the store does not answer (it is away)"]
    store.is_away = False
    assert reporter.turn() == 60.0
    assert told[1:] == ["reports are taken again"]
    assert left(box) == STAYS
    store.is_away = True
    put(box, "log/part-0000000000000009-1-000000.parquet", part(9))
    assert reporter.turn() < 1.0


def test_whatever_opening_the_store_raises_the_reporter_goes_on(box: Bundle) -> None:
    def broken() -> ObjectStore:
        raise ZeroDivisionError("a bug")

    told: list[str] = []
    reporter = Reporter(Outbox(box, clock), broken, told.append)
    assert reporter.turn() <= 1.0 and reporter.turn() <= 2.0
    assert "ZeroDivisionError" in told[0]


def test_without_a_store_it_only_keeps_the_bounds(box: Bundle) -> None:
    outbox = Outbox(box, clock, limit=0)
    reporter = Reporter(outbox, None, print, 5.0)
    assert reporter.turn() == 5.0
    assert outbox.waiting() == []


def test_where_reports_go_is_the_bundles_own_where_rows_bear_labels(
    maker: Any, files: Any, tmp_path: Path
) -> None:
    own = (tmp_path / "own").as_uri()
    reports = {"at": own, "endpoint": "", "region": ""}
    labelled = maker.manifest(1, files, labels={"pii": ""}, reports=reports)
    assert isinstance(open_reports(labelled, ""), DiskObjectStore)
    with pytest.raises(FreeholdError) as caught:
        open_reports(labelled, (tmp_path / "other").as_uri())
    assert caught.value.code == "label.barred"
    plain = maker.manifest(1, files)
    assert isinstance(open_reports(plain, (tmp_path / "other").as_uri()), DiskObjectStore)
    with pytest.raises(FreeholdError) as caught:
        open_reports(plain, "")
    assert caught.value.code == "bundle.no-store"


def made(home: Any, number: int = 1) -> None:
    """A bundle of the barn's stands in the history."""
    body = {
        "site": "barn",
        "model": "delay",
        "version": number,
        "package": "sha256:0",
        "number": number,
        "manifest": digest(str(number).encode()),
    }
    home.ledger.append([Draft("bundle.made", body)])


def facts(home: Any, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for _, line in home.ledger.lines()]
    return [one["body"] for one in found if one["type"] == kind]


@pytest.fixture
def reported(home: Any, box: Bundle) -> ObjectStore:
    made(home)
    store = MemoryObjectStore()
    Outbox(box, clock).send(store)
    return store


def test_rows_become_facts_once(home: Any, reported: ObjectStore) -> None:
    assert take_in(home, reported) == Taken(parts=3, rows=6, told=4, refused=0)
    logs = facts(home, "log.recorded")
    assert sorted(one["file"] for one in logs) == sorted(
        f"barn/{key.split('/')[4]}.parquet" for key in list(reported.keys()) if "/log/" in key
    )
    assert all(one["edge"] == "barn" and one["rows"] == 2 for one in logs)
    assert all(one["labels"] == {"pii": ""} for one in logs), "as what made the model does"
    told = {one["kind"]: one["about"] for one in facts(home, "bundle.told")}
    assert told["event"] == {"type": "endpoint.stopped", "at": NOW, "rows": 6, "dropped": 0}
    assert told["replica"]["seconds"] == {"1": 2.5}
    (state,) = states_of(home.state, "barn", "delay")
    assert state["number"] == 1
    rows = edge_requests(home, "barn", "delay")
    assert rows is not None and rows.height == 6
    before = list(home.ledger.lines())
    assert take_in(home, reported) == Taken(0, 0, 0, 0)
    assert list(home.ledger.lines()) == before


def test_they_stand_apart_from_the_sites_own_rows(home: Any, reported: ObjectStore) -> None:
    """What a box was asked says nothing about a release at home."""
    take_in(home, reported)
    assert collect(home, "delay") == 0
    assert requests(home, "delay") is None


def test_what_is_not_what_it_says_is_left_and_told(home: Any, reported: ObjectStore) -> None:
    keys = [key for key in list(reported.keys()) if "/log/" in key]
    reported.put(keys[0], b"other bytes")
    garbage = b"no parquet"
    reported.put(f"bundles/barn/delay/log/{sha256(garbage).hexdigest()}", garbage)
    strange = part(7, model="other")
    reported.put(f"bundles/barn/delay/log/{sha256(strange).hexdigest()}", strange)
    words = json.dumps({"type": "endpoint.stopped", "at": 1, "rows": "a word, of a person"})
    reported.put(f"bundles/barn/delay/event/{sha256(words.encode()).hexdigest()}", words.encode())
    told: list[str] = []
    assert take_in(home, reported, told.append).refused == 4
    assert len(told) == 4
    assert len(facts(home, "log.recorded")) == 2
    assert "person" not in json.dumps(facts(home, "bundle.told"))
    assert len(list(reported.keys())) == 10
    files = list((home.serving / "log" / "barn").iterdir())
    recorded = {Path(one["file"]).name for one in facts(home, "log.recorded")}
    assert {path.name for path in files} == recorded


@pytest.mark.parametrize(
    "key", ["bundles/attic/delay/log/", "bundles/barn/other/log/", "bundles/barn/delay/word/"]
)
def test_what_no_bundle_can_have_left_is_passed_over(
    home: Any, reported: ObjectStore, key: str
) -> None:
    reported.put(key + sha256(part(8)).hexdigest(), part(8))
    assert take_in(home, reported).parts == 3


def test_a_part_that_was_changed_here_is_not_believed(home: Any, reported: ObjectStore) -> None:
    take_in(home, reported)
    path = next((home.serving / "log" / "barn").glob("*.parquet"))
    path.write_bytes(path.read_bytes() + b".")
    with pytest.raises(FreeholdError) as caught:
        edge_requests(home, "barn", "delay")
    assert caught.value.code == "log.altered"


def test_the_limit_is_what_the_guide_says() -> None:
    assert LIMIT == 2**30


def test_parts_go_when_the_days_of_the_log_are_over(home: Any, reported: ObjectStore) -> None:
    late = part(40 * DAY // SECOND)
    reported.put(f"bundles/barn/delay/log/{sha256(late).hexdigest()}", late)
    take_in(home, reported)
    asked = Circumstances(
        site="home",
        settings=RetentionSpec(logs_days=30),
        now=NOW + 41 * DAY,
        pipelines=frozenset(),
        window_days=7,
    )
    found = {name: one.reason for name, (_, one) in log_parts(home.state, asked).items()}
    assert {name for name, reason in found.items() if reason} == {
        f"barn/{sha256(late).hexdigest()}.parquet"
    }
    assert len(found) == 4


def test_they_are_counted_where_they_were_asked(home: Any, reported: ObjectStore) -> None:
    take_in(home, reported)
    assert meter(home) is not None
    rows = usage_rows(home).frame.filter(pl.col("x_Kind") == "requests").collect()
    assert set(rows["SubAccountId"]) == {"barn"}


def test_whoever_leaves_takes_them_along(home: Any, reported: ObjectStore, tmp_path: Path) -> None:
    take_in(home, reported)
    folder = ExitFolder.begin(home, tmp_path / "left")
    write_tables(home, folder)
    assert folder.faults == []
    found = [path for path in folder.files if path.startswith("tables/requests/barn/")]
    assert len(found) == 3
