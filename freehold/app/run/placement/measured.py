"""What earlier runs of a pipeline's steps took and made."""

from typing import Any

from freehold.domain.graph import Graph
from freehold.domain.projection import State
from freehold.planning.estimate import Measured

LATEST = 5
"""Runs of a step on one machine type that count."""


def measured_of(state: State, graph: Graph) -> dict[str, Measured]:
    """By step; one look at every step that was ever run."""
    wanted = {node.name for node in graph.nodes}
    runs = {key: row["started"] for key, row in state.scan("runs") if row["pipeline"] == graph.name}
    rows: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for _, row in state.scan("steps"):
        if row["status"] != "finished" or row["cached"] or row["step"] not in wanted:
            continue
        if row["run"] in runs:
            rows.setdefault(row["step"], []).append((runs[row["run"]], row))
    return {name: _measured(rows.get(name, [])) for name in wanted}


def _measured(rows: list[tuple[int, dict[str, Any]]]) -> Measured:
    rows.sort(key=lambda one: (one[0], one[1]["run"]))
    seconds: dict[str, tuple[float, ...]] = {}
    for _, row in rows:
        machine = row.get("machine", "")
        times = (*seconds.get(machine, ()), row["microseconds"] / 1e6)
        seconds[machine] = times[-LATEST:]
    if not rows:
        return Measured()
    latest = rows[-1][1]
    return Measured(seconds, tuple(one["size"] for one in latest["outputs"]), latest["run"])
