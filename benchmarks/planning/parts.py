"""`python -m benchmarks.planning.parts SEED STEPS SITES`: one whole plan, as JSON of `Whole`."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

from benchmarks.peak import peak_bytes
from benchmarks.planning.projects import HOME, write_project
from benchmarks.planning.whole import (
    EXPLAINING,
    GROUND,
    PARTS,
    POSING,
    REST,
    SITUATIONS,
    SOLVING,
    VERDICTS,
    Whole,
)
from freehold.app.run.placement.ground import ground_of
from freehold.app.run.placement.laws import laws_of
from freehold.app.run.plan import plan_run
from freehold.app.site.opening import open_site
from freehold.planning.ground import Laws
from freehold.planning.options import situations
from freehold.planning.placed import Placed
from freehold.planning.placing import place
from freehold.planning.problem import pose

CHOOSING = "freehold.app.run.placement.choosing"
PLACING = "freehold.planning.placing"


class Spans:
    """Seconds by part. What a part does within another is not of the outer one."""

    def __init__(self, parts: tuple[str, ...]) -> None:
        self.seconds, self.entered = dict.fromkeys(parts, 0.0), dict.fromkeys(parts, 0)
        self._open: list[str] = []
        self._since = 0.0

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        self._stop()
        self._open.append(part)
        self.entered[part] += 1
        try:
            yield
        finally:
            self._stop()
            self._open.pop()

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def inner(*given: Any, **named: Any) -> Any:
            with self.of(part):
                return function(*given, **named)

        return inner

    def _stop(self) -> None:
        now = perf_counter()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now


def measured_whole(seed: int, steps: int, sites: int) -> Whole:
    """In this process."""
    spans = Spans(PARTS)
    with TemporaryDirectory(prefix="freehold-planning-") as folder:
        root = Path(folder)
        write_project(root, seed, steps, sites)
        with open_site(root, site=HOME) as site, timed_parts(spans):
            began, worked = perf_counter(), process_time()
            with spans.of(REST):
                placed = _placed(plan_run(site).plan.placed)
            took, processor = perf_counter() - began, process_time() - worked
    return Whole(
        seconds=took,
        processor=processor,
        parts=spans.seconds,
        gap=placed.solution.gap,
        entered=spans.entered,
        denied=sum(one.rule == "policy" for step in placed.steps for one in step.refused),
        megabytes=peak_bytes() / 2**20,
    )


@contextmanager
def timed_parts(spans: Spans) -> Iterator[None]:
    """What the product calls for a plan counts where it belongs. `place` explains what remains of
    it beside posing and solving."""
    with ExitStack() as stack:
        for name, function in (
            (f"{CHOOSING}.ground_of", spans.timed(GROUND, ground_of)),
            (f"{CHOOSING}.laws_of", _laws_of(spans)),
            (f"{CHOOSING}.situations", spans.timed(SITUATIONS, situations)),
            (f"{CHOOSING}.place", _place(spans)),
            (f"{PLACING}.pose", spans.timed(POSING, pose)),
        ):
            stack.enter_context(patch(name, function))
        yield


def _laws_of(spans: Spans) -> Callable[..., Laws]:
    read = spans.timed(GROUND, laws_of)

    @wraps(laws_of)
    def timed(*given: Any) -> Laws:
        laws: Laws = read(*given)
        return replace(laws, denials=spans.timed(VERDICTS, laws.denials))

    return timed


def _place(spans: Spans) -> Callable[..., Placed]:
    explained = spans.timed(EXPLAINING, place)

    @wraps(place)
    def timed(*given: Any) -> Placed:
        placed: Placed = explained(*given[:-1], spans.timed(SOLVING, given[-1]))
        return placed

    return timed


def _placed(placed: Placed | None) -> Placed:
    if placed is None:
        raise RuntimeError("the project's sites state machines, and nothing was placed")
    return placed


if __name__ == "__main__":
    print(json.dumps(asdict(measured_whole(*map(int, sys.argv[1:4])))))
