"""A whole plan, from the opened project on, timed by its parts in a process of its own.

What is loaded when it is first used, such as the solver, counts: so it does for whoever types
`freehold plan`. Nothing of the product is imported here: processes that begin with this one's
modules, as those of `measures` do, would have it in their memory.
"""

import json
import subprocess
import sys
from dataclasses import dataclass

REST = "code, history, digests"
GROUND = "ground and laws"
VERDICTS = "verdicts"
SITUATIONS = "situations"
POSING = "posing"
SOLVING = "solving"
EXPLAINING = "explaining"
PARTS = (REST, GROUND, VERDICTS, SITUATIONS, POSING, SOLVING, EXPLAINING)


@dataclass(frozen=True)
class Whole:
    seconds: float
    processor: float
    parts: dict[str, float]
    """Seconds of each of `PARTS`: together all of them."""
    entered: dict[str, int]
    """How often each of `PARTS` was begun."""
    gap: float
    denied: int
    """Pairs of step and site."""
    megabytes: float
    """That the process had at most."""

    @property
    def verdicts(self) -> int:
        """How often the policies were asked."""
        return self.entered[VERDICTS]


def whole(seed: int, steps: int, sites: int) -> Whole:
    """Raises CalledProcessError."""
    asked = [str(one) for one in (seed, steps, sites)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.planning.parts", *asked],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Whole(**json.loads(done.stdout))
