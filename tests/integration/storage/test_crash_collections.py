"""kill -9 in the middle of a collection: what must stay is whole, and the next one ends it."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from freehold.app.audit.verify import audit
from freehold.app.history.facts import facts_of
from freehold.domain.artifact import object_key

COLLECT = """
import sys
from pathlib import Path
from freehold.app.site.opening import open_site
from freehold.app.storage.gc import collect
from freehold.app.storage.survey import survey

now = int(sys.argv[2])
with open_site(Path(sys.argv[1]), lambda: now) as site:
    remove = site.objects.delete

    def told(key):
        remove(key)
        acknowledge(key)

    object.__setattr__(site.objects, "delete", told)
    collect(site, survey(site))
"""
ROUNDS = 40


def digests(finished: Any) -> set[str]:
    return {o.digest for step in finished.outcome.steps.values() for o in step.outputs}


def prepared(place: Any) -> tuple[set[str], int]:
    """A site at whose next look nearly everything goes. What stays, and how much goes."""
    with place.open() as site:
        for rows in range(ROUNDS):
            place.run(site, rows)
        place.pass_days(31)
        stays = digests(place.run(site, ROUNDS + 1)) | place.metered(site)
        all_of_it = len(list(site.objects.keys("artifacts/")))
        place.collect(site)
        place.pass_days(1.1)
    return stays, all_of_it - len(stays)


def check(place: Any, stays: set[str], goes: int) -> None:
    with place.open() as site:
        assert all(site.artifacts.holds(digest) for digest in stays)
        place.collect(site)
        left = set(site.objects.keys("artifacts/"))
        assert left == {object_key(one) for one in stays | place.metered(site)}
        told = sum(fact.body["objects"] for fact in facts_of(site, "storage.collected"))
        assert told == goes, "each removed object is told of, once"
        assert audit(site).history.holds
        assert all(step.cached for step in place.run(site, ROUNDS + 1).outcome.steps.values())


def kill_by_parent(place: Any, crash: ModuleType, seed: int) -> None:
    stays, goes = prepared(place)
    arguments: list[str | Path] = [place.folder, str(place.now)]
    outcome = crash.run_until_killed_by_parent(COLLECT, arguments, seed=seed, acknowledgements=goes)
    with place.open() as site:
        gone = [key for key in outcome.acknowledged if site.objects.size(key) is None]
        assert gone == list(outcome.acknowledged)
    check(place, stays, goes)


def kill_between_lines(place: Any, crash: ModuleType, seed: int, lines: int, before: int) -> None:
    """`before`: objects that went earlier."""
    stays, goes = prepared(place)
    arguments: list[str | Path] = [place.folder, str(place.now)]
    crash.run_until_killed(COLLECT, arguments, seed=seed, lines=lines)
    check(place, stays, before + goes)


@pytest.mark.parametrize("seed", range(6))
def test_killed_after_a_removal(place: Any, crash: ModuleType, seed: int) -> None:
    kill_by_parent(place, crash, seed)


@pytest.mark.parametrize("seed", range(3))
def test_killed_between_two_lines(place: Any, crash: ModuleType, seed: int) -> None:
    stays, goes = prepared(place)
    lines = crash.count_lines(COLLECT, [place.folder, str(place.now)])
    check(place, stays, goes)
    place.pass_days(40)
    kill_between_lines(place, crash, seed, lines, before=goes)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6, 100))
def test_killed_after_many_a_removal(place: Any, crash: ModuleType, seed: int) -> None:
    kill_by_parent(place, crash, seed)
