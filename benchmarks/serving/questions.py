"""The rows that every server is asked for, put as each of them reads rows, and what they answer."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

WIDTH = 20
NAMES = tuple(f"f{place}" for place in range(WIDTH))
SHAPES = ((1, 32), (64, 8))
"""Rows of a request, connections."""
CLOSE = 1e-5
"""Between a score and LightGBM's: some servers calculate with 32 bits."""

Rows = NDArray[np.float64]


def matrix(rows: int) -> Rows:
    """The same ones each time."""
    return np.random.default_rng(1).normal(size=(rows, WIDTH)).round(4)


def _tensor(rows: Rows) -> dict[str, Any]:
    """The Open Inference Protocol: all columns as one tensor."""
    tensor = {"name": "x", "shape": list(rows.shape), "datatype": "FP64"}
    return {"inputs": [{**tensor, "data": rows.ravel().tolist()}]}


FORMS: Mapping[str, Callable[[Rows], dict[str, Any]]] = {
    "tensor": _tensor,
    "matrix": lambda rows: {"inputs": rows.tolist()},
    "rows": lambda rows: {"rows": rows.tolist()},
}


def body(rows: int, form: str = "tensor") -> bytes:
    return orjson.dumps(FORMS[form](matrix(rows)))


def body_file(root: Path, form: str, rows: int) -> Path:
    return root / f"{form}-{rows}.json"


def write(root: Path) -> None:
    for form in FORMS:
        for rows, _ in SHAPES:
            body_file(root, form, rows).write_bytes(body(rows, form))


def scores(answer: bytes) -> list[float]:
    """Of a list of scores, of `predictions`, or of a protocol's output. Raises ValueError."""
    told = orjson.loads(answer)
    found = told if isinstance(told, list) else None
    if isinstance(told, dict):
        outputs = told.get("outputs", [])
        if len(outputs) > 1:
            outputs = [one for one in outputs if one["name"] == "score"]
        found = outputs[0]["data"] if outputs else told.get("predictions")
    if not isinstance(found, list) or not all(isinstance(one, float) for one in found):
        raise ValueError(f"no scores: {answer[:200]!r}")
    return found


def agrees(answer: bytes, expected: Sequence[float]) -> bool:
    """Whether these are LightGBM's own scores."""
    found = scores(answer)
    return len(found) == len(expected) and bool(np.allclose(found, expected, rtol=0, atol=CLOSE))
