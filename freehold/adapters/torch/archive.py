"""Modules as archives that carry their own code: TorchScript, or a program of torch.export."""

from functools import lru_cache
from io import BytesIO
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from freehold.domain.errors import AdapterFailed, NotSupported

SCRIPT, PROGRAM = "torchscript", "export"
SUFFIXES = {SCRIPT: "pt", PROGRAM: "pt2"}


def kind_of(data: bytes) -> str:
    """SCRIPT or PROGRAM, told by the archive's files. Raises AdapterFailed (`model.unreadable`)."""
    try:
        with ZipFile(BytesIO(data)) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    except (BadZipFile, RuntimeError, ValueError) as exc:
        raise _unreadable(str(exc)) from exc
    if "archive_format" in names:
        return PROGRAM
    if "constants.pkl" in names:
        return SCRIPT
    raise _unreadable("it is no archive of a script or an exported program")


def read(data: bytes) -> Any:
    """A ScriptModule or an ExportedProgram. Raises AdapterFailed (`model.unreadable`)."""
    kind = kind_of(data)
    try:
        if kind == SCRIPT:
            return torch.jit.load(BytesIO(data), map_location="cpu")
        return torch.export.load(BytesIO(data))
    # What a damaged archive makes its readers raise is not known beforehand.
    except Exception as exc:
        raise _unreadable(f"{exc!r:.200}") from exc


@lru_cache(maxsize=4)
def module_of(data: bytes) -> Any:
    """Ready to be called with a tensor [n, k]; the last few are kept. Raises AdapterFailed."""
    model = read(data)
    return model.eval() if kind_of(data) == SCRIPT else model.module()


def probabilities(data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of the positive class [n]. Raises NotSupported (`model.not-binary`, `model.no-missing`),
    AdapterFailed (`model.rows-refused`, `model.unreadable`).
    """
    rows = torch.tensor(np.ascontiguousarray(matrix, dtype=np.float32))
    try:
        with torch.inference_mode():
            found = module_of(data)(rows)
        scores = np.asarray(found.to(torch.float64).numpy())
    except (RuntimeError, ValueError, TypeError, AssertionError, AttributeError) as exc:
        raise AdapterFailed(
            "the model does not take these rows", why=f"{exc!s:.200}", code="model.rows-refused"
        ) from exc
    if scores.shape not in ((len(matrix),), (len(matrix), 1)):
        raise NotSupported(
            "this module gives no probability of one class",
            why=f"it gave {scores.shape} for a matrix {matrix.shape}",
            hint="give one probability for each row",
            code="model.not-binary",
        )
    flat = scores.reshape(-1)
    if not np.isfinite(flat).all():
        raise NotSupported(
            "this module does not answer a row with missing values",
            why="a score is not finite; missing values come as NaN",
            hint="begin its forward with torch.nan_to_num",
            code="model.no-missing",
        )
    if flat.size and not (flat.min() >= 0 and flat.max() <= 1):
        raise NotSupported(
            "this module gives no probability of one class",
            why=f"it gave a score of {flat.max() if flat.max() > 1 else flat.min():.3g}",
            hint="end its forward with torch.sigmoid",
            code="model.not-binary",
        )
    return flat


def _unreadable(why: str) -> AdapterFailed:
    return AdapterFailed("this is not a PyTorch model", why=why, code="model.unreadable")
