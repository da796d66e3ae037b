"""How long the peers' pipelines take: `python -m benchmarks.peers.pipelines [PEER ...]`."""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.figures import STEPS, seconds
from benchmarks.peers.setup import PEERS, interpreter, run

PIPELINES = ("hamilton", "dagster", "prefect", "zenml")
_WARM_RUNS = 3
_COLD_RUNS = 2


def measure_peers(names: Sequence[str] = PIPELINES) -> dict[str, Any]:
    """`{peer: {version, chain: {cold_s, warm_ms_per_step, cached_s or None}, fan: {...}}}`.

    A chain has 20 steps, each fed by the one before, a fan 50 that need nothing of each other.
    Cold is a whole process that runs it once, on state that an earlier one has set up, the fastest
    of two; warm is the fastest of three later runs in one process; cached the fastest of three
    re-runs of which nothing has changed. Dagster's warm runs keep no record, so it has also
    `recorded_ms_per_step`, with its events in SQLite as Prefect and ZenML have them. Makes the
    environments that are not there yet. Takes some four minutes on two cores. Raises PeerFailed.
    """
    return {name: _measure(name) for name in names}


def _measure(name: str) -> dict[str, Any]:
    interpreter(name)
    with tempfile.TemporaryDirectory(prefix=f"{name}-", ignore_cleanup_errors=True) as folder:
        state = Path(folder)
        shapes = {shape: _shape(name, shape, state) for shape in STEPS}
    return {"version": PEERS[name].version, **shapes}


def _shape(name: str, shape: str, state: Path) -> dict[str, float | None]:
    lines = run(name, [shape, str(_WARM_RUNS)], state=state)
    figures = {line["figure"]: line["value"] for line in lines}
    cold = [seconds(lambda: run(name, [shape, "1"], state=state)) for _ in range(_COLD_RUNS)]
    found = {
        "cold_s": round(min(cold), 3),
        "warm_ms_per_step": round(1000 * figures["warm_s"] / STEPS[shape], 4),
        "cached_s": round(figures["cached_s"], 5) if "cached_s" in figures else None,
    }
    if "recorded_s" in figures:
        found["recorded_ms_per_step"] = round(1000 * figures["recorded_s"] / STEPS[shape], 4)
    return found


def main() -> None:
    for name in sys.argv[1:] or PIPELINES:
        print(json.dumps(measure_peers([name])), flush=True)


if __name__ == "__main__":
    main()
