"""kill -9 of what writes and meets the others: nothing acknowledged is lost, and nothing twice.

Agents that do work are killed in `tests/integration/agent`, consoles in
`tests/integration/console`.
"""

from hashlib import sha256
from types import ModuleType
from typing import Any

import pytest

TURNS = 5
TURNING = """
import sys
from pathlib import Path
from freehold.app.site.exchange import exchange
from freehold.app.site.opening import open_site
from freehold.domain.fact import Draft

for turn in range(5):
    with open_site(Path(sys.argv[1]), site="onprem") as site:
        body = {"id": f"{sys.argv[2]}-{turn}", "model": "flights", "alias": "champion",
                "version": turn + 1, "previous": None, "release": ""}
        site.ledger.append([Draft("alias.moved", body)])
        acknowledge(body["id"])
        exchange(site)
        acknowledge(f"met {body['id']}")
"""
TYPING = """
import os
import sys
from hashlib import sha256
from freehold.cli.main import run

os.chdir(sys.argv[1])
os.environ["FREEHOLD_SITE"] = "onprem"
sys.stdout = open(os.devnull, "w")

for turn in range(4):
    name = "sha256:" + sha256(f"{sys.argv[2]} {turn}".encode()).hexdigest()
    assert run(["hold", "add", name, "--yes"]) == 0
    acknowledge(name)
    assert run(MEETING) == 0
    acknowledge(f"met {name}")
"""
TYPED = TYPING.replace("MEETING", '["sync"]')
AGENT = TYPING.replace("MEETING", '["agent", "--once"]')
"""What a person types; the digests are of nothing that is there."""


def names_of(script: str, label: str) -> list[str]:
    if script == TURNING:
        return [f"{label}-{turn}" for turn in range(TURNS)]
    return ["sha256:" + sha256(f"{label} {turn}".encode()).hexdigest() for turn in range(4)]


def begun(world: Any) -> Any:
    """Everybody has something to tell."""
    for site in ("onprem", "aws", "azure"):
        world.write(site, f"{site}-first")
    world.sync("azure")
    return world


def whole(crash: ModuleType, world: Any, script: str) -> int:
    """Lines of a run that nobody kills."""
    return int(crash.count_lines(script, [begun(world).checkout("onprem"), "whole"]))


@pytest.fixture(scope="module")
def turning(crash: ModuleType, make_world: Any) -> int:
    return whole(crash, make_world(), TURNING)


@pytest.fixture(scope="module")
def typed(crash: ModuleType, make_world: Any) -> int:
    return whole(crash, make_world(), TYPED)


@pytest.fixture(scope="module")
def agent(crash: ModuleType, make_world: Any) -> int:
    return whole(crash, make_world(), AGENT)


def check_what_stands(world: Any, script: str, label: str, told: tuple[str, ...]) -> None:
    """Before the killed one is started again, others have all that it had met them with."""
    met = {line.removeprefix("met ") for line in told if line.startswith("met ")}
    named = {line for line in told if not line.startswith("met ")}
    world.sync("aws")
    assert met <= set(world.names("aws"))
    # What was recorded in the moment of the kill stands, though nobody was told.
    unheard = set(world.names("onprem")) - world.acknowledged - named
    assert unheard <= set(names_of(script, label)[len(named) :][:1])
    world.acknowledged |= named | unheard
    world.write("onprem", f"{label}-again")
    world.sync("onprem")


def killed(crash: ModuleType, world: Any, script: str, lines: int, seed: int) -> None:
    """Twice in a row, the second time perhaps while it mends what the first one left."""
    folder = begun(world).checkout("onprem")
    for point in (seed, seed + 10_000):
        label = f"killed-{point}"
        outcome = crash.run_until_killed(script, [folder, label], seed=point, lines=lines)
        assert outcome.killed and outcome.place
        check_what_stands(world, script, label, outcome.acknowledged)
    world.settle()
    world.check()


def killed_from_outside(crash: ModuleType, world: Any, seed: int) -> None:
    """At a moment that may lie in the middle of a system call."""
    folder, label = begun(world).checkout("onprem"), f"killed-{seed}"
    outcome = crash.run_until_killed_by_parent(
        TURNING, [folder, label], seed=seed, acknowledgements=2 * TURNS - 2
    )
    check_what_stands(world, TURNING, label, outcome.acknowledged)
    world.settle()
    world.check()


@pytest.mark.parametrize("seed", range(4))
def test_killed_between_two_lines_of_its_turns(
    crash: ModuleType, world: Any, turning: int, seed: int
) -> None:
    killed(crash, world, TURNING, turning, seed)


@pytest.mark.parametrize("seed", range(50, 53))
def test_killed_between_two_lines_of_commands(
    crash: ModuleType, world: Any, typed: int, seed: int
) -> None:
    killed(crash, world, TYPED, typed, seed)


@pytest.mark.parametrize("seed", range(70, 73))
def test_killed_between_two_lines_of_an_agent(
    crash: ModuleType, world: Any, agent: int, seed: int
) -> None:
    killed(crash, world, AGENT, agent, seed)


@pytest.mark.parametrize("seed", range(4))
def test_killed_from_outside(crash: ModuleType, world: Any, seed: int) -> None:
    killed_from_outside(crash, world, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 130))
def test_killed_between_two_lines_of_its_turns_often(
    crash: ModuleType, world: Any, turning: int, seed: int
) -> None:
    killed(crash, world, TURNING, turning, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(200, 225))
def test_killed_between_two_lines_of_commands_often(
    crash: ModuleType, world: Any, typed: int, seed: int
) -> None:
    killed(crash, world, TYPED, typed, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(300, 325))
def test_killed_between_two_lines_of_an_agent_often(
    crash: ModuleType, world: Any, agent: int, seed: int
) -> None:
    killed(crash, world, AGENT, agent, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(400, 440))
def test_killed_from_outside_often(crash: ModuleType, world: Any, seed: int) -> None:
    killed_from_outside(crash, world, seed)
