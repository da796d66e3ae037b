"""What a canary, a shadow and the request log cost, each alone."""

import json
from contextlib import ExitStack
from pathlib import Path

import polars as pl

from benchmarks.outcome import Outcome
from benchmarks.serving import servers
from benchmarks.serving.place import Place
from benchmarks.serving.questions import SHAPES
from benchmarks.serving.rounds import alternated, compare, note, plural, refuse_failed, warmed
from benchmarks.serving.servers import OURS, UNLOGGED

SHARE = 10.0
"""Percent of the keys, of the canary, and at most of the shadow."""
CANARY = f"{OURS} with a canary of {SHARE:.0f} %"
SHADOW = f"{OURS} with a shadow of at most {SHARE:.0f} %"


def measure(place: Place, outcome: Outcome) -> None:
    folders = {name: place.folder(name) for name in ("alone", "canary", "shadow", "unlogged")}
    folders["alone"].route(100.0)
    folders["unlogged"].route(100.0)
    folders["canary"].route(100.0 - SHARE, SHARE)
    folders["shadow"].route(100.0, 0.0, shadow=SHARE)
    asked = (
        servers.ours(folders["alone"].path),
        servers.ours(folders["canary"].path, CANARY),
        servers.ours(folders["shadow"].path, SHADOW),
        servers.without_log(folders["unlogged"].path),
    )
    with ExitStack() as stack:
        standing = [stack.enter_context(place.standing(server)) for server in asked]
        for one in standing:
            warmed(one, place.root, place.counts.seconds)
        medians = alternated(standing, place.root, place.counts)
    refuse_failed(medians)
    note(outcome, {key: one for key, one in medians.items() if key[0] != OURS})
    for name in (CANARY, SHADOW):
        compare(outcome, medians, name, OURS, "rate", "p99", "cpu")
    compare(outcome, medians, OURS, UNLOGGED, "rate", "p99", "cpu")
    for rows, share in shadowed(folders["shadow"].path / "log").items():
        outcome.figures[f"{SHADOW}, {plural(rows)}, % of rows that it scored"] = 100 * share
    outcome.figures[f"{OURS}, % of rows that its log dropped"] = 100 * dropped(
        folders["alone"].path / "events"
    )


def shadowed(log: Path) -> dict[int, float]:
    """By rows of a request, the share of rows that the shadow scored, of those in the log."""
    found = (
        pl.scan_parquet(log / "part-*.parquet")
        .group_by("request_id")
        .agg(rows=pl.len(), scored=pl.col("shadow_version").is_not_null().sum())
        .group_by("rows")
        .agg(share=pl.col("scored").sum() / (pl.col("rows").first() * pl.len()))
        .collect()
    )
    shares = {int(rows): float(share) for rows, share in found.iter_rows()}
    return {rows: shares[rows] for rows, _ in SHAPES}


def dropped(events: Path) -> float:
    """The share of rows that found the log full, as the endpoint said when it stopped."""
    told = [json.loads(path.read_bytes()) for path in sorted(events.glob("*.json"))]
    (stopped,) = [one for one in told if one["type"] == "endpoint.stopped"]
    lost = int(stopped["dropped"])
    return lost / (int(stopped["rows"]) + lost)
