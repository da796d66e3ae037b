"""kill -9 of whoever settles conflicts: each is settled once, everywhere, or still open."""

from collections import Counter
from types import ModuleType
from typing import Any

import pytest

from freehold.app.conflict.conflicts import conflicts

ALIASES = ("champion", "pilot", "shadow", "fallback")
SETTLING = """
import io
import json
import os
import sys
from freehold.cli.main import run

os.chdir(sys.argv[1])
os.environ["FREEHOLD_SITE"] = "onprem"


def typed(*arguments):
    sys.stdout = io.StringIO()
    assert run([*arguments, "--json"]) == 0
    return json.loads(sys.stdout.getvalue())


for one in typed("conflicts")["conflicts"]:
    typed("conflicts", "settle", one["conflict"], "--yes")
    acknowledge(one["conflict"])
    typed("sync")
    acknowledge(f"met {one['conflict']}")
"""
"""What a person types."""


def quarrelling(world: Any) -> Any:
    """onprem and aws have moved four aliases apart, and everybody knows it."""
    for number, alias in enumerate(ALIASES):
        for site in ("onprem", "aws"):
            # Of the name's last characters comes the version.
            world.write(site, f"{alias}-{site}-{number}{site[0]}", alias=alias)
    world.settle()
    assert len(standing(world, "onprem")[0]) == len(ALIASES)
    return world


def standing(world: Any, site: str) -> tuple[set[str], set[str]]:
    """Names of conflicts that are open, and of those that are settled."""
    with world.opened(site) as opened:
        found = conflicts(opened, every=True)
        open_ones = {one.quarrel.name for one in found if one.quarrel.open}
        return open_ones, {one.quarrel.name for one in found} - open_ones


def settlements(world: Any, site: str) -> Counter[str]:
    facts = (one for one in world.entries(site) if one["type"] == "conflict.settled")
    return Counter(one["body"]["conflict"] for one in facts)


@pytest.fixture(scope="module")
def lines(crash: ModuleType, make_world: Any) -> int:
    return int(crash.count_lines(SETTLING, [quarrelling(make_world()).checkout("onprem")]))


def killed(crash: ModuleType, world: Any, lines: int, seed: int) -> None:
    """And then somebody types the same again, to the end."""
    folder = quarrelling(world).checkout("onprem")
    outcome = crash.run_until_killed(SETTLING, [folder], seed=seed, lines=lines)
    assert outcome.killed and outcome.place
    met = {line.removeprefix("met ") for line in outcome.acknowledged if line.startswith("met ")}
    told = {line for line in outcome.acknowledged if not line.startswith("met ")}
    world.sync("aws")
    assert met <= standing(world, "aws")[1]
    assert told <= standing(world, "onprem")[1]
    assert len(standing(world, "onprem")[1] - told) <= 1, "only the one under way is unheard of"
    crash.count_lines(SETTLING, [folder])
    world.settle()
    world.check()
    for site in ("onprem", "aws", "azure"):
        assert standing(world, site)[0] == set()
        assert set(settlements(world, site).values()) == {1}
        assert len(settlements(world, site)) == len(ALIASES)


@pytest.mark.parametrize("seed", range(3))
def test_killed_between_two_lines_of_settling(
    crash: ModuleType, world: Any, lines: int, seed: int
) -> None:
    killed(crash, world, lines, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_killed_between_two_lines_of_settling_often(
    crash: ModuleType, world: Any, lines: int, seed: int
) -> None:
    killed(crash, world, lines, seed)
