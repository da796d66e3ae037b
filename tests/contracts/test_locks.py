"""Locks, and what is particular to those on files."""

import subprocess
import sys
from pathlib import Path

from freehold.adapters.filelock.locks import FileLocks
from freehold.adapters.memory.locks import MemoryLocks
from freehold.ports.contracts.locks import LocksContract
from freehold.ports.locks import Locks

HOLD = """
import sys
from pathlib import Path
from freehold.adapters.filelock.locks import FileLocks
held = FileLocks(Path(sys.argv[1])).take("a")
print("held" if held else "busy", flush=True)
sys.stdin.read()
"""


class TestMemoryLocks(LocksContract):
    def make(self, folder: Path) -> Locks:
        return MemoryLocks()


class TestFileLocks(LocksContract):
    def make(self, folder: Path) -> Locks:
        return FileLocks(folder)

    def test_two_objects_on_one_folder_exclude_each_other(self, tmp_path: Path) -> None:
        held = FileLocks(tmp_path).take("a")
        assert held is not None
        assert FileLocks(tmp_path).take("a") is None
        held.release()

    def test_the_kernel_frees_it_when_its_holder_is_killed(self, tmp_path: Path) -> None:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with holder:
            assert holder.stdout is not None
            assert holder.stdout.readline().strip() == "held"
            locks = FileLocks(tmp_path)
            assert locks.take("a") is None
            holder.kill()
            holder.wait()
            held = locks.take("a")
            assert held is not None
            held.release()

    def test_no_files_are_left(self, tmp_path: Path) -> None:
        locks = FileLocks(tmp_path)
        for number in range(20):
            held = locks.take(f"name {number}")
            assert held is not None
            held.release()
        assert list(tmp_path.iterdir()) == []
