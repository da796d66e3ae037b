"""What the endpoint's replicas had to do, from the request log and the replicas' beats."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl
from prometheus_client.parser import text_string_to_metric_families

from freehold.app.costs.accelerators import AcceleratorMetrics
from freehold.app.costs.replicas import ReplicaTime, replicas
from freehold.app.loop.status import own_endpoint
from freehold.app.site.opening import Site
from freehold.app.traffic.client import EndpointClient
from freehold.app.traffic.requests import collect, logged
from freehold.domain.errors import Failed, Unreachable
from freehold.serving.left_out import LeftOut
from freehold.serving.scaling import Sample
from freehold.serving.traffic_forecast import MOST
from freehold.serving.use import Answered, sample_of

MINUTE = 60_000_000
HOUR = 60 * MINUTE
"""Microseconds."""
WINDOW = 15
"""Minutes that are looked at for a decision."""
ENOUGH = 1000
"""Requests, the latest, whose mean is the time that one takes."""
ALIVE = 90_000_000
"""Microseconds after a beat for which a replica that did not end is taken to be there."""
COLUMNS = ("model", "request_id", "version", "at", "latency_us", "reference_latency_us")


@dataclass(frozen=True)
class Load:
    until: int
    """The end of the last minute that is looked at, microseconds since 1970 UTC."""
    live: bool
    """Whether a replica is there now; else `until` is the end of the last traffic."""
    samples: tuple[Sample, ...]
    """By minute; one in which no replica is known to have been there is lacking."""
    rates: tuple[float, ...]
    """Requests a second, of all replicas, for each sample."""
    hours: Mapping[int, float]
    """Hour since 1970 UTC → requests."""
    seconds: float
    """That a request takes a replica."""
    scoring: float
    """Of them, those of scoring, by the log; the others are known only of an endpoint that is there
    now."""
    accelerators: bool = False
    """Whether the samples' use is that of accelerators, which were asked for; else it is that of a
    processor."""


def read_load(
    site: Site, model: str, accelerators: AcceleratorMetrics | None = None
) -> Load | None:
    """None where nothing was asked in eight weeks. Records the log's new files.

    Raises IntegrityError for a file of the log that is not what was recorded; Unreachable and
    Failed where `accelerators` is given and does not tell.
    """
    collect(site, model)
    now = site.clock()
    minutes = _minutes(site, model, now - MOST * HOUR)
    if not minutes:
        return None
    scoring = _each(minutes)
    taken = max(scoring, answering(own_metrics(site)) or 0.0)
    minutes = {minute: told.with_each(taken - scoring) for minute, told in minutes.items()}
    there = [one for one in replicas(site.serving) if one.model == model]
    live = any(not one.ended and now - one.beat <= ALIVE for one in there)
    last = max(minutes) + 1
    end = now // MINUTE if live else last
    seen = _seen(minutes, there, end)
    if not seen:
        # It was started in this very minute: what is known is what was asked before, or in it.
        end, seen = last, _seen(minutes, there, last)
    used = accelerators.by_minute(end - WINDOW, end) if accelerators is not None else {}
    # Of the last minute, or by the processor's alone: the two kinds of use are not compared.
    is_used = end - 1 in used
    if is_used:
        seen = list(_by_accelerators(seen, used))
    return Load(
        accelerators=is_used,
        until=end * MINUTE,
        live=live,
        samples=tuple(sample for sample, _ in seen),
        rates=tuple(rate for _, rate in seen),
        hours=_hours(minutes),
        seconds=taken,
        scoring=scoring,
    )


def own_metrics(site: Site) -> str:
    """Of this site's endpoint; empty if it does not answer."""
    url = own_endpoint(site)
    if not url:
        return ""
    client = EndpointClient(url, seconds=2.0)
    try:
        return client.metrics()
    except (Unreachable, Failed):
        return ""
    finally:
        client.close()


def answering(metrics: str) -> float | None:
    """Seconds from a request's arrival to its answer, in the mean since the endpoint began; None
    where it has answered none."""
    told = {
        sample.name: sample.value
        for family in text_string_to_metric_families(metrics)
        if family.name == "freehold_inference_seconds"
        for sample in family.samples
    }
    count = told.get("freehold_inference_seconds_count", 0.0)
    return told["freehold_inference_seconds_sum"] / count if count else None


def _seen(
    minutes: Mapping[int, Answered], there: Sequence[ReplicaTime], end: int
) -> list[tuple[Sample, float]]:
    """Of the minutes before `end` the sample and the requests a second."""
    found = []
    for minute in range(end - WINDOW, end):
        told = minutes.get(minute, Answered(0, 0.0, 0.0))
        count = _there(there, minute) or min(told.requests, 1)
        if count:
            found.append((sample_of((minute + 1) * 60.0, 60.0, count, told), told.requests / 60))
    return found


def _by_accelerators(
    seen: Sequence[tuple[Sample, float]], used: Mapping[int, float]
) -> Iterator[tuple[Sample, float]]:
    """A minute that nobody scraped is a gap."""
    for sample, rate in seen:
        minute = round(sample.at) // 60 - 1
        if minute in used:
            yield replace(sample, use=used[minute]), rate


def _minutes(site: Site, model: str, since: int) -> dict[int, Answered]:
    """By minute since 1970 UTC of the arrival. A part at a time: a log may be large."""
    parts = []
    for part in logged(site, model, answered_since=since, columns=COLUMNS):
        parts.append(_answered(part.rows.filter(pl.col("model") == model), since))
        parts.append(_left_out([one for one in part.left_out if one.model == model], since))
    if not parts:
        return {}
    summed = pl.concat(parts).group_by("minute").sum().sort("minute")
    return {
        minute: Answered(int(requests), busy, squares)
        for minute, requests, busy, squares in summed.iter_rows()
    }


def _answered(rows: pl.DataFrame, since: int) -> pl.DataFrame:
    """minute, requests, busy, squares. The rows of one request that one version answered share
    their time."""
    taken = pl.col("latency_us").fill_null(0.0) + pl.col("reference_latency_us").fill_null(0.0)
    moment = pl.col("at").dt.epoch("us")
    return (
        rows.group_by("request_id", "version")
        .agg(moment.min().alias("at"), (taken.first() / 1e6).alias("seconds"))
        .group_by("request_id")
        .agg(pl.col("at").min(), pl.col("seconds").sum())
        .filter(pl.col("at") >= since)
        .group_by((pl.col("at") // MINUTE).alias("minute"))
        .agg(
            pl.len().alias("requests"),
            pl.col("seconds").sum().alias("busy"),
            (pl.col("seconds") ** 2).sum().alias("squares"),
        )
    )


def _left_out(counts: Sequence[LeftOut], since: int) -> pl.DataFrame:
    """The same of requests that the log only counts, in the minute of the last one: they came
    within the log's window of it."""
    known = [one for one in counts if one.answered >= since and one.requests]
    return pl.DataFrame(
        {
            "minute": [one.answered // MINUTE for one in known],
            "requests": [one.requests for one in known],
            "busy": [one.seconds for one in known],
            "squares": [one.squares for one in known],
        },
        schema={
            "minute": pl.Int64,
            "requests": pl.UInt32,
            "busy": pl.Float64,
            "squares": pl.Float64,
        },
    )


def _there(told: Sequence[ReplicaTime], minute: int) -> int:
    begin, end = minute * MINUTE, (minute + 1) * MINUTE
    return sum(one.start < end and one.beat + (0 if one.ended else ALIVE) > begin for one in told)


def _hours(minutes: Mapping[int, Answered]) -> dict[int, float]:
    found: dict[int, float] = {}
    for minute, told in minutes.items():
        found[minute // 60] = found.get(minute // 60, 0.0) + told.requests
    return found


def _each(minutes: Mapping[int, Answered]) -> float:
    requests, busy = 0, 0.0
    for minute in sorted(minutes, reverse=True):
        requests, busy = requests + minutes[minute].requests, busy + minutes[minute].busy
        if requests >= ENOUGH:
            break
    return busy / requests
