"""The store in which all meet honours no condition at all: what is to be created is overwritten.

rclone serves it. It takes If-None-Match and If-Match, answers 200 and puts, as some real ones do.
"""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from servers.s3 import RcloneServer

from freehold.adapters.obstore.s3 import S3ObjectStore
from freehold.app.conflict.conflicts import conflicts
from freehold.app.site.abilities import probe
from freehold.app.site.opening import Site
from freehold.domain.fact import Draft
from freehold.ports.object_store import StoreSettings

SITES = ("onprem", "aws", "azure")


@pytest.fixture
def settings(rclone: RcloneServer) -> StoreSettings:
    return rclone.bucket("freehold")


@pytest.fixture
def world(meeting_in: Callable[..., Any], settings: StoreSettings) -> Any:
    return meeting_in(settings)


def test_it_honours_none(settings: StoreSettings) -> None:
    """Else nothing here would show anything."""
    found = probe(S3ObjectStore.open(settings))
    conditions = [one for one in found.abilities if one.name in ("create-once", "compare-and-set")]
    assert [one.state for one in conditions] == ["ignored", "ignored"]


def test_sites_that_meet_at_the_same_time_come_to_one_history(world: Any) -> None:
    """All three publish, list and merge at once, again and again, into the one store."""
    chance = random.Random(7)
    for turn in range(6):
        for site in SITES:
            names = [f"{site}-{turn}-{n}" for n in range(chance.randint(1, 4))]
            world.write(site, *names, alias=f"alias-{turn}")
        with ThreadPoolExecutor(len(SITES)) as pool:
            told = list(pool.map(world.sync, SITES))
        assert [(one.unreachable, one.faults) for one in told] == [({}, [])] * 3
    world.settle()
    world.check()
    found = []
    for site in SITES:
        with world.opened(site) as opened:
            found.append([one.as_json() for one in conflicts(opened)])
    assert found[0] and found[1:] == found[:1] * 2, "they quarrelled, and all show the same"


def test_a_log_that_was_published_twice_is_one(world: Any) -> None:
    """Who opened one state twice puts the same segments and heads over each other."""
    for turn in range(4):
        world.write("aws", *(f"aws-{turn}-{n}" for n in range(3)))
        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(world.sync, ("aws", "aws")))
        assert [one.faults for one in told] == [[], []]
    world.settle()
    world.check()


def registered(site: Site, model: str, files: int) -> set[str]:
    """A champion with so many small files beside its package. Returns the digests of all."""
    package = site.artifacts.put(f"package of {model}".encode())
    beside = {f"{n}.md": site.artifacts.put(f"{model} {n}".encode()) for n in range(files)}
    about = {"run": f"run-of-{model}", "pipeline": "p"}
    version = {
        "model": model,
        "version": 1,
        "run": about["run"],
        "package": {"digest": package, "size": 20},
        "attestations": beside,
        "headline": {},
        "champion": None,
        "rows": {"training": 1, "evaluation": 1},
    }
    step = {
        "run": about["run"],
        "step": "s",
        "function": "m:f",
        "key": "k",
        "components": {},
        "inputs": [],
        "outputs": [],
        "cached": False,
        "microseconds": 1,
    }
    moved = {"model": model, "alias": "champion", "version": 1, "previous": None, "release": ""}
    site.ledger.append(
        [
            Draft("run.started", {**about, "parameters": {}, "steps": 1}),
            Draft("step.finished", step),
            Draft("model.registered", version),
            Draft("alias.moved", {**moved, "id": model}),
        ]
    )
    return {package, *beside.values()}


def test_artifacts_come_whole_to_whoever_needs_them(world: Any, settings: StoreSettings) -> None:
    """Small ones in packs; each site sends its own while the others send theirs."""
    made: dict[str, set[str]] = {}
    for site in SITES:
        with world.opened(site) as opened:
            made[site] = registered(opened, f"model-of-{site}", 40)
        world.acknowledged.add(f"model-of-{site}")
    for _ in range(4):
        with ThreadPoolExecutor(len(SITES)) as pool:
            told = list(pool.map(world.sync, SITES))
        assert [(one.unreachable, one.faults) for one in told] == [({}, [])] * 3
    assert [one.copied.missing for one in told] == [[]] * 3
    assert list(S3ObjectStore.open(settings).keys("packs/")), "they went by packs"
    for site in SITES:
        with world.opened(site) as opened:
            assert [d for ds in made.values() for d in ds if not opened.artifacts.holds(d)] == []
    world.settle()
    world.check()
