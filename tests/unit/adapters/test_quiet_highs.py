"""The solver says nothing on standard output, from the first time a process uses it."""

import subprocess
import sys

SCRIPT = """
from freehold.adapters.highs.solver import HighsSolver
from freehold.domain.placement import Option, Problem, Task

options = tuple(Option(site, "m", money, 0.0, 10.0, {"cpus": 1.0})
                for site, money in (("a", 1.0), ("b", 2.0)))
tasks = tuple(Task(f"t{number}", options) for number in range(6))
found = HighsSolver().solve(Problem(tasks, quotas={"cpus": 6.0}, budget=9.0), 10.0, 0.0)
from freehold.adapters.highs.quiet import QuietHighs
highs = QuietHighs()
highs.addVar(0.0, 1.0)
highs.run()
"""


def test_nothing_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
