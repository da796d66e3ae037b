"""An endpoint says how long it has been up, and for which versions, however it dies."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import sleep
from typing import Any

import pytest

from freehold.domain.routing import RoutingTable, Variant
from freehold.endpoint import replica as module
from freehold.endpoint.process import EndpointThread
from freehold.endpoint.replica import Replica
from freehold.endpoint.settings import EndpointSettings

SECOND = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 10**15

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


def table(number: int, **weights: float) -> RoutingTable:
    variants = tuple(
        Variant(int(version[1:]), f"sha256:{version:0>64}", weight, "champion" if not place else "")
        for place, (version, weight) in enumerate(weights.items())
    )
    return RoutingTable(number, "delay", "salt", variants)


def told(folder: Path) -> dict[str, Any]:
    (path,) = (folder / "replicas").glob("*.json")
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def replica(tmp_path: Path, clock: Clock) -> Replica:
    return Replica(tmp_path, clock, lambda: None, every=3600)


def test_its_time_is_divided_by_the_weights_of_what_it_served(
    replica: Replica, tmp_path: Path, clock: Clock
) -> None:
    start = clock.now
    replica.serves(table(1, v1=100.0))
    clock.pass_seconds(100)
    replica.serves(table(2, v1=75.0, v2=25.0, v3=0.0))
    clock.pass_seconds(40)
    replica.beat()
    assert told(tmp_path) == {
        "start": start,
        "beat": clock.now,
        "ended": False,
        "model": "delay",
        "seconds": {"1": 130.0, "2": 10.0},
    }
    clock.pass_seconds(4)
    replica.end()
    assert told(tmp_path)["ended"] is True
    assert sum(told(tmp_path)["seconds"].values()) == pytest.approx(144)


def test_a_clock_that_was_put_back_takes_nothing_away(
    replica: Replica, tmp_path: Path, clock: Clock
) -> None:
    replica.serves(table(1, v1=100.0))
    clock.pass_seconds(50)
    replica.beat()
    clock.pass_seconds(-30)
    replica.beat()
    assert told(tmp_path)["seconds"] == {"1": 50.0}
    clock.pass_seconds(40)
    replica.end()
    assert told(tmp_path)["seconds"] == {"1": 60.0}


def test_a_beat_that_the_disk_does_not_take_leaves_the_one_before(
    tmp_path: Path, clock: Clock
) -> None:
    lost: list[int] = []
    replica = Replica(tmp_path, clock, lambda: lost.append(1), every=3600)
    replica.serves(table(1, v1=100.0))
    (path,) = (tmp_path / "replicas").glob("*.json")
    blocker = path.with_name(f".{path.name}.tmp")
    blocker.mkdir()
    clock.pass_seconds(10)
    replica.beat()
    assert lost == [1] and told(tmp_path)["seconds"] == {"1": 0.0}
    blocker.rmdir()
    clock.pass_seconds(10)
    replica.end()
    assert told(tmp_path)["seconds"] == {"1": 20.0}


def test_what_is_served_after_its_end_is_anothers_time(
    replica: Replica, tmp_path: Path, clock: Clock
) -> None:
    replica.serves(table(1, v1=100.0))
    clock.pass_seconds(10)
    replica.end()
    clock.pass_seconds(10)
    replica.serves(table(2, v2=100.0))
    assert told(tmp_path)["seconds"] == {"1": 10.0} and told(tmp_path)["ended"] is True


def test_whoever_ends_it_a_second_time_waits_for_the_last_beat(
    replica: Replica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica.serves(table(1, v1=100.0))
    write, is_writing, goes_on = module._write, Event(), Event()

    def slowly(path: Path, data: bytes) -> None:
        is_writing.set()
        goes_on.wait()
        write(path, data)

    monkeypatch.setattr(module, "_write", slowly)
    with ThreadPoolExecutor(2) as both:
        first = both.submit(replica.end)
        is_writing.wait()
        second = both.submit(replica.end)
        sleep(0.2)
        assert not second.done() and told(tmp_path)["ended"] is False
        goes_on.set()
        first.result()
        second.result()
    assert told(tmp_path)["ended"] is True


def test_a_real_endpoint_tells_its_start_and_its_end(site: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    with EndpointThread(EndpointSettings(site.folder, port=0), site.runtime, site.signing):
        up = told(site.folder)
        assert up["ended"] is False and up["model"] == "delay"
    down = told(site.folder)
    assert down["ended"] is True and down["start"] == up["start"] and down["beat"] >= up["beat"]
    assert list(down["seconds"]) == ["1"]
