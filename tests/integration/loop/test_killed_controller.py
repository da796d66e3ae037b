"""A controller that dies leaves traffic as it was, and the next one goes on exactly."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest

from freehold.app.loop.advance import advance
from freehold.app.release import orders
from freehold.app.release.release import plan_release, release
from freehold.app.release.serving_folder import publish
from freehold.app.site.opening import open_site
from freehold.app.traffic.labels import add_labels
from freehold.delivery.releases import aliases_of, releases_of
from freehold.domain.routing import Shadow, read_routing

FEWEST, DAY = 300, 24 * 3600
OPENS = """
import os, signal, sys
from pathlib import Path
from freehold.app.loop import canary
from freehold.app.loop.advance import advance
from freehold.app.site.opening import open_site

where, now, dies = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

if dies:
    setattr(canary, dies, die)
with open_site(where, lambda: now) as site:
    acknowledge("opened")
    advance(site, "delay")
    acknowledge("turned")
"""
LINES = 6000
"""Of the product's code that a turn passes, about."""
TRIAL = "metrics: {revenue: {drop: 5}}"


@dataclass(frozen=True)
class Situation:
    """What lies before the turn in which the controller dies."""

    more: str
    strategy: Any
    prepare: Callable[[Any, Any], None]
    before: dict[int, float]
    after: dict[int, float] | None
    """None where the shares follow from what was earned."""
    sites: tuple[str, ...] = ()
    """Where it is released, if not here alone."""


def enough(loop: Any, world: Any) -> None:
    loop.canary(2, FEWEST)


def failing(loop: Any, world: Any) -> None:
    loop.answered(2, world.asked_rows(20), alias="challenger", error="model.failed")


def loaded(loop: Any, world: Any) -> None:
    table = loop.table()
    told = {"type": "endpoint.loaded", "at": loop.clock.now, "model": "delay"}
    event = {**told, "routing": table.version, "variants": []}
    (loop.site.serving / "events").mkdir(exist_ok=True)
    (loop.site.serving / "events" / f"{loop.clock.now}-1-1.json").write_text(json.dumps(event))


def soaked(loop: Any, world: Any) -> None:
    loop.canary(2, FEWEST)
    loop.clock.pass_seconds(3600)


def earned(loop: Any, world: Any) -> None:
    number, chance = loop.table().version, np.random.default_rng(1)
    ours = loop.canary(2, 900, routing=number)
    theirs = loop.answered(1, world.asked_rows(900), routing=number)
    for answered, mean in ((ours, 4.0), (theirs, 3.0)):
        revenue = pl.Series(chance.exponential(mean, answered.height))
        when = pl.lit(world.MONDAY)
        known = answered.with_columns(label=pl.lit(1), labelled_at=when, revenue=revenue)
        add_labels(loop.site, "delay", known)
    loop.clock.pass_seconds(DAY)


def told(loop: Any, world: Any) -> None:
    earned(loop, world)
    loop.turn()


def ordered(loop: Any, world: Any) -> None:
    """A person's word stands, and the table that follows was not written."""
    kept = (loop.site.serving / "routing.json").read_bytes()
    orders.promote(loop.site, orders.plan_promotion(loop.site, "delay"))
    (loop.site.serving / "routing.json").write_bytes(kept)


def shadowed(loop: Any, world: Any) -> None:
    loop.shadowed(2, FEWEST)
    loop.clock.pass_seconds(3600)


def failing_shadow(loop: Any, world: Any) -> None:
    loop.shadowed(2, 60, failed=20)


SHADOW = "release: {shadow: {share: 50, hours: 1, then: canary}}\n"
AB = f"release: {{{TRIAL}, ab_test: {{metric: revenue, early: true, then: winner}}}}\n"
BANDIT = f"release: {{{TRIAL}, bandit: {{metric: revenue}}}}\n"
TWO = ("local", "far")
PLACES = "".join(f"  {name}: {{store: {{at: 'file:///nowhere/{name}'}}}}\n" for name in TWO)
CANARIES = f"sites:\n{PLACES}release: {{by_region: true, steps: [10, 100]}}\n"
WHOLE = CANARIES.replace("[10, 100]", "[100]")
TRIALS = f"sites:\n{PLACES}{AB.replace('release: {', 'release: {by_region: true, ')}"
BANDITS = f"sites:\n{PLACES}{BANDIT.replace('release: {', 'release: {by_region: true, ')}"
SITUATIONS = {
    "a step upwards": Situation("", "canary", enough, {1: 95, 2: 5}, {1: 75, 2: 25}),
    "a rollback": Situation("", "canary", failing, {1: 95, 2: 5}, {1: 100}),
    "a person's word": Situation("", "canary", ordered, {1: 95, 2: 5}, {1: 75, 2: 25}),
    "a switch": Situation("", "blue-green", loaded, {1: 100, 2: 0}, {1: 0, 2: 100}),
    "a shadow's end": Situation(SHADOW, "shadow", shadowed, {1: 100, 2: 0}, {1: 95, 2: 5}),
    "a shadow's failure": Situation(SHADOW, "shadow", failing_shadow, {1: 100, 2: 0}, {1: 100}),
    "the last site": Situation("", "rolling", soaked, {1: 0, 2: 100}, {2: 100}),
    "a result": Situation(AB, "ab-test", earned, {1: 50, 2: 50}, {1: 50, 2: 50}),
    "a winner": Situation(AB, "ab-test", told, {1: 50, 2: 50}, {2: 100}),
    "new shares": Situation(BANDIT, "bandit", earned, {1: 50, 2: 50}, None),
    "a region's step": Situation(CANARIES, "canary", enough, {1: 90, 2: 10}, {1: 0, 2: 100}, TWO),
    "a region's failure": Situation(CANARIES, "canary", failing, {1: 90, 2: 10}, {1: 100}, TWO),
    "the next region": Situation(WHOLE, "canary", soaked, {1: 0, 2: 100}, {1: 0, 2: 100}, TWO),
    "a region's winner": Situation(TRIALS, "ab-test", told, {1: 50, 2: 50}, {1: 0, 2: 100}, TWO),
    "a region's shares": Situation(BANDITS, "bandit", earned, {1: 50, 2: 50}, None, TWO),
}


def stands(folder: Path, clock: Any) -> dict[str, Any]:
    """All that a turn can change of a release, but for how often it was tried."""
    with open_site(folder, clock) as site:
        rows = [json.loads(line) for _, line in site.ledger.lines()]
        kinds = ("release.", "alias.", "model.")
        facts = [(one["type"], said(site, one)) for one in rows if one["type"].startswith(kinds)]
        return {
            "facts": facts,
            "releases": [one.as_json() for one in releases_of(site.state, "delay")],
            "aliases": aliases_of(site.state, "delay"),
            "table": table_of(site).as_json()["variants"],
            "shadow": table_of(site).shadow,
        }


def said(site: Any, fact: dict[str, Any]) -> dict[str, Any]:
    """A fact's body with what it names: an attachment's name differs each time."""
    body: dict[str, Any] = fact["body"]
    return body | {"reason": site.attachments.get(body["reason"])} if body.get("reason") else body


def table_of(site: Any) -> Any:
    return read_routing((site.serving / "routing.json").read_bytes(), site.signer.public)


def shares(folder: Path, clock: Any) -> dict[int, float]:
    with open_site(folder, clock) as site:
        return {one.version: one.weight for one in table_of(site).variants}


def shadow_at(folder: Path, clock: Any) -> Shadow | None:
    with open_site(folder, clock) as site:
        found: Shadow | None = table_of(site).shadow
        return found


@pytest.fixture(params=SITUATIONS)
def scene(request: Any, loop_of: Any, world: Any, tmp_path: Path) -> Iterator[Any]:
    """The situation, the folder before the turn, its clock, and what a whole turn makes of it."""
    one = SITUATIONS[request.param]
    loop = loop_of(one.more)
    release(loop.site, plan_release(loop.site, "delay@2", one.strategy, one.sites))
    one.prepare(loop, world)
    loop.clock.pass_seconds()
    loop.site.close()
    folder, whole = loop.site.project.root, tmp_path / "whole"
    shutil.copytree(folder, whole)
    assert shares(folder, loop.clock) == one.before
    assert shadow_at(folder, loop.clock) == (Shadow(2, 50) if one.strategy == "shadow" else None)
    with open_site(whole, loop.clock) as site:
        advance(site, "delay")
    after = shares(whole, loop.clock)
    if one.after is None:
        assert after != one.before
    else:
        assert after == one.after
    yield one, folder, loop.clock, stands(whole, loop.clock)


def goes_on_exactly(folder: Path, clock: Any, whole: dict[str, Any]) -> None:
    decided = stands(folder, clock)["facts"] == whole["facts"]
    with open_site(folder, clock) as site:
        publish(site, "delay")
        # Where the decision stands, another turn may already take the next one.
        if not decided:
            advance(site, "delay")
    assert stands(folder, clock) == whole


def test_killed_between_deciding_and_applying(crash: ModuleType, scene: Any) -> None:
    one, folder, clock, whole = scene
    dies = "observations" if one.prepare is ordered else "publish"
    ended = crash.run_until_killed(OPENS, [folder, str(clock.now), dies], seed=0, lines=1 << 40)
    assert ended.killed and ended.acknowledged == ("opened",)
    applied = one.after if one.prepare is ordered else one.before
    assert shares(folder, clock) == applied, "traffic is as it was"
    assert shadow_at(folder, clock) == (Shadow(2, 50) if one.strategy == "shadow" else None)
    goes_on_exactly(folder, clock, whole)


def killed_anywhere(crash: ModuleType, scene: Any, seed: int) -> None:
    one, folder, clock, whole = scene
    arguments = [folder, str(clock.now), ""]
    ended = crash.run_until_killed(OPENS, arguments, seed=seed, lines=LINES)
    left = shares(folder, clock)
    after = {each["version"]: each["weight"] for each in whole["table"]}
    assert left in (one.before, after)
    # A shadow's rollback and its going on both leave the table without one.
    assert (shadow_at(folder, clock) is not None) == (one.strategy == "shadow" and left != after)
    if ended.killed:
        goes_on_exactly(folder, clock, whole)
    else:
        assert stands(folder, clock) == whole


def test_killed_anywhere(crash: ModuleType, scene: Any) -> None:
    killed_anywhere(crash, scene, seed=len(scene[0].more))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 112))
def test_killed_anywhere_often(crash: ModuleType, scene: Any, seed: int) -> None:
    killed_anywhere(crash, scene, seed)
