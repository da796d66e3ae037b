"""Engines, and what is particular to those that start processes."""

import json
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from freehold.adapters.inline.engine import InlineEngine
from freehold.adapters.subprocess.engine import SubprocessEngine
from freehold.domain.errors import AdapterFailed, StorageFailed
from freehold.domain.run import Result
from freehold.ports.contracts.engine import BROKEN, DONE, EngineContract, KillsContract
from freehold.ports.engine import Engine, Task

WORKER = """
import json, os, pathlib, sys, time
address = pathlib.Path(sys.argv[1])
doing = address.read_text()
if doing == "lost":
    sys.exit("out of luck")
if doing == "hang":
    child = os.fork()
    address.with_suffix(".child").write_text(str(child)) if child else None
    time.sleep(600)
if doing == "meet":
    address.with_suffix(".here").touch()
    while len(list(address.parent.glob("*.here"))) < 2:
        time.sleep(0.005)
results = json.loads(address.with_suffix(".results").read_text())
result = results["broken" if doing == "broken" else "done"]
address.with_suffix(".result").write_text(json.dumps(result))
"""


@dataclass
class InlineTask(Task):
    name: str
    timeout: float | None = None
    barrier: threading.Barrier = field(default_factory=lambda: threading.Barrier(1))

    def perform(self) -> Result:
        if self.name == "full":
            raise StorageFailed("the disk is full")
        self.barrier.wait(30)
        return BROKEN if self.name == "broken" else DONE

    def publish(self) -> str:
        raise AssertionError("nothing is published for a thread")

    def collect(self) -> Result:
        raise AssertionError("nothing is collected from a thread")


@dataclass
class FileTask(Task):
    name: str
    timeout: float | None
    path: Path

    def perform(self) -> Result:
        raise AssertionError("it runs in another process")

    def publish(self) -> str:
        if self.name == "full":
            raise StorageFailed("the disk is full")
        self.path.write_text(self.name)
        results = {"done": DONE.as_json(), "broken": BROKEN.as_json()}
        self.path.with_suffix(".results").write_text(json.dumps(results))
        return str(self.path)

    def collect(self) -> Result:
        try:
            return Result.from_json(json.loads(self.path.with_suffix(".result").read_text()))
        except FileNotFoundError:
            raise KeyError(self.name) from None


class TestInlineEngine(EngineContract):
    def make(self, folder: Path, width: int) -> Engine:
        self.meeting = threading.Barrier(2)
        return InlineEngine(width)

    def task(self, folder: Path, doing: str) -> Task:
        if doing == "meet":
            return InlineTask(doing, barrier=self.meeting)
        return InlineTask(doing)


class TestSubprocessEngine(KillsContract):
    def make(self, folder: Path, width: int) -> Engine:
        return SubprocessEngine([sys.executable, "-c", WORKER], folder, width)

    def task(self, folder: Path, doing: str) -> Task:
        count = len(list(folder.glob("*.task")))
        path = folder / f"{count}.task"
        path.touch()
        return FileTask(doing, 0.2 if doing == "hang" else None, path)

    def test_what_a_killed_step_started_is_killed_too(self, tmp_path: Path) -> None:
        engine = self.make(tmp_path, 1)
        task = FileTask("hang", 3.0, tmp_path / "0.task")
        result = engine.submit(task).result(30)
        engine.close()
        assert result.failure is not None
        child = int((tmp_path / "0.child").read_text())
        assert _ends(child)

    def test_a_process_that_dies_is_told_from_a_step_that_fails(self, tmp_path: Path) -> None:
        engine = self.make(tmp_path, 1)
        with pytest.raises(AdapterFailed) as caught:
            engine.submit(self.task(tmp_path, "lost")).result(30)
        engine.close()
        assert caught.value.code == "engine.lost"
        assert "out of luck" in caught.value.why

    def test_a_command_that_is_not_there(self, tmp_path: Path) -> None:
        engine = SubprocessEngine(["/nowhere/python"], tmp_path, 1)
        with pytest.raises(AdapterFailed) as caught:
            engine.submit(self.task(tmp_path, "done")).result(30)
        engine.close()
        assert caught.value.code == "engine.start"

    def test_closing_kills_what_runs(self, tmp_path: Path) -> None:
        engine = self.make(tmp_path, 1)
        task = FileTask("hang", None, tmp_path / "0.task")
        future = engine.submit(task)
        while not (tmp_path / "0.child").exists():
            time.sleep(0.005)
        engine.close()
        with pytest.raises(AdapterFailed):
            future.result(30)


def _ends(process: int) -> bool:
    """Whether a process that was killed goes away, or waits only for its parent's notice."""
    for _ in range(1000):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{process}/stat").read_text().split(") ")[1].startswith("Z"):
            return True
        time.sleep(0.005)
    return False
