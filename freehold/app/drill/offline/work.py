"""What a site must be able to do alone: train, judge, approve, release, answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import polars as pl

from freehold.app.loop.proposals import approve
from freehold.app.model.naming import resolve
from freehold.app.model.scoring import PackagedModel
from freehold.app.release.orders import roll_back
from freehold.app.release.release import plan_release, release
from freehold.app.run.plan import PlannedRun, plan_run
from freehold.app.run.run import FinishedRun, run
from freehold.app.run.runs import parameters_of
from freehold.app.site.opening import Site
from freehold.app.traffic.client import EndpointClient
from freehold.catalog.versions import ModelVersion
from freehold.delivery.releases import aliases_of, running_release
from freehold.domain.artifact import Artifact
from freehold.domain.candidate import Candidate
from freehold.domain.errors import Failed
from freehold.domain.fact import Draft
from freehold.domain.release import Release
from freehold.monitoring.proposals import Proposal, made, proposals_of, settle

ROWS = 20
"""Rows that are asked of an endpoint at a time."""
EXACT = 1e-6
"""Largest difference between an endpoint's score and the package's own."""


@dataclass(frozen=True)
class Worked:
    run: str
    snapshots: dict[str, str]
    """Step that read data → `local` if what it had read before was there by digest, else `read`."""
    computed: int
    """Steps that were computed now."""
    version: ModelVersion
    proposal: str
    """Empty for a first model, which nobody has to propose."""
    release: Release
    rows: pl.DataFrame
    """Of the evaluation table, to be asked of the endpoint."""

    def as_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "snapshots": self.snapshots,
            "computed": self.computed,
            "version": self.version.version,
            "package": self.version.package,
            "headline": dict(self.version.headline),
            "allowed": self.version.allowed,
            "approved": self.proposal,
            "release": self.release.id,
            "strategy": self.release.strategy,
        }


def work(site: Site, model: str, values: Mapping[str, Any]) -> Worked:
    """From the data that is here to a version in all of this site's traffic.

    Steps that read data take what they read before, by its digest, if it is here; every step after
    them is computed anew. The release is immediate: a canary waits for traffic, not for sites.
    Raises what the verbs raise, PolicyDenied among them.
    """
    proposal = _proposed(site, model)
    cause = (proposal.approval,) if proposal else ()
    planned = _planned(site, model, values, cause)
    finished = run(site, planned)
    version = finished.version
    if version is None:
        raise Failed(
            f"pipeline '{planned.plan.pipeline}' made no version of {model}",
            why="it returned no Candidate",
            hint="let it return one: only that becomes a version",
            code="drill.failed",
        )
    beside: tuple[Draft, ...] = ()
    if proposal is not None:
        beside = (settle(proposal, "done", proposal.day, made_version=version.version),)
    plan = plan_release(site, version.name, "immediate", despite_freeze=True)
    begun = release(site, plan, cause=(version.registered,), beside=beside)
    return Worked(
        run=finished.outcome.run,
        snapshots=_snapshots(planned, finished),
        computed=sum(1 for one in finished.outcome.steps.values() if not one.cached),
        version=plan.version,
        proposal=proposal.name if proposal else "",
        release=begun,
        rows=_rows(site, finished),
    )


def take_snapshots(site: Site, model: str, values: Mapping[str, Any]) -> str:
    """Run the steps that read data, and no other, so that what they read is at this site. Nothing
    is read again where it is there already. Returns the run."""
    planned = _planned(site, model, values, ())
    nodes = tuple(node for node in planned.graph.nodes if not any(node.references()))
    reading = replace(planned.graph, nodes=nodes, result=None)
    return run(site, replace(planned, graph=reading)).outcome.run


def end_canary(site: Site, model: str) -> None:
    """Of production, in the twin: one release of a model runs at a time."""
    if running_release(site.state, model, site.name) is not None:
        roll_back(site, model)


def _proposed(site: Site, model: str) -> Proposal | None:
    """To retrain the champion: made by the drill, approved as a person approves it."""
    champion = aliases_of(site.state, model).get("champion")
    if champion is None:
        return None
    day = datetime.fromtimestamp(site.clock() / 1e6, UTC).date().isoformat()
    name = f"{model}/{day}-{site.name}"
    if not any(one.name == name for one in proposals_of(site.state, model)):
        site.ledger.append([made(Proposal(name, model, champion, day, ()))])
    return approve(site, name)


def _planned(
    site: Site, model: str, values: Mapping[str, Any], cause: tuple[str, ...]
) -> PlannedRun:
    """With the parameters of the pipeline's latest finished run, but for those that are given."""
    pipeline = site.project.spec.models[model].pipeline
    rows = [row for _, row in site.state.scan("runs") if row["pipeline"] == pipeline]
    done = sorted((r for r in rows if r["status"] == "finished"), key=lambda r: str(r["started"]))
    before = parameters_of(site, done[-1]) if done else {}
    planned = plan_run(site, pipeline, {**before, **values}, cause=cause)
    nodes = tuple(
        replace(node, step=replace(node.step, cache=False)) if any(node.references()) else node
        for node in planned.graph.nodes
    )
    return replace(planned, graph=replace(planned.graph, nodes=nodes))


def _snapshots(planned: PlannedRun, finished: FinishedRun) -> dict[str, str]:
    return {
        node.name: "local" if finished.outcome.steps[node.name].cached else "read"
        for node in planned.graph.nodes
        if not any(node.references())
    }


def _rows(site: Site, finished: FinishedRun) -> pl.DataFrame:
    candidate = finished.outcome.result
    assert isinstance(candidate, Candidate), "it became a version"
    assert isinstance(candidate.evaluation, Artifact), "it was measured"
    return pl.read_parquet(BytesIO(site.artifacts.get(candidate.evaluation.digest))).head(ROWS)


def blank_rows(packaged: PackagedModel) -> pl.DataFrame:
    """For a version whose data is not known here: zero, and each category's first value."""
    return pl.DataFrame(
        {
            column.name: [column.values[0] if column.values else None] * ROWS
            if column.kind == "category"
            else [0.0] * ROWS
            for column in packaged.columns.columns
        }
    )


def ask(
    site: Site, client: EndpointClient, model: str, rows: pl.DataFrame | None
) -> dict[str, Any]:
    """Let the endpoint score rows, and hold its answers against the package of the version that it
    says they are of. Raises Failed `drill.failed`, and what the endpoint answers."""
    served = client.routing()["variants"]
    packaged = PackagedModel(site, resolve(site, f"{model}@{served[0]['version']}"))
    table = blank_rows(packaged) if rows is None else rows
    wanted = {name: kind for name, kind in client.inputs(model).items() if name != "id"}
    tensors = [
        _tensor(name, kind, table[name]) for name, kind in wanted.items() if name in table.columns
    ]
    answer = client.infer(model, tensors, {"missing": "null"})
    scores = next(one["data"] for one in answer["outputs"] if one["name"] == "score")
    version = int(answer.get("model_version", 0))
    expected = PackagedModel(site, resolve(site, f"{model}@{version}")).scores(table)
    off = max(abs(float(a) - float(b)) for a, b in zip(scores, expected, strict=True))
    if off > EXACT:
        raise Failed(
            f"the endpoint's answers are not those of {model}@{version}",
            why=f"a score differs by {off:.3g} from what the package gives",
            hint="look at the endpoint's log; release nothing until this is understood",
            code="drill.failed",
        )
    return {"version": version, "rows": len(scores)}


def _tensor(name: str, datatype: str, values: pl.Series) -> dict[str, Any]:
    data = values.cast(pl.String if datatype == "BYTES" else pl.Float64).to_list()
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": data}
