"""Answering from `model.onnx` by ONNX Runtime."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
)

from freehold.domain.errors import IntegrityError
from freehold.domain.package import ONNX_MODEL
from freehold.ports.model_runtime import SMALL, ModelRuntime, Predictor

_NOTHING = 4
"""That a model fails is an exception. It would be a line on standard error for each request, too,
and where nobody reads that, the endpoint would come to a stand.
"""


class OnnxPredictor(Predictor):
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._alone = _session(data, threads=1)
        self._many: onnxruntime.InferenceSession | None = None
        entry = self._alone.get_inputs()[0]
        self.width = int(entry.shape[1])
        self._input = entry.name
        self._outputs = [self._alone.get_outputs()[0].name]

    def start(self) -> None:
        if self._many is None:
            self._many = _session(self._data, threads=0)

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        self.require_width(matrix)
        rows = np.ascontiguousarray(matrix, dtype=np.float32)
        session = self._alone
        if len(rows) > SMALL:
            self.start()
            assert self._many is not None
            session = self._many
        (answer,) = session.run(self._outputs, {self._input: rows})
        return np.asarray(answer, dtype=np.float64)


class OnnxRuntime(ModelRuntime):
    name = "onnx"

    def load_to_share(self, folder: Path) -> Predictor:
        return self.load(folder)

    def load(self, folder: Path) -> Predictor:
        path = folder / ONNX_MODEL
        try:
            data = path.read_bytes()
        except OSError as exc:
            raise IntegrityError(
                f"the package in {folder} has no {ONNX_MODEL}",
                why=str(exc),
                code="package.incomplete",
                hint="serve it by the runtime of its own framework",
            ) from exc
        try:
            return OnnxPredictor(data)
        except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf) as exc:
            raise IntegrityError(
                f"{path} is not an ONNX model that can be loaded",
                why=str(exc),
                code="package.unreadable",
            ) from exc


def _session(data: bytes, threads: int) -> onnxruntime.InferenceSession:
    """`threads` 0: one for each core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _NOTHING
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
