"""Bytes in a store that are not what they were: nothing of them is believed, and a good copy, or
whoever holds the log, puts them right."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SITES = ("onprem", "aws", "azure")


def begun(world: Any) -> str:
    """Everybody has everything, in many segments. Returns the log that will be damaged."""
    for number in range(4):
        world.write("onprem", *(f"first-{number}-{part}" for part in range(1 + number)))
        world.sync("onprem")
    world.settle()
    return str(world.writer("onprem"))


def news(world: Any) -> None:
    """Of which nobody else has heard yet."""
    for number in range(3):
        world.write("onprem", f"news-{number}-0", f"news-{number}-1")
        world.sync("onprem")


def segments(world: Any, store: str, writer: str) -> list[Path]:
    return sorted(world.store(store).glob(f"logs/{writer}/segments/*"))


def damages(data: bytes, chosen: random.Random) -> Iterator[bytes]:
    at = chosen.randrange(len(data))
    yield data[:at] + bytes([data[at] ^ (1 << chosen.randrange(8))]) + data[at + 1 :]
    yield data[:at]
    yield data + chosen.randbytes(1 + chosen.randrange(9))
    yield chosen.randbytes(len(data))
    yield b""


def only(world: Any, site: str, store: str) -> None:
    world.cut(site, *(name for name in SITES if name != store))


@pytest.mark.parametrize("seed", range(2))
def test_a_corrupt_segment_and_a_good_copy_elsewhere(world: Any, seed: int) -> None:
    writer, chosen = begun(world), random.Random(seed)
    news(world)
    for segment in segments(world, "azure", writer):
        segment.write_bytes(chosen.choice(list(damages(segment.read_bytes(), chosen))))
    told = world.sync("azure")
    assert {(one.store, one.kind) for one in told.faults} == {("azure", "segment.corrupt")}
    assert world.names("azure") == world.names("onprem")
    world.sync("onprem", verify=True)
    world.settle()
    world.check()
    only(world, "aws", "azure")
    assert world.sync("aws", verify=True).faults == []


@pytest.mark.parametrize(
    "seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 40))]
)
def test_no_good_copy_until_its_writer_verifies(world: Any, seed: int) -> None:
    writer, chosen = begun(world), random.Random(seed)
    before = world.names("azure")
    news(world)
    damaged = chosen.choice([path.name for path in segments(world, "onprem", writer)])
    for store in SITES:
        for kind, segment in enumerate(segments(world, store, writer)):
            if segment.name >= damaged:
                chosen.seed(f"{seed} {kind}")
                segment.write_bytes(chosen.choice(list(damages(segment.read_bytes(), chosen))))
    told = world.sync("azure")
    assert {one.kind for one in told.faults} >= {"segment.corrupt", "segment.missing"}
    assert set(before) <= set(world.names("azure")) < set(world.names("onprem"))
    world.verify("azure")
    healed = world.sync("onprem", verify=True)
    assert {one.kind for one in healed.faults} == {"segment.corrupt"}
    assert world.sync("onprem", verify=True).faults == []
    assert world.sync("azure").faults == []
    world.settle()
    world.check()


def test_a_segment_that_is_gone_is_put_again(world: Any) -> None:
    writer = begun(world)
    news(world)
    for store in SITES:
        segments(world, store, writer)[-2].unlink()
    told = world.sync("azure")
    assert {one.kind for one in told.faults} == {"segment.missing"}
    world.verify("azure")
    world.sync("onprem")
    assert world.sync("azure").faults == []
    world.settle()
    world.check()


def test_a_store_that_lost_everything_is_filled_by_any_site(world: Any) -> None:
    """Also with logs that nobody writes any more."""
    begun(world)
    backup = world.back_up("onprem")
    world.write("onprem", "then")
    world.settle()
    world.restore("onprem", backup)
    world.settle()
    for store in SITES:
        shutil.rmtree(world.store(store))
        world.store(store).mkdir()
    world.sync("aws")
    shutil.rmtree(world.state("azure"))
    world.begin()
    world.write("azure", "by-a-new-machine")
    world.sync("azure")
    assert set(world.names("azure")) == world.acknowledged
    world.settle()
    world.check()


def test_every_object_of_a_store_is_damaged_in_some_way(world: Any) -> None:
    begun(world)
    news(world)
    chosen = random.Random(11)
    for path in sorted(world.store("aws").glob("logs/**/*")):
        if path.is_file():
            path.write_bytes(chosen.choice(list(damages(path.read_bytes(), chosen))))
    only(world, "azure", "aws")
    before = world.names("azure")
    told = world.sync("azure")
    assert told.faults or told.strangers
    assert world.names("azure") == before
    world.verify("azure")
    world.sync("onprem", verify=True)
    world.mend()
    world.settle(verify=True)
    world.check()
    assert world.sync("azure", verify=True).faults == []


def test_another_log_s_segment_under_this_log_s_name(world: Any) -> None:
    writer = begun(world)
    other = world.writer("aws")
    news(world)
    for store in SITES:
        for own in segments(world, store, writer)[-2:]:
            stranger = segments(world, store, other)[0]
            digest = stranger.name.split("-")[2]
            own.with_name("-".join([*own.name.split("-")[:2], digest])).write_bytes(
                stranger.read_bytes()
            )
            own.unlink()
    told = world.sync("azure")
    assert {one.kind for one in told.faults} & {"segment.corrupt", "entry.wrong"}
    world.verify("azure")
    world.sync("onprem", verify=True)
    world.settle()
    world.check()


def test_a_log_that_a_stranger_signed_is_not_believed(world: Any, make_world: Any) -> None:
    """Somebody with access to a store leaves a log of their own there: under a name of its own, and
    over the log of a site, key and all."""
    writer, attacker = begun(world), make_world()
    attacker.write("onprem", *(f"never-written-{number}" for number in range(40)))
    attacker.sync("onprem")
    theirs = attacker.writer("onprem")
    forged = attacker.store("onprem") / "logs" / theirs
    world.write("onprem", "really-written")
    world.sync("onprem")
    for store in SITES:
        logs = world.store(store) / "logs"
        shutil.copytree(forged, logs / theirs)
        shutil.copytree(forged, logs / writer, dirs_exist_ok=True)
    told = world.sync("azure")
    assert [one.writer for one in told.strangers] == [theirs]
    assert {one.kind for one in told.faults} >= {"head.corrupt"}
    assert world.names("azure") == world.names("onprem")
    world.settle(verify=True)
    world.check()
