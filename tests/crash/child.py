"""The process that is killed: counts the product's lines, and stops itself dead at one of them.

Arguments: the line to die at (0: count only; -1: do not even count), the script, its arguments.
Writes acknowledgements to its standard output, one a line, and one line that begins with `@`: the
place of its death, or the number of lines it passed.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

_PRODUCT = str(Path(__file__).parents[2] / "freehold") + os.sep


def acknowledge(line: object) -> None:
    """One write, so that a line is there whole or not at all."""
    os.write(1, f"{line}\n".encode())


class Death:
    def __init__(self, kill_at: int) -> None:
        self.kill_at, self.passed = kill_at, 0

    def on_call(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self.on_line if frame.f_code.co_filename.startswith(_PRODUCT) else None

    def on_line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self.passed += 1
            if self.passed == self.kill_at:
                os.write(1, f"@{frame.f_code.co_filename}:{frame.f_lineno}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)
        return self.on_line


def main() -> None:
    kill_at, script = int(sys.argv[1]), sys.argv[2]
    sys.argv = ["script", *sys.argv[3:]]
    death = Death(kill_at)
    if kill_at >= 0:
        threading.settrace(death.on_call)
        sys.settrace(death.on_call)
    exec(compile(script, "script", "exec"), {"__name__": "__main__", "acknowledge": acknowledge})
    sys.settrace(None)
    if kill_at >= 0:
        acknowledge(f"@{death.passed}")


main()
