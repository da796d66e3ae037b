"""How long from the start of a process to the first correct answer, and how much memory it has.

One server at a time, so that none shares the pages of another.
"""

import statistics
from collections.abc import Callable

from benchmarks.outcome import Outcome, tell
from benchmarks.serving import servers
from benchmarks.serving.place import Place
from benchmarks.serving.rounds import warmed
from benchmarks.serving.servers import LIMIT, OURS
from benchmarks.serving.standing import Server, Standing

READY = 1.5
MEMORY = 250.0


def ready(name: str) -> str:
    return f"{name}, first correct answer after s"


def spent(name: str) -> str:
    return f"{name}, first correct answer after processor s"


def idle(name: str) -> str:
    return f"{name}, memory before it is loaded, MB"


def loaded(name: str) -> str:
    return f"{name}, memory under load, MB"


def measure(place: Place, outcome: Outcome) -> None:
    folder = place.plain("starts").path
    asked = [
        servers.limit(place.root),
        servers.ours(folder),
        servers.ours(folder, servers.WITH_ONNX, "onnx"),
        servers.in_this_environment(folder),
    ]
    for one in asked:
        note(one, place, outcome)
    for name in (OURS, servers.WITH_ONNX):
        outcome.aim(f"{ready(name)} (aim: {READY})", outcome.figures[ready(name)], _soon)
        outcome.aim(f"{loaded(name)} (aim: {MEMORY:.0f})", outcome.figures[loaded(name)], _small)
    for name in (OURS, servers.WITH_ONNX, servers.BESIDE):
        outcome.ratio(f"{name} / {LIMIT}, first correct answer", ready(name), ready(LIMIT))
        outcome.ratio(f"{name} / {LIMIT}, memory under load", loaded(name), loaded(LIMIT))


def note(
    server: Server,
    place: Place,
    outcome: Outcome,
    then: Callable[[Standing], None] = lambda _: None,
) -> None:
    """Started some times; the median counts, and of memory the most while it is loaded.

    `then`: what else is done while it stands for the last time.
    """
    seconds, used, before = [], [], []
    for number in range(place.counts.starts):
        tell(f"{server.name}, start {number + 1}")
        with place.standing(server) as one:
            seconds.append(one.ready)
            used.append(one.spent)
            before.append(one.idle)
            if number < place.counts.starts - 1:
                continue
            most = warmed(one, place.root, place.counts.seconds)
            outcome.figures[ready(server.name)] = statistics.median(seconds)
            outcome.figures[spent(server.name)] = statistics.median(used)
            outcome.figures[idle(server.name)] = statistics.median(before)
            outcome.figures[loaded(server.name)] = most
            then(one)


def _soon(seconds: float) -> bool:
    return seconds < READY


def _small(megabytes: float) -> bool:
    return megabytes < MEMORY
