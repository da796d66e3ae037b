"""What is odd about `release` in a project's file."""

from collections.abc import Iterator
from math import inf
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from freehold.app.project.schema import Reader
from freehold.delivery.freeze import dates_window, weekly_window
from freehold.domain.errors import Fault
from freehold.domain.project import ABTestSpec, BanditSpec, FreezeSpec, ReleaseSpec

TAKEN = ("prediction_id", "label", "labelled_at", "version")
"""Columns of labels that no metric may be named as."""


def odd_release(release: ReleaseSpec, reader: Reader) -> Iterator[Fault]:
    """Every value that no release could go by."""
    steps = release.steps
    if not steps or list(steps) != sorted(set(steps)) or steps[-1] != 100 or steps[0] <= 0:
        yield _odd(reader, "must grow, from above 0 to 100", "steps")
    if release.minimum_rows < 1:
        yield _odd(reader, "must be at least 1", "minimum_rows")
    if not 0 < release.false_rollbacks < 1:
        yield _odd(reader, "must lie between 0 and 1, both excluded", "false_rollbacks")
    for name, metric in release.metrics.items():
        if metric.drop < 0:
            where = reader.where(("release", "metrics", name))
            what = f"'release.metrics.{name}.drop' must be at least 0"
            yield Fault("project.wrong-value", what, where)
        if name in TAKEN:
            hint = f"taken: {', '.join(TAKEN)}"
            yield _odd(reader, "has the name of another column", "metrics", name, hint=hint)
    if not 0 <= release.objective.answered < 1:
        hint = "0.999 leaves room for one row in a thousand"
        what = "must be at least 0, and below 1"
        yield _odd(reader, what, "objective", "answered", hint=hint)
    for name in ("days", "rows"):
        if getattr(release.objective, name) < 1:
            yield _odd(reader, "must be at least 1", "objective", name)
    yield from _odd_strategies(release, reader)
    yield from _odd_freeze(release.freeze, reader)


def _odd_strategies(release: ReleaseSpec, reader: Reader) -> Iterator[Fault]:
    if not 0 < release.shadow.share <= 100:
        yield _odd(reader, "must lie above 0, and be at most 100", "shadow", "share")
    if release.rolling.batch < 1:
        yield _odd(reader, "must be at least 1", "rolling", "batch")
    if not 0 < release.rolling.at_most <= 100:
        yield _odd(reader, "must lie above 0, and be at most 100", "rolling", "at_most")
    times = {
        ("blue_green", "keep_minutes"): release.blue_green.keep_minutes,
        ("ab_test", "days"): release.ab_test.days,
        ("ab_test", "rows"): release.ab_test.rows,
        ("bandit", "days"): release.bandit.days,
        ("bandit", "every_minutes"): release.bandit.every_minutes,
        ("bandit", "window_hours"): release.bandit.window_hours,
        ("shadow", "hours"): release.shadow.hours,
        ("rolling", "soak_minutes"): release.rolling.soak_minutes,
        ("rolling", "reversal_minutes"): release.rolling.reversal_minutes,
    }
    trials: dict[str, ABTestSpec | BanditSpec]
    trials = {"ab_test": release.ab_test, "bandit": release.bandit}
    for name, trial in trials.items():
        if trial.metric and trial.metric not in release.metrics:
            hint = f"there are: {', '.join(release.metrics) or 'none'}"
            yield _odd(reader, "is none of release.metrics", name, "metric", hint=hint)
        if not 0 < trial.share < 100:
            yield _odd(reader, "must lie between 0 and 100, both excluded", name, "share")
    if not 0 < release.ab_test.risk < 1:
        yield _odd(reader, "must lie between 0 and 1, both excluded", "ab_test", "risk")
    if not 0 <= release.bandit.floor <= 50:
        yield _odd(reader, "must lie between 0 and 50", "bandit", "floor")
    if not 0.5 < release.bandit.sure < 1:
        yield _odd(reader, "must lie between 0.5 and 1, both excluded", "bandit", "sure")
    for path, value in times.items():
        if not 0 <= value < inf:
            yield _odd(reader, "must be at least 0, and finite", *path)


def _odd_freeze(freeze: FreezeSpec, reader: Reader) -> Iterator[Fault]:
    if freeze.time_zone != "UTC":
        try:
            ZoneInfo(freeze.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            hint = "name it like Europe/Zurich; where no zones are installed: pip install tzdata"
            yield _odd(
                reader, "is no time zone that is known here", "freeze", "time_zone", hint=hint
            )
    for place, texts, read in (
        ("weekly", freeze.weekly, weekly_window),
        ("dates", freeze.dates, dates_window),
    ):
        for number, text in enumerate(texts):
            try:
                read(text)
            except ValueError as exc:
                yield _odd(reader, f"has '{text}': {exc}", "freeze", place, str(number))


def _odd(reader: Reader, what: str, *path: str, hint: str = "") -> Fault:
    named = ".".join(("release", *(part for part in path if not part.isdigit())))
    where = reader.where(("release", *path))
    return Fault("project.wrong-value", f"'{named}' {what}", where, hint)
