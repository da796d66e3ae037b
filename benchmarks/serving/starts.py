"""How long from the start of a process to the first correct answer, how long the first request
takes once it is ready, and how much memory it has.

One server at a time, so that none shares the pages of another.
"""

import http.client
import statistics
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from benchmarks.outcome import Outcome, tell
from benchmarks.serving import servers
from benchmarks.serving.place import Place
from benchmarks.serving.questions import body
from benchmarks.serving.rounds import warmed
from benchmarks.serving.servers import LIMIT, OURS
from benchmarks.serving.standing import Server, Standing
from freehold.endpoint.endpoint_process import EndpointProcess

READY = 1.5
MEMORY = 250.0
ASKED, WARM = 1_000, 500
"""Requests one after the other, and those of them that the first one is held against."""
FIRST, LATER, SLOWEST = (
    f"{OURS}, {which} after it is ready, ms"
    for which in ("first request", "thousandth request", "99 % of requests")
)


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
    firsts(folder, place.counts.starts, outcome)
    for name in (OURS, servers.WITH_ONNX):
        outcome.aim(f"{ready(name)} (aim: {READY})", outcome.figures[ready(name)], _soon)
        outcome.aim(f"{loaded(name)} (aim: {MEMORY:.0f})", outcome.figures[loaded(name)], _small)
    for name in (OURS, servers.WITH_ONNX, servers.BESIDE):
        outcome.ratio(f"{name} / {LIMIT}, first correct answer", ready(name), ready(LIMIT))
        outcome.ratio(f"{name} / {LIMIT}, memory under load", loaded(name), loaded(LIMIT))


def firsts(folder: Path, starts: int, outcome: Outcome) -> None:
    """Of one row, on a connection that has been used: the median of the starts."""
    found: dict[str, list[float]] = {FIRST: [], LATER: [], SLOWEST: []}
    asked, headers = body(1), {"content-type": "application/json"}
    for number in range(starts):
        tell(f"first requests, start {number + 1}")
        with EndpointProcess.start(folder, runtime="lightgbm") as endpoint:
            client = http.client.HTTPConnection(endpoint.url.removeprefix("http://"))
            client.request("GET", "/v2/health/ready")
            client.getresponse().read()
            took = []
            for _ in range(ASKED):
                begun = perf_counter()
                client.request("POST", "/v2/models/m/infer", asked, headers)
                client.getresponse().read()
                took.append(1e3 * (perf_counter() - begun))
            client.close()
        later = sorted(took[WARM:])
        found[FIRST].append(took[0])
        found[LATER].append(statistics.median(later))
        found[SLOWEST].append(later[int(0.99 * len(later))])
    for name, values in found.items():
        outcome.figures[name] = statistics.median(values)
    outcome.ratio(f"{OURS}, first request / thousandth", FIRST, LATER)
    outcome.ratio(f"{OURS}, first request / 99 % of requests", FIRST, SLOWEST)


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
