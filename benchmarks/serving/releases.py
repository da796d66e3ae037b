"""Versions that are released one after the other while many clients ask, and none is failed.

A release brings a version that is not loaded: first as a canary of half of the keys, then as the
champion, whereupon the one before is let go of.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

import orjson

from benchmarks.outcome import Outcome, tell
from benchmarks.serving import servers
from benchmarks.serving.folder import ServingFolder
from benchmarks.serving.load import Found, load, median
from benchmarks.serving.place import Place
from benchmarks.serving.questions import SHAPES, body_file
from benchmarks.serving.rounds import plural, warmed
from benchmarks.serving.servers import INFER, OURS
from benchmarks.serving.standing import Standing

VERSIONS = 12
"""That take turns: of those, no more than two are loaded at a time."""
LOADS = 2
"""A round is as many times as long as others are: a release takes its time."""
PAUSE = 0.02
PATIENCE = 60.0
RELEASED = f"{OURS} during releases"
FAILED = f"{RELEASED}, failed requests (aim: 0)"


@dataclass
class Releases:
    """Released so far, of one endpoint."""

    folder: ServingFolder
    url: str
    serving: int = 1
    made: int = 0
    took: float = 0.0
    """Seconds."""

    def until(self, over: "Future[Any]") -> None:
        """One after the other, until what runs beside is over."""
        begun = time.perf_counter()
        while not over.done():
            following = self.serving % VERSIONS + 1
            self._in_force(self.folder.route(50.0, 50.0, versions=(self.serving, following)))
            self._in_force(self.folder.route(100.0, versions=(following,)))
            self.serving, self.made = following, self.made + 1
        self.took += time.perf_counter() - begun

    def _in_force(self, table: int) -> None:
        """Raises RuntimeError if it is refused."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with urlopen(f"{self.url}/freehold/routing", timeout=PATIENCE) as answer:
                told = orjson.loads(answer.read())
            if told["refused"] is not None:
                raise RuntimeError(f"a release was refused: {told['refused']}")
            if told["version"] == table:
                return
            time.sleep(PAUSE)
        raise RuntimeError("a release was not taken up")


def measure(place: Place, outcome: Outcome) -> None:
    folder = place.folder("releases", VERSIONS)
    folder.route(100.0)
    with place.standing(servers.ours(folder.path)) as ours:
        warmed(ours, place.root, place.counts.seconds)
        releases = Releases(folder, ours.url.removesuffix(INFER))
        failed = 0
        for rows, connections in SHAPES:
            alone, during = alternated(releases, ours, place, rows, connections)
            what = f"{RELEASED}, {plural(rows)}"
            outcome.figures[f"{what}, requests/s"] = during.rate
            outcome.figures[f"{what}, p99 ms"] = during.p99
            outcome.ratios[f"{RELEASED} / left alone, {plural(rows)}, requests/s"] = (
                during.rate / alone.rate
            )
            outcome.ratios[f"{RELEASED} / left alone, {plural(rows)}, p99"] = during.p99 / alone.p99
            failed += alone.bad + during.bad
    outcome.figures[f"{RELEASED}, releases/s"] = releases.made / releases.took
    outcome.figures[FAILED] = failed
    outcome.aim(FAILED, failed, lambda found: found == 0)


def alternated(
    releases: Releases, ours: Standing, place: Place, rows: int, connections: int
) -> tuple[Found, Found]:
    """The medians of the same endpoint, left alone and during releases."""
    path = body_file(place.root, ours.form, rows)
    seconds = LOADS * place.counts.seconds
    found: dict[bool, list[Found]] = {False: [], True: []}
    with ThreadPoolExecutor(1) as pool:
        for number in range(place.counts.rounds):
            for released in (False, True)[:: -1 if number % 2 else 1]:
                with_or_without = RELEASED if released else OURS
                tell(f"{with_or_without}, {plural(rows)}, round {number + 1}")
                loaded = pool.submit(load, ours.url, path, ours.pid, connections, seconds)
                if released:
                    releases.until(loaded)
                found[released].append(loaded.result())
    return median(found[False]), median(found[True])
