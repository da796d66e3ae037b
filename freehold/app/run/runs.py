"""`freehold runs`: the runs so far."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from freehold.app.site.opening import Site
from freehold.catalog.versions import version_of_run
from freehold.domain.errors import IntegrityError, NotFound
from freehold.running import record
from freehold.running.execution import is_live
from freehold.running.projection import run_row, steps_of


def runs(site: Site, run: str = "") -> list[dict[str, Any]]:
    """One row a run, oldest first; of one run if it is named.

    A run that no process drives any more is `interrupted`. Raises NotFound `run.unknown`.
    """
    if run:
        return [_row(site, known_run(site, run))]
    rows = sorted((row for _, row in site.state.scan("runs")), key=lambda row: row["started"])
    return [_row(site, row) for row in rows]


def known_run(site: Site, run: str) -> dict[str, Any]:
    """A run's row. Raises NotFound `run.unknown`."""
    try:
        return run_row(site.state, run)
    except NotFound as error:
        newest = sorted(name for name, _ in site.state.scan("runs"))[-3:]
        raise NotFound(
            error.what,
            why=f"the latest are {', '.join(newest)}" if newest else "there was none yet",
            hint="`freehold runs` lists them",
            code=error.code,
        ) from None


def parameters_of(site: Site, started: Mapping[str, Any]) -> dict[str, Any]:
    """All that a run was given, by its row or the body of its run.started.

    Raises IntegrityError `run.parameters-erased`.
    """
    return record.parameters_of(started, site.attachments)


def attached_parameters(site: Site, started: Mapping[str, Any]) -> dict[str, Any] | None:
    """Those that are text, and so are not in the history; None if they were erased."""
    return record.attached_parameters(started, site.attachments)


def _row(site: Site, row: dict[str, Any]) -> dict[str, Any]:
    steps = steps_of(site.state, row["run"]).values()
    version = version_of_run(site.state, row["run"])
    ended = row["ended"]
    attached = attached_parameters(site, row)
    return {
        "run": row["run"],
        "pipeline": row["pipeline"],
        "status": standing(site, row),
        "parameters": dict(sorted({**row["parameters"], **(attached or {})}.items())),
        "parameters_erased": attached is None,
        "steps": row["steps"],
        "finished": sum(1 for step in steps if step["status"] == "finished"),
        "cached": sum(1 for step in steps if step.get("cached")),
        "seconds": None if ended is None else (ended - row["started"]) / 1e6,
        "at": datetime.fromtimestamp(row["started"] / 1e6, UTC).isoformat(timespec="seconds"),
        "by": site.people.name_of(row["actor"]),
        "version": version.name if version else None,
        "traceback": next(
            (step["attachment"] for step in steps if step["status"] == "failed"), None
        ),
    }


def standing(site: Site, row: dict[str, Any]) -> str:
    """A run's status; `interrupted` when it goes on by its facts, and no process drives it."""
    if row["status"] == "running" and not is_live(row["run"], site.locks):
        return "interrupted"
    return str(row["status"])


def traceback_of(site: Site, run: str) -> tuple[str, bool]:
    """The kept traceback of a run's failed step, or empty; and whether it was erased.

    Raises IntegrityError `attachment.altered`.
    """
    for step in steps_of(site.state, run).values():
        if step["status"] == "failed" and step["attachment"]:
            try:
                return site.attachments.get(step["attachment"]).decode(), False
            except IntegrityError as error:
                if error.code != "attachment.erased":
                    raise
                return "", True
    return "", False
