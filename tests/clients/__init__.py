"""Other people's clients, unchanged, in an environment of their own: `make clients`.

Each module beside this one is a program that is run there: it takes a URL and, from standard
input, a question as JSON, and prints as JSON what its client made of the answers.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BIN = HERE.parents[1] / ".environments" / "clients" / "bin"


class ClientFailed(Exception):
    """It is not installed, or ended with an error; the text has the end of its output."""


def run(name: str, url: str, question: Any) -> Any:
    """What the program of this name prints. Raises ClientFailed."""
    return json.loads(call(["python", str(HERE / f"{name}.py"), url], json.dumps(question)))


def call(command: list[str], given: str = "", timeout: float = 120) -> str:
    """Standard output of a command of that environment. Raises ClientFailed."""
    program = BIN / command[0]
    if not program.exists():
        raise ClientFailed(f"{program} is not there\n  hint: make clients")
    done = subprocess.run(
        [str(program), *command[1:]],
        input=given,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode != 0:
        raise ClientFailed(f"{command} ended with {done.returncode}: {done.stderr[-3000:]}")
    return done.stdout
