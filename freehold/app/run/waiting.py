"""Runs that wait to be gone on with. One rule for `run --resume`, `status` and `runs`."""

from dataclasses import dataclass
from typing import Any

from freehold.app.run.runs import standing
from freehold.app.site.opening import Site
from freehold.catalog.versions import version_of_run


@dataclass(frozen=True)
class WaitingRun:
    row: dict[str, Any]
    """Of the table `runs`."""
    standing: str
    """`running` (a process drives it), `interrupted`, `failed`, or `unregistered`: its steps are
    through, and no version, or no verdict on it, came of them."""


def waiting_runs(site: Site) -> list[WaitingRun]:
    """The latest first. What a later finished run of its pipeline has overtaken waits no more."""
    models = {spec.pipeline for spec in site.project.spec.models.values()}
    rows = sorted(
        (row for _, row in site.state.scan("runs")), key=lambda row: row["started"], reverse=True
    )
    overtaken: set[str] = set()
    found = []
    for row in rows:
        if row["pipeline"] in overtaken:
            continue
        if row["status"] != "finished":
            found.append(WaitingRun(row, standing(site, row)))
        else:
            if row["pipeline"] in models and _is_unregistered(site, row["run"]):
                found.append(WaitingRun(row, "unregistered"))
            overtaken.add(row["pipeline"])
    return found


def _is_unregistered(site: Site, run: str) -> bool:
    version = version_of_run(site.state, run)
    return version is None or not version.judged
