"""Environments to serve in, with what one runtime needs and nothing else.

`python -m benchmarks.serving.environment [--lock]` makes them, or chooses their versions anew.
"""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.setup import ROOT, PeerFailed, compiled, made

BARRED = ("pandas", "sklearn")


@dataclass(frozen=True)
class Serving:
    extras: tuple[str, ...]
    also: tuple[str, ...] = ()

    def lock(self, path: Path) -> None:
        """Among the versions that we are tested with."""
        extras = [f"--extra={extra}" for extra in self.extras]
        tested = ["--constraint", str(ROOT / "requirements" / "dev.txt")]
        compiled([str(ROOT / "pyproject.toml"), *extras, *tested], self.also, path)


ENVIRONMENTS: Mapping[str, Serving] = {
    "lightgbm": Serving(("signing", "fast", "lightgbm")),
    # The extra `onnx` converts too, and for that brings scikit-learn.
    "onnx": Serving(("signing", "fast"), ("onnxruntime>=1.22",)),
}
"""By the runtime's name."""


def locked(runtime: str) -> Path:
    return ROOT / "requirements" / f"serving-{runtime}.txt"


def interpreter(runtime: str) -> Path:
    """The Python of the environment, made when it is not there or its lock has changed.

    Raises PeerFailed, also if it has pandas or scikit-learn.
    """
    lock = locked(runtime)
    asked = ["--require-hashes", "-r", str(lock)]
    ours = ["--no-deps", "-e", str(ROOT)]
    # Which adapters there are is written down when ours is installed.
    pins = lock.read_text() + (ROOT / "pyproject.toml").read_text()
    python, _ = made(f"serving-{runtime}", pins, asked, ours)
    question = f"from importlib.util import find_spec; print(*filter(find_spec, {BARRED!r}))"
    found = subprocess.run([python, "-c", question], check=True, capture_output=True, text=True)
    if found.stdout.strip():
        raise PeerFailed(f"the environment to serve in has {found.stdout.strip()}")
    return python


def main() -> None:
    for name, serving in ENVIRONMENTS.items():
        if "--lock" in sys.argv[1:]:
            serving.lock(locked(name))
        else:
            print(f"{name}: {interpreter(name)}")


if __name__ == "__main__":
    main()
