"""The process that decodes Parquet: `python -m freehold.endpoint.parquet_worker`.

It says a line when it is there. It reads questions on its standard input, each a line of JSON
(`names`, `rows`, `bytes`, `length`) and a body of that length. It answers in lines of JSON:
`begin`, what is decoded next; and at last `columns`, or `error`. It ends with its input, and
wherever it meets what it does not know: a library that has panicked is not asked again.
"""

import os
import resource
import signal
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

import orjson

from freehold.domain.errors import RequestInvalid
from freehold.serving.parquet import columns_of
from freehold.serving.request import Limits

UNREADABLE, OUT_OF_MEMORY = 3, 4
"""What it ends with over a body, if it ends by itself."""


def main(memory: int, seconds: float) -> int:
    """`memory`: bytes; `seconds`: of the processor, for one body."""
    # A dump would leave what was sent on the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    _say(answers, {})
    while line := asked.readline():
        question = orjson.loads(line)
        body = asked.read(question["length"])
        # By the processor's time, not the clock's: what a busy machine does is nobody's fault.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        _say(answers, _answered(question, body, answers))
        signal.setitimer(signal.ITIMER_PROF, 0)
    return 0


def _answered(question: Mapping[str, Any], body: bytes, answers: BinaryIO) -> dict[str, Any]:
    limits = Limits(body_bytes=question["bytes"], rows=question["rows"])
    try:
        columns = columns_of(
            body, question["names"], limits, lambda name: _say(answers, {"begin": name})
        )
    except RequestInvalid as exc:
        faults = [(fault.code, fault.what, fault.where) for fault in exc.faults]
        return {"error": {"code": exc.code, "what": exc.what, "why": exc.why, "faults": faults}}
    # Python's own way to end would wait for threads of a library that has panicked.
    except BaseException as exc:  # noqa: BLE001
        os._exit(OUT_OF_MEMORY if "memory" in f"{exc!r}".lower() else UNREADABLE)
    return {"columns": columns}


def _say(answers: BinaryIO, told: Mapping[str, Any]) -> None:
    answers.write(orjson.dumps(told) + b"\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2])))
