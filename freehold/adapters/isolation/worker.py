"""The process in which a model answers: `python worker.py JSON`.

It runs in whatever environment the model needs, so that it imports nothing of ours and, besides
numpy, only what the model's kind asks for. It reads and writes frames on an inherited socket: one
byte for the kind, the length of what follows as 8 bytes, little endian, and that many bytes.

| from | kind | content |
| --- | --- | --- |
| model | `L` | loaded: JSON with `width` |
| asker | `?` | seconds (float64), rows, columns (uint32), float32 values row by row |
| model | `A` | float64 scores |
| model | `E` | what went wrong: JSON with `code`, `why`, and of a package `what` |

A call that takes longer than its seconds ends the process by SIGALRM, whether or not anybody still
waits. When the asker is gone, the process removes its copy of the package and ends.
"""

import importlib
import json
import os
import resource
import shutil
import signal
import socket
import struct
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np

FRAME = struct.Struct("<cQ")
QUESTION = struct.Struct("<dII")
SLACK = 1.0
"""Seconds after the asker's own limit, which comes first while there is an asker."""
NOT_LOADED = "runtime.not-loaded"
LONGEST = 300
"""Characters of an error."""
_DTYPES = {"boolean": "bool", "integer": "int32", "long": "int64", "float": "float32"}
"""Types of MLflow's schemas that are no float64, as numpy names them."""

Answer = Callable[[Any], Any]


def main(given: dict[str, Any]) -> int:
    channel, folder = socket.socket(fileno=given["socket"]), Path(given["folder"])
    _limit(given["memory"])
    try:
        answer, width = KINDS[given["kind"]](folder, given)
    # The asker is told of whatever it was.
    except BaseException as exc:  # noqa: BLE001
        answer, width = None, 0
        first = b"E", json.dumps(_told(NOT_LOADED, exc)).encode()
    else:
        first = b"L", json.dumps({"width": width}).encode()
    try:
        _send(channel, *first)
        if answer is None:
            return 1
        while (question := _receive(channel)) is not None:
            _send(channel, *_in_time(answer, question))
    except ConnectionError:
        pass
    # Nobody is there any more who would.
    shutil.rmtree(folder.parent, ignore_errors=True)
    return 0


def _in_time(answer: Answer, question: bytes) -> tuple[bytes, bytes]:
    seconds, rows, columns = QUESTION.unpack_from(question)
    values = np.frombuffer(question, np.float32, offset=QUESTION.size)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds + SLACK)
    try:
        return _answered(answer, values.reshape(rows, columns))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _answered(answer: Answer, matrix: Any) -> tuple[bytes, bytes]:
    try:
        given = np.asarray(answer(matrix))
        if not _are_numbers(given):
            why = f"it gave what are no numbers: {given.dtype}"
            return b"E", json.dumps({"code": "runtime.wrong-answer", "why": why}).encode()
        scores = given.astype(np.float64)
    except BaseException as exc:  # noqa: BLE001 - a model may raise anything, SystemExit too
        return b"E", json.dumps(_told("runtime.model-raised", exc)).encode()
    if scores.shape not in ((len(matrix),), (len(matrix), 1)):
        why = f"it gave scores of shape {scores.shape} for {len(matrix)} rows"
        return b"E", json.dumps({"code": "runtime.wrong-answer", "why": why}).encode()
    return b"A", np.ascontiguousarray(scores).tobytes()


def _are_numbers(given: Any) -> bool:
    """numpy would take texts of digits for some, and leave half of a complex one away."""
    if given.dtype.kind == "O":
        return not any(isinstance(one, str | bytes | complex) for one in given.flat)
    return given.dtype.kind in "biuf"


def _told(code: str, exc: BaseException) -> dict[str, str]:
    """Of an error of ours its own code: `package.unreadable`."""
    told = {"code": code, "why": f"{type(exc).__name__}: {exc}"[:LONGEST]}
    if isinstance(exc, MemoryError):
        told["code"] = "runtime.out-of-memory"
    elif isinstance(exc, FileNotFoundError) and code == NOT_LOADED:
        told["code"] = "package.incomplete"
    elif isinstance(exc, ModuleNotFoundError) and code == NOT_LOADED:
        told["code"] = "adapter.missing"
    ours = {name: str(getattr(exc, name, "")) for name in ("code", "what", "why")}
    return ours if ours["code"] and ours["what"] else told


def adapter(folder: Path, given: dict[str, Any]) -> tuple[Answer, int]:
    """A runtime of Freehold's, found by its name where Freehold is installed."""
    found = entry_points(group="freehold.model_runtime")[given["runtime"]]
    runtime = found.load()()
    # One that would start a process of its own is in one already.
    predictor = getattr(runtime, "load_within", runtime.load)(folder)
    return predictor.predict, predictor.width


def pyfunc(folder: Path, given: dict[str, Any]) -> tuple[Answer, int]:
    """MLflow's Python function. A package that brings its loader along needs no MLflow."""
    columns = json.loads((folder / "columns.json").read_bytes())["columns"]
    function = given["function"]
    if function["own"]:
        sys.path.insert(0, str(folder / function["code"]))
        loader = importlib.import_module(function["loader_module"])
        model = loader._load_pyfunc(str(folder / function["data"]))
    else:
        model = importlib.import_module("mlflow.pyfunc").load_model(str(folder))
    pandas = importlib.import_module("pandas")
    tables = [_reader(column, function["types"].get(column["name"])) for column in columns]

    def answer(matrix: Any) -> Any:
        frame = pandas.DataFrame(
            {
                column["name"]: read(matrix[:, place])
                for place, (column, read) in enumerate(zip(columns, tables, strict=True))
            }
        )
        return model.predict(frame)

    return answer, len(columns)


def _reader(column: dict[str, Any], kind: str | None) -> Callable[[Any], Any]:
    """From a column of the matrix back to one of a table."""
    if column["kind"] == "category":
        values = np.array([*column["values"], None], dtype=object)
        return lambda codes: values[np.where(np.isnan(codes), len(values) - 1, codes).astype(int)]
    dtype = _DTYPES.get(kind or "")

    def number(values: Any) -> Any:
        whole = values.astype(np.float64)
        # Whole numbers have no missing one: MLflow then takes floats.
        return whole if dtype is None or np.isnan(whole).any() else whole.astype(dtype)

    return number


def torch(folder: Path, given: dict[str, Any]) -> tuple[Answer, int]:
    """A TorchScript module, or a program of torch.export."""
    columns = json.loads((folder / "columns.json").read_bytes())["columns"]
    library = importlib.import_module("torch")
    path = folder / given["file"]
    if not path.is_file():
        raise FileNotFoundError(path)
    if given["format"] == "export":
        module = library.export.load(str(path)).module()
    else:
        module = library.jit.load(str(path), map_location="cpu").eval()

    def answer(matrix: Any) -> Any:
        with library.inference_mode():
            return module(library.tensor(matrix)).to(library.float64).numpy()

    return answer, len(columns)


KINDS: dict[str, Callable[[Path, dict[str, Any]], tuple[Answer, int]]] = {
    "adapter": adapter,
    "pyfunc": pyfunc,
    "torch": torch,
}


def _limit(memory: int) -> None:
    # A dump would leave what was asked about on the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def _send(channel: socket.socket, kind: bytes, content: bytes) -> None:
    channel.sendall(FRAME.pack(kind, len(content)) + content)


def _receive(channel: socket.socket) -> bytes | None:
    """None when the other end is gone."""
    head = _exactly(channel, FRAME.size)
    return None if head is None else _exactly(channel, FRAME.unpack(head)[1])


def _exactly(channel: socket.socket, size: int) -> bytes | None:
    got = bytearray(size)
    view = memoryview(got)
    while view:
        count = channel.recv_into(view)
        if not count:
            return None
        view = view[count:]
    return bytes(got)


if __name__ == "__main__":
    ended = main(json.loads(sys.argv[1]))
    # Threads that a model left behind must not keep the process.
    sys.stderr.flush()
    os._exit(ended)
