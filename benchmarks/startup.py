"""How long until Freehold answers? `python -m benchmarks.startup [--json]`

The limit is the same interpreter doing nothing.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.peers.figures import seconds
from benchmarks.report import report, versions_of

QUESTION = "How long until Freehold answers, process and all?"
RUNS = 7
FREEHOLD = [sys.executable, "-m", "freehold.cli.main"]


def measure(command: list[str], folder: Path) -> float:
    """The quickest of several, in seconds. Raises CalledProcessError if the command fails."""

    def once() -> None:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)

    # A user's second command finds compiled code; so must ours, wherever it is measured.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    once()
    return min(seconds(once) for _ in range(RUNS))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="freehold-startup-") as name:
        folder = Path(name)
        subprocess.run(
            [*FREEHOLD, "init", "project", "--template", "blank"],
            cwd=folder,
            check=True,
            capture_output=True,
        )
        nothing = measure([sys.executable, "-c", "pass"], folder)
        figures: dict[str, float | None] = {
            "python -c pass, s": nothing,
            "import freehold, s": measure([sys.executable, "-c", "import freehold"], folder),
            "freehold --help, s": measure([*FREEHOLD, "--help"], folder),
            "freehold status, s": measure([*FREEHOLD, "status"], folder / "project"),
        }
    ratios: dict[str, float | None] = {
        f"{what.removesuffix(', s')} / python -c pass": value / nothing
        for what, value in figures.items()
        if value is not None
    }
    report(QUESTION, figures, ratios, versions_of("freehold"))


if __name__ == "__main__":
    main()
