"""Parquet that strangers send, decoded in a process of its own.

A file may say anything of its sizes, and the library that decodes it believes it, panics or worse.
Nothing inside a process bounds that, so the system bounds this one, in memory and in time. A body
that is too much for it ends it, and costs its sender a 4xx; the next body finds another one. It
starts with the first body, since most endpoints never see one, and is kept.
"""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from freehold.domain.errors import Failed, Fault, Refused, RequestInvalid
from freehold.endpoint.parquet_worker import OUT_OF_MEMORY
from freehold.serving.request import Limits
from freehold.serving.table import Lists

MEMORY, MEMORY_EACH = 384 * 2**20, 16
"""Bytes that the process may hold, and those for each byte that a body may have."""
SECONDS, LONGEST, START = 3.0, 10.0, 60.0
"""Of the processor for one body; of the clock, should it hang without; and for a process to start.
"""
WAITING = 4
"""Bodies that are read or wait for it: fewer than requests may wait for what is elsewhere, so that
those that ask for nothing of the kind have their turns."""
PASSED = ("LANG", "LC_", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ")
"""Variables that the process gets to see, by how they begin: none of a site's secrets."""

SPENT = (OUT_OF_MEMORY, -signal.SIGABRT, -signal.SIGKILL, -signal.SIGPROF)
"""What it ends with when memory or time are at an end; a library that gets no memory aborts."""
ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class ParquetReader:
    """For one event loop at a time."""

    def __init__(self, limits: Limits, memory: int | None = None, seconds: float = SECONDS) -> None:
        """`memory`: bytes that the process may hold. `seconds`: of the processor for one body."""
        self._limits, self._seconds = limits, seconds
        self._memory = memory or MEMORY + MEMORY_EACH * limits.body_bytes
        self._process: subprocess.Popen[bytes] | None = None
        # Its only thread is the queue. Those that all share are the models' and the log's.
        self._thread = ThreadPoolExecutor(1, "parquet")
        self._waiting = 0

    async def columns(self, body: bytes, names: Sequence[str]) -> Lists:
        """Raises RequestInvalid as `columns_of` does, Refused `endpoint.overloaded`, Failed
        `endpoint.no-reader`."""
        if self._waiting >= WAITING:
            raise Refused(
                "there is more to answer than can be answered",
                why=f"{self._waiting} bodies in Parquet are read or wait for it",
                hint="1",
                code="endpoint.overloaded",
            )
        self._waiting += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self.read, body, names)
        finally:
            self._waiting -= 1

    def read(self, body: bytes, names: Sequence[str]) -> Lists:
        """The same, here and now. Not for several threads at once."""
        process = self._process
        if process is None or process.poll() is not None:
            self._end()
            process = self._started()
        try:
            with _ending(process, LONGEST):
                told, begun = self._asked(process, body, names)
        except BaseException:
            self._end()
            raise
        if told is None:
            raise self._lost(self._end(), begun)
        if _data_of(process.pid) > self._memory / 2:
            # What it has not given back would be missing to the next.
            self._end()
        if "error" in told:
            raise _refused(told["error"])
        columns: Lists = told["columns"]
        return columns

    def close(self) -> None:
        """Ends the process, and what it reads."""
        if self._process is not None:
            self._process.kill()
        self._thread.shutdown()
        self._end()

    def _started(self) -> "subprocess.Popen[bytes]":
        # As this process was started: one of a bundle has no site, and libraries of its own.
        flags = ["-P", "-B", *(["-S"] if sys.flags.no_site else [])]
        command = [sys.executable, *flags, "-m", "freehold.endpoint.parquet_worker"]
        environment = {k: v for k, v in os.environ.items() if k.startswith(PASSED)}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        try:
            process = self._process = subprocess.Popen(
                [*command, str(self._memory), str(self._seconds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # What a library says while it panics is as long as the sender likes.
                stderr=subprocess.DEVNULL,
                # Other threads cost memory each, and a core that answers is worth more.
                env={**environment, **ONE_THREAD},
                start_new_session=True,
            )
        except OSError as exc:
            raise _no_reader(str(exc)) from exc
        assert process.stdout is not None
        with _ending(process, START):
            is_there = bool(process.stdout.readline())
        if not is_there:
            raise _no_reader(f"it ended with {self._end()}")
        return process

    def _asked(
        self, process: "subprocess.Popen[bytes]", body: bytes, names: Sequence[str]
    ) -> tuple[dict[str, Any] | None, str]:
        """What it answers, None if it ended before; and what it was decoding last."""
        assert process.stdin is not None and process.stdout is not None
        limits, begun = self._limits, ""
        question = {
            "names": list(names),
            "rows": limits.rows,
            "bytes": limits.body_bytes,
            "length": len(body),
        }
        try:
            process.stdin.write(orjson.dumps(question) + b"\n")
            process.stdin.write(body)
            process.stdin.flush()
        except OSError as exc:
            # A body is looked at when all of it is there: it is none's fault yet.
            raise _no_reader(str(exc)) from exc
        while (line := process.stdout.readline()).endswith(b"\n"):
            told = orjson.loads(line)
            if "begin" not in told:
                return told, begun
            begun = told["begin"]
        process.wait()
        return None, begun

    def _lost(self, code: int, column: str) -> RequestInvalid:
        """Of a process that ended over a body, at a column if it had come so far."""
        if code in SPENT:
            what = f"cannot be decoded within {self._memory // 2**20} MiB and {self._seconds:g} s"
            fault = Fault("request.too-large", what, column)
        else:
            fault = Fault("request.malformed", "cannot be decoded", column)
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return RequestInvalid(
            str(fault) if column else f"the body {fault.what}",
            why=f"the process that decoded it ended: {how}",
            code=fault.code,
            faults=(fault,),
        )

    def _end(self) -> int:
        """Its exit code; 0 if there was none."""
        process, self._process = self._process, None
        if process is None:
            return 0
        assert process.stdin is not None and process.stdout is not None
        if process.poll() is None:
            process.kill()
        code = process.wait()
        process.stdout.close()
        # What it did not take any more is nobody's.
        with suppress(OSError):
            process.stdin.close()
        return code


@contextmanager
def _ending(process: "subprocess.Popen[bytes]", seconds: float) -> Iterator[None]:
    """A process that takes longer."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _refused(told: Mapping[str, Any]) -> RequestInvalid:
    faults = [Fault(*fault) for fault in told["faults"]]
    return RequestInvalid(told["what"], why=told["why"], code=told["code"], faults=faults)


def _no_reader(why: str) -> Failed:
    return Failed("the process that reads Parquet does not run", why=why, code="endpoint.no-reader")


def _data_of(pid: int) -> int:
    """Bytes that count against its limit; 0 where the system does not tell."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[5]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
