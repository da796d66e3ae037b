"""One site is worked by two at once: two processes on one state, or two machines with its state."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
TURNING = """
import sys
from pathlib import Path
from freehold.app.site.exchange import exchange
from freehold.app.site.opening import open_site
from freehold.domain.fact import Draft

def turn(site, number):
    body = {"id": f"{sys.argv[2]}-{number}", "model": "flights", "alias": sys.argv[2],
            "version": number + 1, "previous": None, "release": ""}
    site.ledger.append([Draft("alias.moved", body)])
    exchange(site, verify=number % 4 == 3)

with open_site(Path(sys.argv[1]), site="onprem") as site:
    for number in range(6):
        turn(site, number)
for number in range(6, 12):
    with open_site(Path(sys.argv[1]), site="onprem") as site:
        turn(site, number)
"""


def started(checkout: Path, name: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", TURNING, str(checkout), name],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def ended_well(*processes: "subprocess.Popen[str]") -> None:
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors


def names_of(label: str) -> set[str]:
    return {f"{label}-{number}" for number in range(12)}


def begun(world: Any) -> None:
    for site in ("onprem", "aws", "azure"):
        world.write(site, f"{site}-first")
    world.settle()


def twin_of(world: Any, name: str) -> Any:
    """Another machine with a copy of the whole state of onprem, key and all."""
    folder = world.folder / name
    shutil.copytree(world.checkout("onprem"), folder / "onprem", symlinks=True)
    twin = type(world)(folder, world.stores, keys=world.keys)
    twin.declare("onprem")
    return twin


def test_two_processes_on_one_state(world: Any) -> None:
    begun(world)
    ended_well(*(started(world.checkout("onprem"), name) for name in ("left", "right")))
    world.acknowledged |= names_of("left") | names_of("right")
    assert world.writer("onprem").count(".") == 0, "a process took the other for a second state"
    assert world.sync("aws", verify=True).faults == []
    world.settle()
    world.check()


def test_two_processes_that_begin_a_site_together(make_world: Any) -> None:
    world = make_world()
    shutil.rmtree(world.state("onprem"))
    ended_well(*(started(world.checkout("onprem"), name) for name in ("left", "right")))
    world.begin()
    world.acknowledged |= names_of("left") | names_of("right")
    world.settle()
    world.check()
    opened = [one for one in world.entries("aws") if one["type"] == "site.opened"]
    assert len([one for one in opened if one["body"]["site"] == "onprem"]) == 1


def test_two_machines_with_one_state(world: Any) -> None:
    """Whoever comes second goes on in a log of its own, and nothing of either is lost."""
    begun(world)
    stem, twin, third = world.writer("onprem"), twin_of(world, "twin"), twin_of(world, "third")
    for number in range(4):
        for place, label in ((world, "one"), (twin, "two"), (third, "three")):
            place.write("onprem", f"{label}-{number}")
            place.sync("onprem")
    world.acknowledged |= twin.acknowledged | third.acknowledged
    for _ in range(4):
        for place in (twin, third, world):
            place.sync("onprem")
        world.settle()
    world.check()
    for place in (twin, third):
        place.acknowledged = world.acknowledged
        place.check("onprem")
    assert twin.writer("onprem") == f"{stem}.2" and third.writer("onprem") == f"{stem}.3"
    assert not [one for one in world.entries("aws") if one["type"] == "log.accused"]


def forked(world: Any, first: str) -> str:
    """Two machines publish where the other does not look: no order of steps can prevent it. Returns
    the log's name, after all have met."""
    begun(world)
    old, twin = str(world.writer("onprem")), twin_of(world, "twin")
    links = {store: twin.link("onprem", store).resolve() for store in ("onprem", "aws")}
    world.cut("onprem", "azure")
    twin.cut("onprem", *links)
    places = {"one": world, "two": twin}
    for label in (first, "two" if first == "one" else "one"):
        places[label].write("onprem", f"{label}-0", f"{label}-1")
        assert places[label].sync("onprem").continued_as == ""
    world.mend("onprem")
    for store, target in links.items():
        twin.link("onprem", store).unlink()
        twin.link("onprem", store).symlink_to(target)
    world.acknowledged |= twin.acknowledged
    for _ in range(4):
        for place in (world, twin):
            place.sync("onprem")
        for site in ("aws", "azure"):
            world.sync(site, verify=True)
    return old


@pytest.mark.parametrize("first", ["one", "two"])
def test_a_log_that_has_forked_loses_nothing(world: Any, first: str) -> None:
    forked(world, first)
    for site in ("onprem", "aws", "azure"):
        assert world.acknowledged == set(world.names(site)), site
        world.verify(site)


def test_the_writer_of_a_log_that_has_forked_is_named(world: Any) -> None:
    old = forked(world, "one")
    for site in ("onprem", "aws", "azure"):
        accused = [one["body"] for one in world.entries(site) if one["type"] == "log.accused"]
        assert old in {one["writer"] for one in accused}
