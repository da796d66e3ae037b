"""When an endpoint is started, and how soon again. The endpoint is a stand-in whose life and death
the test decides, since the seconds of the back-off are what is shown; tests/e2e/test_agent.py has a
real one."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from freehold.agent.endpoint_keeper import LONGEST, EndpointKeeper
from freehold.agent.events import Event
from freehold.domain.errors import Failed


@dataclass
class StandIn:
    url: str
    is_alive: bool = True
    grpc: str | None = None

    def stop(self) -> None:
        if not self.is_alive:
            raise Failed("it was dead", code="endpoint.not-stopped")
        self.is_alive = False


@dataclass
class Stage:
    folder: Path
    now: float = 0.0
    fails: bool = False
    started: list[StandIn] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def start(self, serving: Path) -> StandIn:
        assert serving == self.folder
        if self.fails:
            raise Failed("no port is free", code="endpoint.port-in-use")
        self.started.append(StandIn(f"http://127.0.0.1:{len(self.started)}"))
        return self.started[-1]

    @property
    def told(self) -> list[str]:
        return [event.kind for event in self.events]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def keeper(stage: Stage) -> EndpointKeeper:
    return EndpointKeeper(stage.folder, stage.start, stage.events.append, lambda: stage.now)


def test_it_is_started_once_and_says_where(stage: Stage, keeper: EndpointKeeper) -> None:
    keeper.keep()
    keeper.keep()
    told = stage.folder / "endpoint.json"
    assert json.loads(told.read_text()) == {"url": "http://127.0.0.1:0"}
    keeper.stop()
    assert not told.exists()
    keeper.stop()
    assert stage.told == ["endpoint.started"]


def test_what_dies_is_started_again_ever_later(stage: Stage, keeper: EndpointKeeper) -> None:
    keeper.keep()
    pauses = []
    for _ in range(12):
        stage.started[-1].is_alive = False
        died, count = stage.now, len(stage.started)
        while len(stage.started) == count:
            keeper.keep()
            stage.now += 0.5
        pauses.append(stage.now - 0.5 - died)
    assert pauses[:5] == [1, 2, 4, 8, 16]
    assert max(pauses) == LONGEST
    stage.now += 10_000
    stage.started[-1].is_alive = False
    keeper.keep()
    stage.now += 1
    keeper.keep()
    assert stage.started[-1].is_alive, "after a steady life the first pause is short"


def test_what_does_not_start_is_tried_again_after_a_pause(
    stage: Stage, keeper: EndpointKeeper
) -> None:
    stage.fails = True
    with pytest.raises(Failed):
        keeper.keep()
    keeper.keep()
    stage.now += 1
    stage.fails = False
    keeper.keep()
    assert stage.told == ["endpoint.started"]


def test_one_that_was_dead_when_it_was_stopped_is_told(
    stage: Stage, keeper: EndpointKeeper
) -> None:
    keeper.keep()
    stage.started[-1].is_alive = False
    keeper.stop()
    assert stage.told == ["endpoint.started", "endpoint.not-stopped"]


def test_what_another_endpoint_wrote_stays(stage: Stage, keeper: EndpointKeeper) -> None:
    keeper.keep()
    told = stage.folder / "endpoint.json"
    told.write_text('{"url": "http://127.0.0.1:9"}')
    keeper.stop()
    assert "9" in told.read_text()
