"""The contract of locks: one test per law of the port."""

import threading
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from freehold.ports.locks import Held, Locks


class LocksContract(ABC):
    @abstractmethod
    def make(self, folder: Path) -> Locks: ...

    @pytest.fixture
    def locks(self, tmp_path: Path) -> Locks:
        return self.make(tmp_path / "locks")

    def test_one_holder_at_a_time(self, locks: Locks) -> None:
        held = locks.take("step sha256:ab/..")
        assert held is not None
        assert locks.take("step sha256:ab/..") is None
        other = locks.take("another name, of ünusual letters")
        assert other is not None
        other.release()
        held.release()

    def test_what_is_released_is_free(self, locks: Locks) -> None:
        for _ in range(3):
            held = locks.take("a")
            assert held is not None
            held.release()

    def test_releasing_twice_does_not_take_it_from_the_next(self, locks: Locks) -> None:
        first = locks.take("a")
        assert first is not None
        first.release()
        second = locks.take("a")
        assert second is not None
        first.release()
        assert locks.take("a") is None
        second.release()

    def test_never_two_among_many_threads(self, locks: Locks) -> None:
        inside, most, taken = 0, 0, 0
        guard = threading.Lock()

        def work(_: int) -> None:
            nonlocal inside, most, taken
            for _ in range(50):
                held: Held | None = locks.take("shared")
                if held is None:
                    continue
                with guard:
                    inside, taken = inside + 1, taken + 1
                    most = max(most, inside)
                with guard:
                    inside -= 1
                held.release()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert most == 1
        assert taken >= 1
