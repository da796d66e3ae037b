"""`freehold runs`: the runs so far."""

from datetime import UTC, datetime
from typing import Any

from freehold.app.site.opening import Site
from freehold.catalog.versions import version_of_run
from freehold.running.execution import is_live
from freehold.running.projection import steps_of


def runs(site: Site) -> list[dict[str, Any]]:
    """One row a run, oldest first. A run that no process drives any more is `interrupted`."""
    rows = sorted((row for _, row in site.state.scan("runs")), key=lambda row: row["started"])
    return [_row(site, row) for row in rows]


def _row(site: Site, row: dict[str, Any]) -> dict[str, Any]:
    steps = steps_of(site.state, row["run"]).values()
    version = version_of_run(site.state, row["run"])
    ended = row["ended"]
    return {
        "run": row["run"],
        "pipeline": row["pipeline"],
        "status": standing(site, row),
        "parameters": row["parameters"],
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


def traceback_of(site: Site, run: str) -> str:
    """The kept traceback of a run's failed step, or empty. Raises IntegrityError if it is gone."""
    for step in steps_of(site.state, run).values():
        if step["status"] == "failed" and step["attachment"]:
            return site.attachments.get(step["attachment"]).decode()
    return ""
