"""A package whose model does harm when it is told to."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freehold.adapters.isolation.runtime import PyfuncRuntime
from freehold.adapters.isolation.settings import ProcessSettings
from freehold.domain.canonical import canonical
from freehold.domain.columns import Column, Columns

DEEDS = (
    *("raise", "leave", "exit", "crash", "sleep", "spin", "leak", "balloon", "short", "text"),
    *("fork", "shout", "write", "swell"),
)
COLUMNS = Columns((Column("deed", "category", DEEDS), Column("number", "number")))
LOADER = """
import ctypes, os, re, sys, time

KEPT = []


class Model:
    def predict(self, table):
        deed = table["deed"].iloc[0]
        if deed == "raise":
            raise ValueError("a model that raises")
        if deed == "leave":
            sys.exit(3)
        if deed == "exit":
            os._exit(7)
        if deed == "crash":
            ctypes.string_at(0)
        if deed == "sleep":
            time.sleep(3600)
        if deed == "spin":
            # One call into C that keeps Python's lock.
            re.match("(a+)+$", "a" * 60 + "b")
        if deed == "leak":
            KEPT.append(bytearray(b"x") * 40_000_000)
        if deed == "balloon":
            KEPT.append(bytearray(b"x") * 50_000_000_000)
        if deed == "swell":
            while True:
                KEPT.append(bytearray(b"x") * 50_000_000)
                time.sleep(0.1)
        if deed == "short":
            return [0.5] * (len(table) + 1)
        if deed == "text":
            return ["much"] * len(table)
        if deed == "fork":
            if os.fork() == 0:
                time.sleep(3600)
            os._exit(0)
        if deed == "shout":
            print("model " * 100_000, flush=True)
        if deed == "write":
            open("model-was-here", "w").close()
        return table["number"].fillna(0.0) / 2


def _load_pyfunc(path):
    return Model()
"""


def files() -> dict[str, bytes]:
    function = {"code": "code", "loader_module": "harmful", "data": "code"}
    return {
        "MLmodel": json.dumps({"flavors": {"python_function": function}}).encode(),
        "columns.json": canonical(COLUMNS.as_json()),
        "code/harmful.py": LOADER.encode(),
    }


@pytest.fixture
def harmful_files() -> dict[str, bytes]:
    return files()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, data in files().items():
        path = tmp_path / "package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "package"


@pytest.fixture
def row() -> Callable[..., Any]:
    """A matrix of one row: a deed, or none, and a number."""

    def made(deed: str = "", number: float = 1.0) -> Any:
        place = DEEDS.index(deed) if deed else np.nan
        return np.array([[place, number]], dtype=np.float32)

    return made


@pytest.fixture
def started(package: Path) -> Iterator[Callable[..., Any]]:
    """The model in its process, with settings of the test's own."""
    made: list[Any] = []

    def start(**settings: Any) -> Any:
        made.append(PyfuncRuntime(ProcessSettings(**settings)).load(package))
        return made[-1]

    yield start
    made.clear()
