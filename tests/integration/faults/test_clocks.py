"""A site's clock is an hour wrong, one way or the other, or jumps: it neither wins for ever nor
stops anything."""

from itertools import pairwise
from typing import Any

import orjson
import pytest

from freehold.domain.fact import Draft
from freehold.replication import leases
from freehold.replication.leases import Sightings, take, work_of

HOUR = 3_600_000_000
SITES = ("onprem", "aws", "azure")


def champion(world: Any, site: str) -> int:
    with world.opened(site) as opened:
        return int(opened.state.get("aliases", "flights/champion")["version"])


def version_of(world: Any, name: str) -> int:
    return int(world.note(name).body["version"])


def own_times(world: Any, site: str) -> list[tuple[int, int]]:
    with world.opened(site) as opened:
        facts = [orjson.loads(line) for _, line in opened.ledger.lines()]
    return [(one["time"]["wall"], one["time"]["logical"]) for one in facts]


@pytest.mark.parametrize("jumps", [(-HOUR, HOUR), (HOUR, -2 * HOUR, HOUR)])
def test_time_never_goes_backwards_within_a_log(world: Any, jumps: tuple[int, ...]) -> None:
    for number, jump in enumerate(jumps):
        world.write("onprem", f"before-{number}")
        world.sync("onprem")
        world.clocks["onprem"].now += jump
        world.write("onprem", f"after-{number}", f"after-{number}-too")
        world.write("aws", f"aws-{number}")
        world.settle()
    times = own_times(world, "onprem")
    assert all(one < other for one, other in pairwise(times))
    world.check()


@pytest.mark.parametrize("wrong", [HOUR, -HOUR])
def test_who_had_seen_it_comes_after_it(world: Any, wrong: int) -> None:
    world.clocks["onprem"].now += wrong
    for number, site in enumerate(("onprem", "aws", "azure", "onprem", "azure", "aws")):
        name = f"{site}-{number}{chr(ord('a') + number)}"
        world.write(site, name)
        world.settle()
        assert {champion(world, one) for one in SITES} == {version_of(world, name)}
    world.check()
    assert not [one for one in world.entries("aws") if one["type"] == "conflict.found"]


def test_a_fast_clock_wins_only_over_what_nobody_told_it(world: Any) -> None:
    """Of two that did not know of each other the order decides, and people are told."""
    world.settle()
    world.clocks["onprem"].now += HOUR
    world.write("onprem", "of-the-fast-clock-a")
    world.write("aws", "of-the-right-clock-b")
    world.settle()
    assert {champion(world, site) for site in SITES} == {version_of(world, "of-the-fast-clock-a")}
    assert len([one for one in world.entries("azure") if one["type"] == "conflict.found"]) >= 1
    world.write("aws", "settled-by-the-right-clock-c")
    world.settle()
    right = version_of(world, "settled-by-the-right-clock-c")
    assert {champion(world, site) for site in SITES} == {right}
    world.clocks["onprem"].now -= HOUR
    world.write("onprem", "after-it-was-set-right-d")
    world.settle()
    mended = version_of(world, "after-it-was-set-right-d")
    assert {champion(world, site) for site in SITES} == {mended}
    world.check()


def test_a_backup_is_restored_under_a_clock_that_was_set_back(world: Any) -> None:
    world.clocks["onprem"].now += HOUR
    world.write("onprem", "fast")
    world.settle()
    backup = world.back_up("onprem")
    world.write("onprem", "after-the-backup")
    world.settle()
    world.restore("onprem", backup)
    world.clocks["onprem"].now -= 2 * HOUR
    world.write("onprem", "offline-0", "offline-1")
    assert world.sync("onprem").continued_as
    world.settle()
    world.check()
    assert champion(world, "aws") == version_of(world, "offline-1")


@pytest.mark.parametrize("wrong", [HOUR, -HOUR])
def test_a_lease_does_not_run_out_by_a_wall_clock(world: Any, wrong: int) -> None:
    """It is each agent's own monotonic clock that says so; the lease's writer may be hours off."""
    world.clocks["onprem"].now += wrong
    body = {"work": "w", "site": "onprem", "pipeline": "p", "parameters": {}}
    with world.opened("aws") as site:
        asked = Draft("work.requested", {**body, "parameters_attachment": ""})
        site.ledger.append([asked])
    world.settle()
    with world.opened("onprem") as site:
        seen = work_of(site.state, "w")
        site.ledger.decide(lambda state: take(state, seen, 60, "agent"))
        held = work_of(site.state, "w").lease_of(site.ledger.writer)
    world.clocks["onprem"].now -= 2 * wrong
    world.settle()
    looks = Sightings()
    with world.opened("azure") as site:
        work = work_of(site.state, "w")
        assert work.lease_of(world.writer("onprem")) == held
        assert not looks.run_out(work, 1000.0, 20)
        assert not looks.run_out(work, 1079.0, 20)
        assert looks.run_out(work, 1081.0, 20)
    with world.opened("onprem") as site:
        assert held is not None
        site.ledger.decide(lambda state: leases.renew(state, "w", held, "agent"))
    world.settle()
    with world.opened("azure") as site:
        assert not looks.run_out(work_of(site.state, "w"), 1082.0, 20), "it was renewed"
    world.check()
