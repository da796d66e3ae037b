"""The solver says nothing on standard output, from the first time a process uses it."""

import subprocess
import sys

SCRIPT = """
from random import Random

from freehold.adapters.highs.solver import HighsSolver
from freehold.domain.placement import Crossing, Flow, Objective, Option, Problem, Task

chance = Random(2)
tasks = tuple(
    Task(
        f"t{number}",
        tuple(
            Option(site, str(kind), chance.uniform(1, 5), 0.0, chance.uniform(10, 999), {"p": 1.0})
            for site in "abc"
            for kind in range(3)
        ),
    )
    for number in range(8)
)
flows = tuple(
    Flow(f"f{number}", chance.uniform(0, 30), (f"t{number + 1}",), f"t{number}")
    for number in range(7)
)
crossings = {(a, b): Crossing(0.1, 0.0, 8.0) for a in "abc" for b in "abc" if a != b}
problem = Problem(tasks, flows, crossings, Objective(), deadline=2500.0, quotas={"p": 2.0})
HighsSolver().solve(problem, 20.0, 0.0)
"""


def test_nothing_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
