"""Answering from the model's own text by LightGBM, by its C functions where they are there.

A single row goes by the function that keeps its settings between calls
(`LGBM_BoosterPredictForMatSingleRowFast`), a few by the one for matrices: what Booster.predict does
around them takes longer than the rows themselves.
"""

import ctypes
from pathlib import Path
from threading import Lock
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from freehold.adapters.lightgbm.booster import booster_of
from freehold.adapters.lightgbm.framework import MODEL_FILE
from freehold.domain.errors import AdapterFailed
from freehold.ports.model_runtime import SMALL, FileRuntime, Predictor

_FLOAT32 = 0
_ROW_MAJOR = 1
_NORMAL = 0
"""Kind of prediction: the objective's transformation of the raw score."""
_ALL_TREES = _ALL_THREADS = -1
_ALONE = b"num_threads=1"
_LIBRARY: Any = vars(lightgbm.basic)["_LIB"]
"""LightGBM's own handle of its C functions."""


class LightGBMPredictor(Predictor):
    def __init__(self, booster: lightgbm.Booster) -> None:
        self._booster = booster
        self.width = booster.num_feature()
        # The C functions write as many scores as there are classes.
        self._is_plain = booster.num_model_per_iteration() == 1
        self._row = _SingleRow(booster, self.width) if self._is_plain else None

    def start(self) -> None:
        if hasattr(_LIBRARY, "LGBM_SetMaxThreads"):
            _LIBRARY.LGBM_SetMaxThreads(ctypes.c_int(_ALL_THREADS))

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        self.require_width(matrix)
        rows = len(matrix)
        if not rows:
            return np.empty(0)
        if rows == 1 and self._row and (score := self._row.predict(matrix)) is not None:
            return score
        if rows <= SMALL and self._is_plain:
            return _predict(self._booster, matrix)
        return np.asarray(self._booster.predict(matrix), dtype=np.float64)


def _predict(booster: lightgbm.Booster, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """On this thread. Raises AdapterFailed."""
    rows, width = matrix.shape
    data = np.ascontiguousarray(matrix, dtype=np.float32)
    scores, length = np.empty(rows, dtype=np.float64), ctypes.c_int64(0)
    failed = _LIBRARY.LGBM_BoosterPredictForMat(
        booster._handle,
        ctypes.c_void_p(data.ctypes.data),
        ctypes.c_int(_FLOAT32),
        ctypes.c_int32(rows),
        ctypes.c_int32(width),
        ctypes.c_int(_ROW_MAJOR),
        ctypes.c_int(_NORMAL),
        ctypes.c_int(0),
        ctypes.c_int(_ALL_TREES),
        ctypes.c_char_p(_ALONE),
        ctypes.byref(length),
        ctypes.c_void_p(scores.ctypes.data),
    )
    if failed or length.value != rows:
        raise _failure("LightGBM did not answer")
    return scores


def _failure(what: str) -> AdapterFailed:
    return AdapterFailed(what, why=_LIBRARY.LGBM_GetLastError().decode(errors="replace"))


class _SingleRow:
    """One row after the other through buffers that stay: whoever finds them in use goes another
    way, so that threads never wait for each other nor share a row."""

    def __init__(self, booster: lightgbm.Booster, width: int) -> None:
        """Raises AdapterFailed if LightGBM does not take the model so."""
        self._booster = booster  # What the handle points to must outlive it.
        self._lock = Lock()
        self._row = np.empty(width, dtype=np.float32)
        self._score = np.zeros(1, dtype=np.float64)
        self._call: Any = _LIBRARY.LGBM_BoosterPredictForMatSingleRowFast
        self._free: Any = _LIBRARY.LGBM_FastConfigFree
        self._settings = ctypes.c_void_p()
        failed = _LIBRARY.LGBM_BoosterPredictForMatSingleRowFastInit(
            booster._handle,
            ctypes.c_int(_NORMAL),
            ctypes.c_int(0),
            ctypes.c_int(_ALL_TREES),
            ctypes.c_int(_FLOAT32),
            ctypes.c_int32(width),
            ctypes.c_char_p(_ALONE),
            ctypes.byref(self._settings),
        )
        if failed:
            raise _failure("LightGBM does not answer row by row")
        length = ctypes.c_int64(0)
        self._arguments = (
            self._settings,
            ctypes.c_void_p(self._row.ctypes.data),
            ctypes.byref(length),
            ctypes.c_void_p(self._score.ctypes.data),
        )

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """[1] for a matrix [1, width]; None if another thread is at it, or it did not go."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            self._row[:] = matrix[0]
            return None if self._call(*self._arguments) else self._score.copy()
        finally:
            self._lock.release()

    def __del__(self) -> None:
        if self._settings:
            self._free(self._settings)


class LightGBMRuntime(FileRuntime):
    name = "lightgbm"
    file = MODEL_FILE

    def load_to_share(self, folder: Path) -> Predictor | None:
        """By one thread: the pool of OpenMP, once there, is lost in a forked process, which then
        waits for it for ever."""
        if not hasattr(_LIBRARY, "LGBM_SetMaxThreads"):
            return None
        _LIBRARY.LGBM_SetMaxThreads(ctypes.c_int(1))
        return self.load(folder)

    def read(self, data: bytes) -> Predictor:
        return LightGBMPredictor(booster_of(data))
