"""What sites send each other is metered as it went: bytes of a real exchange, by way and bill."""

import os
from pathlib import Path
from typing import Any

import polars as pl

from freehold.app.artifact.fetch import fetch, plan_fetch
from freehold.app.costs.meter import meter
from freehold.app.costs.rows import usage_frames
from freehold.app.site.opening import Site
from freehold.domain.fact import Draft

LARGE = 2_000_000
"""Bytes that no compression makes fewer."""


def made(site: Site) -> str:
    """A run made an artifact."""
    digest = site.artifacts.put(os.urandom(LARGE))
    output = {"digest": digest, "format": "parquet", "size": LARGE, "labels": {}}
    started = {"run": "r", "pipeline": "p", "parameters": {}, "steps": 1}
    finished = {
        "run": "r", "step": "s", "function": "m:f", "key": "k", "components": {}, "inputs": [],
        "outputs": [output], "cached": False, "microseconds": 1,
    }  # fmt: skip
    site.ledger.append([Draft("run.started", started), Draft("step.finished", finished)])
    return digest


def files(store: Path) -> dict[Path, tuple[int, int]]:
    """With size and when it was written."""
    found = {path: path.stat() for path in store.rglob("*") if path.is_file()}
    return {path: (one.st_size, one.st_mtime_ns) for path, one in found.items()}


def transfers(site: Site) -> dict[str, int]:
    """Bytes that this site metered, by way."""
    rows = usage_frames(site).filter(
        (pl.col("x_Kind") == "transfer")
        & (pl.col("Tags").str.json_path_match("$.metered") == site.name)
    )
    found = rows.group_by("SkuId", "x_Site").agg(pl.col("ConsumedQuantity").sum()).collect()
    assert all(way.startswith(f"{at} to ") for way, at, _ in found.iter_rows())
    return {way: round(gigabytes * 1e9) for way, _, gigabytes in found.iter_rows()}


def test_what_a_site_leaves_for_another_is_on_its_bill_as_the_store_has_it(world: Any) -> None:
    """onprem's own store is private: it writes into the store of who asked, who reads its own."""
    digest = world.do("onprem", made)
    world.meet()
    for name in ("onprem", "aws"):
        world.do(name, meter)
    before = {name: world.do(name, transfers) for name in ("onprem", "aws")}
    world.do("aws", lambda site: fetch(site, plan_fetch(site, digest)))
    world.sync("aws")
    lay = files(world.stores / "aws")
    world.sync("onprem")
    written = files(world.stores / "aws")
    came = {path: one[0] for path, one in written.items() if lay.get(path) != one}
    assert max(came.values()) >= LARGE
    world.do("onprem", meter)
    sent = world.do("onprem", transfers)
    # Heads of logs are not counted; all else is, to the byte of the artifact's file.
    counted = sent["onprem to aws"] - before["onprem"].get("onprem to aws", 0)
    assert max(came.values()) <= counted <= sum(came.values())
    world.sync("aws")
    assert world.do("aws", lambda site: site.artifacts.holds(digest))
    world.do("aws", meter)
    got = world.do("aws", transfers)
    assert sum(got.values()) - sum(before["aws"].values()) < LARGE
    assert "onprem to aws" not in got and "aws to aws" not in got


def test_what_a_site_reads_from_anothers_store_is_on_the_bill_of_that_place(world: Any) -> None:
    """Nobody reaches onprem's store: aws lays it into its own, from where onprem takes it."""
    digest = world.do("aws", made)
    world.meet()
    world.do("onprem", meter)
    before = world.do("onprem", transfers)
    world.do("onprem", lambda site: fetch(site, plan_fetch(site, digest)))
    for name in ("onprem", "aws"):
        world.sync(name)
    sizes = {path: size for path, (size, _) in files(world.stores).items() if size >= LARGE}
    ((path, size),) = sizes.items()
    assert path.is_relative_to(world.stores / "aws")
    world.sync("onprem")
    assert world.do("onprem", lambda site: site.artifacts.holds(digest))
    world.do("onprem", meter)
    read = world.do("onprem", transfers)["aws to onprem"] - before.get("aws to onprem", 0)
    assert size <= read < size + LARGE // 10
