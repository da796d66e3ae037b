"""Everything switched on, beside a bare server that predicts, and the same that does not."""

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from operator import ge, le

from benchmarks.outcome import Outcome
from benchmarks.serving import servers
from benchmarks.serving.place import Place
from benchmarks.serving.questions import SHAPES
from benchmarks.serving.rounds import alternated, note, plural, refuse_failed, warmed
from benchmarks.serving.servers import BAREST, CONSTANT, LIMIT, OURS

RATE = {1: 0.5, 64: 0.7}
P99 = 3.0


def measure(place: Place, outcome: Outcome) -> None:
    with ExitStack() as stack:
        bare, barest = (
            stack.enter_context(place.standing(servers.limit(place.root, name=name)))
            for name in (LIMIT, BAREST)
        )
        folder = place.plain("limits")
        ours = stack.enter_context(place.standing(servers.ours(folder.path)))
        constant = replace(bare, name=CONSTANT, url=bare.url.replace("/predict", "/const"))
        for one in (bare, barest, ours):
            warmed(one, place.root, place.counts.seconds)
        medians = alternated([constant, bare, barest, ours], place.root, place.counts)
    refuse_failed(medians)
    note(outcome, medians)
    for rows, _ in SHAPES:
        mine, theirs = medians[OURS, rows], medians[LIMIT, rows]
        name = f"{OURS} / {LIMIT}, {plural(rows)}"
        rate = f"{name}, requests/s (aim: {RATE[rows]})"
        slowest = f"{name}, p99 (aim: {P99})"
        outcome.ratios[rate] = mine.rate / theirs.rate
        outcome.ratios[slowest] = mine.p99 / theirs.p99
        outcome.ratios[f"{name}, processor time"] = mine.cpu / theirs.cpu
        for other in (BAREST, CONSTANT):
            ratio = mine.rate / medians[other, rows].rate
            outcome.ratios[f"{OURS} / {other}, {plural(rows)}, requests/s"] = ratio
        outcome.aim(rate, outcome.ratios[rate], partial(le, RATE[rows]))
        outcome.aim(slowest, outcome.ratios[slowest], partial(ge, P99))
