"""How often does a release with nothing wrong go back, and how soon one with something wrong?

`python -m benchmarks.delivery [--json] [--short]`. Canaries are simulated request by request
(`traffic.py` says how) and looked at after every fifty. Beside our rule: the tests of a single
look, repeated at every one, and fixed thresholds on the last 300 requests, of which the fifth
failed check rolls back, as Flagger and Argo Rollouts do. `nothing wrong`: the canary is the
champion, with half of the errors that are allowed. `at the limits`: it is as bad in all four
figures as is just allowed. What is planted is looked for by the one figure that shows it. Both are
simulated again for our rule with what else may roll back: labels that come late and in another
order, a metric of the project's own, two sites that each look; and with a look after every request.
What holds a release instead, ids that go astray, has simulations of its own (`mismatch.py`).
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from scipy import stats

from benchmarks.delivery import mismatch
from benchmarks.delivery.rules import DROP, RULES, Course, Looks, simulated
from benchmarks.delivery.traffic import World, auc_lost, stability_of, tilted
from benchmarks.report import report, versions_of
from freehold.domain.project import GuardrailSpec

QUESTION = "How often does a healthy release go back, and how soon a sick one?"
SEED = 2_000
RELEASES, PLANTED, LONG, SHORT = 10_000, 1_000, 300, 20
"""Simulated releases: healthy ones, sick ones, those that take long to tell; and how many times
fewer in a short run."""
OTHERS = 5
"""Times fewer for the repeated tests, which need no tight bound."""
HEALTHY = Course(every=50, requests=1_800, starts=(0, 600, 1_200))
"""Three steps of 600 requests; the four guardrails."""
EARNED = replace(HEALTHY, guards=(*HEALTHY.guards, "earned"), sites=2)
CONSTANT = replace(EARNED, every=1, requests=600, starts=(0, 200, 400), sites=1)
EVERY_REQUEST, LATE = 1_000, 200.0
"""Releases that are looked at after every request; by how many requests labels are late."""
LONGEST = 20_000


def planted(noises: Mapping[float, float]) -> Iterator[tuple[str, World, Course]]:
    """What is wrong, and by which figure it is looked for; `noises` by the AUC that they cost."""
    long = Course(every=250, requests=LONGEST)
    soon = Course(every=50, requests=5_000)
    yield "errors 1 % → 2 %", World(errors=0.02), replace(long, guards=("errors",))
    yield "errors 1 % → 5 %", World(errors=0.05), replace(soon, guards=("errors",))
    tight = GuardrailSpec(latency_ratio=1.1)
    slow = replace(soon, guards=("latency",), limits=tight)
    yield "all times × 1.3, limit 1.1", World(slower=1.3), slow
    slow = replace(long, guards=("latency",), limits=tight)
    yield "slowest 5 % × 1.3, limit 1.1", World(tail=1.3), slow
    yield "slowest 5 % × 3", World(tail=3.0), replace(long, guards=("latency",))
    for index in (0.5, 1.5):
        scores = tilted(strength(index))
        yield f"score shift {index}", World(scores=scores), replace(soon, guards=("scores",))
    for lost, noise in noises.items():
        course = replace(long if lost < 0.1 else soon, guards=("quality",))
        yield f"AUC lost {lost}", World(noise=noise), course
    for earned in (0.8, 0.6):
        course = replace(long if earned == 0.8 else soon, guards=("earned",))
        yield f"earned 1 → {earned}, limit {1 - DROP}", World(earned=earned), course


def at_the_limits(noise: float) -> World:
    limits = HEALTHY.limits
    return World(
        errors=limits.error_rate,
        slower=limits.latency_ratio,
        scores=tilted(strength(limits.score_shift)),
        noise=noise,
        earned=1 - DROP,
    )


def strength(index: float) -> float:
    """Of the lean whose stability index is this."""
    low, high = 0.0, 5.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if stability_of(tilted(middle)) < index else (low, middle)
    return low


def noise_of(lost: float) -> float:
    """Of the scores that loses so much AUC."""
    low, high = 0.0, 5.0
    for _ in range(12):
        middle = (low + high) / 2
        found = auc_lost(middle, np.random.default_rng(SEED))
        low, high = (middle, high) if found < lost else (low, middle)
    return low


def healthy(world: World, releases: int, seed: int) -> dict[str, float]:
    """Shares of releases that go back, and the 99 % bound above which the rate is refuted."""
    names = ("ours", "fixed threshold")
    found = simulated(world, HEALTHY, releases, names, np.random.default_rng(seed))
    few, repeated = max(releases // OTHERS, 1), ("a single look's tests, repeated",)
    found |= simulated(world, HEALTHY, few, repeated, np.random.default_rng(seed + 1))
    return {name: back(looks, HEALTHY) for name, looks in found.items()} | bound(HEALTHY, releases)


def back(looks: Looks, course: Course) -> float:
    return float((looks < len(course.looks)).mean())


def bound(course: Course, releases: int) -> dict[str, float]:
    """The share of releases above which the stated rate is refuted."""
    most = float(stats.binom.ppf(0.99, releases, course.false_rollbacks)) / releases
    return {"ours may be, at 99 %": most}


def harder(cases: Mapping[str, World], less: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Our rule alone, which others have no words for: what comes late, what is earned, two sites;
    and a look after every request."""
    for at, (name, world) in enumerate(cases.items()):
        for more, (told, course, count) in enumerate(
            (
                ("late, earned, two sites", EARNED, RELEASES // less),
                ("looked at after every request", CONSTANT, EVERY_REQUEST // less),
            )
        ):
            late = replace(world, late=LATE)
            random = np.random.default_rng(SEED + 50 + 10 * at + more)
            looks = simulated(late, course, count, ("ours",), random)["ours"]
            yield f"{name}, {told}", {"ours": back(looks, course)} | bound(course, count)


def caught(looks: Looks, course: Course) -> dict[str, float | None]:
    """Share that went back, and the median and 90th percentile of the requests that it took, over
    all releases: nothing where fewer went back."""
    took = np.append(course.looks, -1)[looks]
    told: dict[str, float | None] = {"caught": float((took > 0).mean())}
    for name, share in (("median", 0.5), ("90th percentile", 0.9)):
        enough = (took > 0).mean() >= share
        ordered = np.sort(np.where(took > 0, took, LONGEST + 1))
        place = min(int(np.ceil(share * len(ordered))), len(ordered)) - 1
        told[f"requests, {name}"] = float(ordered[place]) if enough else None
    return told


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.delivery")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--short", action="store_true")
    given = parser.parse_args()
    less = SHORT if given.short else 1
    noises = {lost: noise_of(lost) for lost in (0.02, 0.05, 0.1)}
    figures: dict[str, float | None] = {"stated rate of false rollbacks": HEALTHY.false_rollbacks}
    ratios: dict[str, float | None] = {}
    cases = {"nothing wrong": World(), "at the limits": at_the_limits(noises.pop(0.02))}
    for number, (name, world) in enumerate(cases.items()):
        shares = healthy(world, RELEASES // less, SEED + 10 * number)
        print(f"{name}: {shares}", file=sys.stderr)
        figures |= {f"{name}, rolled back, {rule}": share for rule, share in shares.items()}
        ratios[f"{name}, ours / stated"] = shares["ours"] / HEALTHY.false_rollbacks
    for name, shares in harder(cases, less):
        print(f"{name}: {shares}", file=sys.stderr)
        figures |= {f"{name}, rolled back, {rule}": share for rule, share in shares.items()}
        ratios[f"{name}, ours / stated"] = shares["ours"] / HEALTHY.false_rollbacks
    for number, (name, world, course) in enumerate(planted(noises)):
        count = (LONG if course.requests == LONGEST else PLANTED) // less
        random = np.random.default_rng(SEED + 100 + number)
        found = simulated(world, course, count, tuple(RULES), random)
        print(f"{name}: {count} releases", file=sys.stderr)
        for rule, looks in found.items():
            told = caught(looks, course)
            figures |= {f"{name}, {rule}, {what}": value for what, value in told.items()}
    figures |= mismatch.measured(HEALTHY, RELEASES // less, PLANTED // less, SEED + 300)
    versions = versions_of("freehold", "numpy")
    versions["releases"] = f"{RELEASES // less}, seeds {SEED} on"
    report(QUESTION, figures, ratios, versions)


if __name__ == "__main__":
    main()
