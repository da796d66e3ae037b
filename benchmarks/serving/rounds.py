"""Servers that are loaded in turns: what disturbs one disturbs the others.

In every second round the order is reversed, so that none always comes after the same other.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from benchmarks.outcome import Outcome, tell
from benchmarks.serving.family import memory
from benchmarks.serving.load import Found, load, median
from benchmarks.serving.questions import SHAPES, body_file
from benchmarks.serving.standing import Standing

Medians = Mapping[tuple[str, int], Found]
"""By server and rows."""
LOOK = 0.25
"""Seconds between two looks at the memory."""


@dataclass(frozen=True)
class Counts:
    rounds: int
    seconds: int
    """Of one load."""
    starts: int
    """Of each server, of which the median counts."""


WHOLE = Counts(rounds=5, seconds=3, starts=3)
SHORT = Counts(rounds=1, seconds=1, starts=1)


def turns(servers: Sequence[Standing], rounds: int) -> list[list[Standing]]:
    return [list(servers)[:: -1 if number % 2 else 1] for number in range(rounds)]


def alternated(servers: Sequence[Standing], root: Path, counts: Counts) -> Medians:
    found: dict[tuple[str, int], list[Found]] = {}
    for rows, connections in SHAPES:
        for number, order in enumerate(turns(servers, counts.rounds)):
            for one in order:
                tell(f"{one.name}, {plural(rows)}, round {number + 1}")
                path = body_file(root, one.form, rows)
                loaded = load(one.url, path, one.pid, connections, counts.seconds)
                found.setdefault((one.name, rows), []).append(loaded)
    return {key: median(rounds) for key, rounds in found.items()}


def warmed(server: Standing, root: Path, seconds: int) -> float:
    """Loads it as it will be loaded; the megabytes that it had at most meanwhile."""

    def loaded() -> None:
        for rows, connections in SHAPES:
            path = body_file(root, server.form, rows)
            load(server.url, path, server.pid, connections, seconds)

    most = server.idle
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(loaded)
        while not under_way.done():
            most = max(most, memory(server.pid))
            sleep(LOOK)
        under_way.result()
    return most


def refuse_failed(medians: Medians) -> None:
    """Raises RuntimeError: rates of requests that failed say nothing."""
    for (name, rows), one in medians.items():
        if one.bad:
            raise RuntimeError(f"{name}, {plural(rows)}: {one.bad} requests failed")


def note(outcome: Outcome, medians: Medians) -> None:
    for (name, rows), one in medians.items():
        what = f"{name}, {plural(rows)}"
        outcome.figures[f"{what}, requests/s"] = one.rate
        outcome.figures[f"{what}, p50 ms"] = one.p50
        outcome.figures[f"{what}, p99 ms"] = one.p99
        outcome.figures[f"{what}, processor us a request"] = one.cpu


def compare(outcome: Outcome, medians: Medians, one: str, other: str, *what: str) -> None:
    """Ratios of two servers that were loaded in turns, at each shape."""
    names = {"rate": "requests/s", "p99": "p99", "cpu": "processor time"}
    for rows, _ in SHAPES:
        mine, theirs = medians[one, rows], medians[other, rows]
        for attribute in what:
            name = f"{one} / {other}, {plural(rows)}, {names[attribute]}"
            above, below = getattr(mine, attribute), getattr(theirs, attribute)
            outcome.ratios[name] = above / below if below else None


def plural(rows: int) -> str:
    return f"{rows} row{'s'[: rows > 1]}"
