"""kill -9 of an agent at seeded points: nothing acknowledged is lost, and each work ends once."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from freehold.app.audit.verify import audit
from freehold.app.run.runs import runs
from freehold.app.site.exchange import exchange
from freehold.replication.leases import all_work

SCRIPT = """
import sys
from pathlib import Path
from freehold.agent.loop import Agent, Surroundings
from freehold.app.site.exchange import exchange
from freehold.app.site.opening import open_site
from freehold.app.work.claim import Claims

def tell(event):
    if event.kind in ("work.claimed", "work.completed"):
        acknowledge(f"{event.kind} {event.detail['work']}")

with open_site(Path(sys.argv[1]), site="aws") as site:
    acknowledge("opened")
    agent = Agent(Surroundings(site, Claims(site), exchange, tell))
    while agent.once().performed is not None:
        acknowledge("turned")
"""
ASKED = 2


def prepared(world: Any) -> Path:
    for count in range(ASKED):
        world.ask(count=count + 2)
    return Path(world["aws"].root)


@pytest.fixture(scope="module")
def lines(
    crash: ModuleType,
    make_world: Callable[[Path], Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> int:
    folder = prepared(make_world(tmp_path_factory.mktemp("whole") / "world"))
    passed = crash.count_lines(SCRIPT, [folder])
    assert passed > 5000
    return int(passed)


def bodies(site: Any, kind: str) -> list[dict[str, Any]]:
    found = (json.loads(line) for _, line in site.ledger.lines())
    return [fact["body"] for fact in found if fact["type"] == kind]


def check_what_stands(world: Any, acknowledged: tuple[str, ...]) -> None:
    machine = world["aws"]
    with machine.open() as site:
        assert audit(site).history.holds
        taken = {body["work"] for body in bodies(site, "lease.taken")}
        ended = {body["work"] for body in bodies(site, "work.completed")}
        for line in acknowledged:
            kind, _, name = line.partition(" ")
            assert kind != "work.claimed" or name in taken
            assert kind != "work.completed" or name in ended
        agent = machine.agent(site)
        while agent.once().performed is not None:
            pass
        assert audit(site).history.holds
        assert Counter(body["work"] for body in bodies(site, "work.completed")).total() == ASKED
        assert len({body["work"] for body in bodies(site, "work.completed")}) == ASKED
        assert [row["status"] for row in runs(site)] == ["finished"] * ASKED
        assert {one.fence for one in all_work(site.state)} == {1}
        expected = list(all_work(site.state))
    with world["onprem"].open() as site:
        assert exchange(site).faults == []
        assert list(all_work(site.state)) == expected
        assert all(one.completion is not None and not one.superseded for one in expected)


def kill_between_lines(crash: ModuleType, world: Any, lines: int, seed: int) -> None:
    outcome = crash.run_until_killed(SCRIPT, [prepared(world)], seed=seed, lines=lines)
    # Threads take turns differently each time, so that a run may be a few lines shorter.
    assert outcome.killed == bool(outcome.place)
    check_what_stands(world, outcome.acknowledged)


def kill_from_outside(crash: ModuleType, world: Any, seed: int) -> None:
    outcome = crash.run_until_killed_by_parent(
        SCRIPT, [prepared(world)], seed=seed, acknowledgements=1 + 3 * ASKED
    )
    assert outcome.acknowledged
    check_what_stands(world, outcome.acknowledged)


@pytest.mark.parametrize("seed", range(18))
def test_killed_between_two_lines(crash: ModuleType, world: Any, lines: int, seed: int) -> None:
    kill_between_lines(crash, world, lines, seed)


@pytest.mark.parametrize("seed", range(6))
def test_killed_from_outside(crash: ModuleType, world: Any, seed: int) -> None:
    kill_from_outside(crash, world, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 250))
def test_killed_between_two_lines_often(
    crash: ModuleType, world: Any, lines: int, seed: int
) -> None:
    kill_between_lines(crash, world, lines, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 150))
def test_killed_from_outside_often(crash: ModuleType, world: Any, seed: int) -> None:
    kill_from_outside(crash, world, seed)
