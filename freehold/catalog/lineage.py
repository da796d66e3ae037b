"""What a version was made from, in the words of the run that made it."""

from typing import Any

from freehold.domain.projection import State

SHAPE = 1


def lineage_of(state: State, run: str, package: str) -> dict[str, Any]:
    """JSON: the run's parameters and environment, and each step with its inputs and outputs.

    It is kept for ever: of parameters that are text it has the attachment's salted digest only.
    """
    row = state.get("runs", run) or {}
    steps = [step for _, step in state.scan("steps", f"{run}/")]
    return {
        "shape": SHAPE,
        "package": package,
        "run": run,
        "pipeline": row.get("pipeline"),
        "parameters": row.get("parameters"),
        "parameters_attachment": row.get("parameters_attachment"),
        "environment": row.get("environment"),
        "steps": [
            {
                "step": step["step"],
                "function": step["function"],
                "key": step["key"],
                "code": step["components"]["code"],
                "inputs": step["inputs"],
                "outputs": [output["digest"] for output in step["outputs"]],
                "cached": step["cached"],
            }
            for step in steps
            if step["status"] == "finished"
        ],
    }
