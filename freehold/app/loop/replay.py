"""`freehold replay`: a recorded period as traffic: requests, then labels, then the loop, by day."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from io import BytesIO
from time import sleep
from typing import Any

import polars as pl

from freehold.app.loop.advance import Turn, advance
from freehold.app.release.serving_folder import publish
from freehold.app.run.plan import PlannedRun, plan_run
from freehold.app.run.run import run
from freehold.app.site.opening import Site
from freehold.app.traffic.client import EndpointClient
from freehold.app.traffic.labels import add_labels
from freehold.domain.artifact import Artifact
from freehold.domain.errors import Failed, Fault, NotFound, Refused, Unreachable, WrongUsage
from freehold.domain.project import ReplaySpec

DAY = timedelta(days=1)
LOADING_LOOKS, LOADING_PAUSE = 3000, 0.01
"""Looks, and seconds between two, that loading a new routing table may take."""
REFUSALS = 100
"""Looks that a refusal must last: at first it may still be of an older table."""


@dataclass(frozen=True)
class Recording:
    """Requests of a period, in the order in which they were asked."""

    spec: ReplaySpec
    model: str
    rows: pl.DataFrame

    def days(self) -> Iterator[tuple[date, pl.DataFrame]]:
        """Each day of the period, in UTC, with its requests; days without any too."""
        if self.rows.is_empty():
            return
        stamped = self.rows.with_columns(day=pl.col(self.spec.asked_at).dt.date())
        parts = {key[0]: part for key, part in stamped.partition_by("day", as_dict=True).items()}
        day, last = min(parts), max(parts)
        while day <= last:
            yield day, parts.get(day, stamped.clear()).drop("day")
            day += DAY


@dataclass(frozen=True)
class Day:
    """What happened on one day of a replay."""

    day: date
    requests: int
    labels: int
    turn: Turn


Observer = Callable[[Day], None]


def plan_replay(site: Site) -> PlannedRun:
    """The run that gives the recording. Raises WrongUsage, and what planning raises."""
    spec = site.project.spec.replay
    endpoint = site.project.spec.endpoint
    if spec is None or endpoint is None:
        raise WrongUsage(
            "this project has nothing to replay",
            why="freehold.yaml needs both `replay` and `endpoint`",
            hint="add them; the template `flights` shows how",
            code="usage.no-replay",
        )
    return plan_run(site, spec.pipeline)


def record(site: Site, planned: PlannedRun, since: date, until: date) -> Recording:
    """The project's own recording from `since` up to, not including, `until`.

    Raises Refused `replay.columns`, and what the pipeline raises.
    """
    spec, endpoint = site.project.spec.replay, site.project.spec.endpoint
    assert spec is not None and endpoint is not None, "plan_replay has refused this"
    outcome = run(site, planned).outcome
    if not isinstance(outcome.result, Artifact) or outcome.result.format != "parquet":
        raise Refused(
            f"pipeline '{spec.pipeline}' gives nothing to replay",
            why="it does not return one table",
            hint="let it return a table with a row per request",
            code="replay.no-table",
        )
    table = pl.read_parquet(BytesIO(site.artifacts.get(outcome.result.digest)))
    needed = (spec.id, spec.asked_at, spec.label, spec.labelled_at)
    faults = [
        Fault("replay.columns", f"the table has no column '{name}'")
        for name in needed
        if name not in table.columns
    ]
    if faults:
        raise Refused("the replay's table lacks columns", faults=faults, code="replay.columns")
    asked = pl.col(spec.asked_at)
    start, end = (datetime.combine(day, time(), UTC) for day in (since, until))
    rows = table.filter((asked >= start) & (asked < end)).sort(spec.asked_at)
    return Recording(spec, endpoint.model, rows)


def replay(
    site: Site,
    recording: Recording,
    client: EndpointClient,
    observer: Observer,
    tell: Callable[[str], None] = lambda _: None,
) -> int:
    """Play it; returns the rows that were asked. A label arrives on the day it became known."""
    spec, model = recording.spec, recording.model
    unknown = recording.rows.clear().select(_label_columns(spec))
    asked = 0
    for day, rows in recording.days():
        await_routing(site, client, model)
        asked += _ask(client, model, spec, rows)
        client.flush()
        unknown = pl.concat([unknown, rows.select(_label_columns(spec)).drop_nulls()])
        is_known = pl.col("labelled_at") < datetime.combine(day + DAY, time(), UTC)
        labels = add_labels(site, model, unknown.filter(is_known))
        unknown = unknown.filter(~is_known)
        observer(Day(day, rows.height, labels, advance(site, model, tell, wait=True)))
    return asked


def await_routing(site: Site, client: EndpointClient, model: str) -> None:
    """Until the endpoint has loaded what is released. Raises Failed with why it refuses it."""
    table = publish(site, model)
    if table is None:
        raise NotFound(
            f"no version of {model} is released",
            why="an endpoint answers with what releases put into traffic",
            hint=f"`freehold release {model}@1` makes a champion",
            code="release.none",
        )
    refusals = 0
    for _ in range(LOADING_LOOKS):
        served = client.routing()
        if served["version"] >= table.version:
            return
        refusals += bool(served["refused"])
        if refusals >= REFUSALS:
            refused = served["refused"]
            raise Failed(
                f"the endpoint refuses {model}'s routing table {table.version}",
                why=f"{refused['error']}; {refused['because']}",
                hint="release another version, or start the endpoint again",
                code=refused["code"],
            )
        sleep(LOADING_PAUSE)
    raise Unreachable(
        f"the endpoint has not loaded routing table {table.version}",
        why=f"it still serves another after {LOADING_LOOKS * LOADING_PAUSE:.0f} seconds",
        hint="look at what `freehold serve` printed",
        code="endpoint.not-loaded",
    )


def _ask(client: EndpointClient, model: str, spec: ReplaySpec, rows: pl.DataFrame) -> int:
    """One request for all rows that were asked at the same time."""
    wanted = {name: kind for name, kind in client.inputs(model).items() if name != "id"}
    timed = rows.with_columns(_asked_us=pl.col(spec.asked_at).dt.epoch("us"))
    for (asked_at,), part in timed.group_by("_asked_us", maintain_order=True):
        tensors = [_tensor("id", "BYTES", part[spec.id])]
        tensors += [
            _tensor(name, kind, part[name]) for name, kind in wanted.items() if name in part.columns
        ]
        client.infer(model, tensors, {"missing": "null", "asked_at": asked_at})
    return rows.height


def _tensor(name: str, datatype: str, values: pl.Series) -> dict[str, Any]:
    data = values.cast(pl.String if datatype == "BYTES" else pl.Float64).to_list()
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": data}


def _label_columns(spec: ReplaySpec) -> list[pl.Expr]:
    return [
        pl.col(spec.id).cast(pl.String).alias("prediction_id"),
        pl.col(spec.label).alias("label"),
        pl.col(spec.labelled_at).alias("labelled_at"),
    ]
