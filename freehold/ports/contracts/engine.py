"""The contract of an engine: one test per law of the port."""

import threading
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from freehold.domain.artifact import Artifact
from freehold.domain.errors import StorageFailed
from freehold.domain.run import Failure, Result
from freehold.ports.engine import Engine, Kills, Task

DONE = Result((Artifact("sha256:00", "json", 4),), 17)
BROKEN = Result(failure=Failure("step.raised", "ValueError: no"))


class EngineContract(ABC):
    @abstractmethod
    def make(self, folder: Path, width: int) -> Engine: ...

    @abstractmethod
    def task(self, folder: Path, doing: str) -> Task:
        """A task, in whatever way the engine runs it, that comes to DONE (`doing` is "done"),
        BROKEN ("broken"), raises StorageFailed ("full"), waits for ever ("hang", with a timeout
        of 0.2 s), or is DONE once two such run at the same time ("meet")."""

    @pytest.mark.parametrize(("doing", "result"), [("done", DONE), ("broken", BROKEN)])
    def test_a_task_gives_its_result(self, tmp_path: Path, doing: str, result: Result) -> None:
        engine = self.make(tmp_path, 2)
        try:
            assert engine.submit(self.task(tmp_path, doing)).result(30) == result
        finally:
            engine.close()

    def test_its_width_is_kept(self, tmp_path: Path) -> None:
        engine = self.make(tmp_path, 2)
        try:
            assert engine.width == 2
            futures = [engine.submit(self.task(tmp_path, "meet")) for _ in range(2)]
            assert [future.result(30) for future in futures] == [DONE, DONE]
        finally:
            engine.close()

    def test_more_tasks_than_width_all_end(self, tmp_path: Path) -> None:
        engine = self.make(tmp_path, 1)
        try:
            futures = [engine.submit(self.task(tmp_path, "done")) for _ in range(3)]
            assert [future.result(30) for future in futures] == [DONE] * 3
        finally:
            engine.close()

    def test_a_store_that_fails_is_not_a_step_that_failed(self, tmp_path: Path) -> None:
        engine = self.make(tmp_path, 1)
        try:
            with pytest.raises(StorageFailed):
                engine.submit(self.task(tmp_path, "full")).result(30)
        finally:
            engine.close()

    def test_closing_ends_what_runs(self, tmp_path: Path) -> None:
        engine = self.make(tmp_path, 1)
        future = engine.submit(self.task(tmp_path, "done"))
        closer = threading.Thread(target=engine.close)
        closer.start()
        closer.join(30)
        assert not closer.is_alive()
        assert future.done()


class KillsContract(EngineContract):
    """Of an engine that is `Kills`."""

    def test_it_says_that_it_can(self, tmp_path: Path) -> None:
        engine = self.make(tmp_path, 1)
        engine.close()
        assert isinstance(engine, Kills)

    def test_it_ends_what_takes_too_long(self, tmp_path: Path) -> None:
        engine = self.make(tmp_path, 1)
        try:
            result = engine.submit(self.task(tmp_path, "hang")).result(30)
            assert result.failure is not None
            assert result.failure.code == "step.timeout"
        finally:
            engine.close()
