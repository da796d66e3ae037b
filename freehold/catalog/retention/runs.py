"""Which runs keep what their steps read and made."""

from typing import Any

from freehold.catalog.retention.law import DAY, Circumstances
from freehold.catalog.versions import versions_of
from freehold.domain.projection import State


def runs_of(state: State) -> list[dict[str, Any]]:
    """Rows of `runs`, the latest first. One whose beginning is not known began at 0."""
    rows = [
        {"ended": None, "fact": "", "pipeline": "", "started": 0, **row, "run": run}
        for run, row in state.scan("runs")
    ]
    return sorted(rows, key=lambda row: (row["started"], row["run"]), reverse=True)


def open_runs(state: State, asked: Circumstances) -> dict[str, int]:
    """Run → when it began, of those that a process drives or that wait to be gone on with.

    A run waits until a later one of its pipeline and writer has finished: what can be resumed by
    name after that makes again what it does not find. A run that has finished waits to be
    registered if its pipeline makes a model and no version of it was judged.
    """
    judged = {version.run for version in versions_of(state) if version.judged}
    overtaken: set[tuple[str, str]] = set()
    found = {}
    for row in runs_of(state):
        line = (row["fact"].rpartition("/")[0], row["pipeline"])
        waits = row["status"] != "finished" or (
            row["pipeline"] in asked.pipelines and row["run"] not in judged
        )
        if row["run"] in asked.driven or (waits and line not in overtaken):
            found[row["run"]] = int(row["started"])
        if row["status"] == "finished":
            overtaken.add(line)
    return found


def recent_runs(state: State, asked: Circumstances) -> set[str]:
    """Those that began or ended within `runs_days`."""
    since = asked.now - asked.settings.runs_days * DAY
    return {row["run"] for row in runs_of(state) if max(row["started"], row["ended"] or 0) >= since}
