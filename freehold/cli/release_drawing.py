"""Releases drawn in the terminal, once or as they change."""

from collections.abc import Callable, Iterator
from time import sleep
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from freehold.cli import drawing

BAR = 40
"""Characters for all traffic."""
GAUGE = 24
"""Characters for a figure's interval; its limit stands in the middle."""
EVERY = 1.0
"""Seconds between two looks."""

Found = dict[str, Any]


def draw(found: Found) -> None:
    """On stdout."""
    drawing.console().print(_whole(found))


def watch(look: Callable[[], Found], every: float = EVERY) -> None:
    """Until none runs any more, or until interrupted; the last picture stays."""
    found = look()
    live = Live(_whole(found), console=drawing.console(), auto_refresh=False)
    try:
        # Not by `with`: whoever interrupts the first picture gets the cursor back, too.
        live.start(refresh=True)
        while any(one["status"] == "running" for one in found["releases"]):
            sleep(every)
            found = look()
            live.update(_whole(found), refresh=True)
    finally:
        live.stop()


def _whole(found: Found) -> RenderableType:
    parts = [part for one in found["releases"] for part in _release(one)]
    return Group(*parts) if parts else Text(f"no release was begun at {found['site']}")


def _release(one: Found) -> Iterator[RenderableType]:
    beside = "" if one["champion"] is None else f" beside {one['champion']}"
    ended = f", {one['guardrail']}" if one["guardrail"] else ""
    name = f"{one['model']}@{one['version']}"
    yield Text(
        f"release {one['release']}: {name}{beside}, {one['strategy']}, {_status(one)}{ended}"
    )
    yield Text(f"  {_bar(one['weight'])} {one['weight']} %   {_steps(one)}")
    if len(one["batches"]) > 1 or one["unready"]:
        yield Text(f"  {_sites(one)}")
    if one["trial"]:
        yield Text(f"  {_trial(one['trial'])}")
    if one["held"]:
        yield Text(f"  held: {_held(one)}")
    for each in one["witnesses"]:
        yield Text(f"  {each['told']}")
    if one["looks"]:
        look = one["looks"][0]
        yield Text(f"  this step: {look['rows']:,} rows, {look['errors']:,} failed; {_next(one)}")
        if any(each["figures"] for each in one["looks"]):
            yield _figures(look["figures"])


def _status(one: Found) -> str:
    return "paused" if one["held"] == "paused" else str(one["status"])


def _bar(weight: int) -> str:
    full = round(weight / 100 * BAR)
    return "█" * full + "░" * (BAR - full)


def _steps(one: Found) -> str:
    """The steps, the running one in brackets; region after region, those of the running one."""
    named = [f"{step} %" for step in one["steps"]]
    if one["status"] == "running":
        named[one["step"]] = f"[{named[one['step']]}]"
    if one["strategy"] != "rolling":
        each = len(named) // len(one["batches"])
        named = named[one["stage"] * each : (one["stage"] + 1) * each]
    return " → ".join(named)


def _sites(one: Found) -> str:
    """Batch by batch: who serves it, who of the running step is ready, who went back."""
    marks = dict.fromkeys(one["ready"], " ready")
    marks |= dict.fromkeys(one["unready"], " not ready")
    marks |= dict.fromkeys(one["gone_back"], " went back")
    batches = [
        ", ".join(f"{name}{marks.get(name, '')}" for name in batch) for batch in one["batches"]
    ]
    return "sites: " + " → ".join(batches)


def _trial(trial: Found) -> str:
    effect = trial["effect"]
    if trial["arms"]:
        earned = [f"{one['mean']:.3g} on {one['rows']:,} rows" for one in trial["arms"]]
        known = f"champion {earned[0]}, version {earned[1]}"
    elif effect is None or effect["value"] is None:
        known = "not known yet"
    else:
        bounds = f"{effect['low']:+.3g} to {effect['high']:+.3g}"
        known = f"{effect['value']:+.3g} ({bounds}), {effect['count']:,} rows"
    told = {"version": "the version is better", "champion": "the champion is better"}
    word = told.get(trial["winner"], "undecided" if trial["winner"] else "not told yet")
    return f"trial of {trial['metric']}: {known}; {word}"


def _held(one: Found) -> str:
    if one["held"] == "sample-ratio":
        return "ids do not go to the versions in the table's shares"
    if one["frozen"] is None:
        return str(one["held"])
    why, until = one["frozen"], ""
    until = f", until {why['until']}" if why["until"] else ""
    return f"frozen by {why['reason']} {why['name']}{until}"


def _next(one: Found) -> str:
    word, _, detail = one["next"].partition(":")
    if word == "wait":
        reason, have, need = detail.split(":")
        told = {
            "rows": f"of {int(need):,} rows",
            "sites": f"{have} of {need} sites are ready",
            "time": f"{have} of {need} seconds passed",
        }
        return told.get(reason, f"waits: {reason}")
    told = {
        "promote": f"next: {detail} %",
        "complete": "next: the champion",
        "decide": "next: the result",
        "weigh": f"next: {detail} %",
        "roll-back": f"next: back, for {detail}",
    }
    return told[word]


def _figures(figures: list[Found]) -> Table:
    drawn = Table(box=None, pad_edge=False, padding=(0, 2))
    for column, flush in (("  figure", "left"), ("value", "right"), ("limit", "right")):
        drawn.add_column(column, justify="right" if flush == "right" else "left")
    drawn.add_column("interval against its limit")
    for one in figures:
        which = "" if one["quantile"] is None else f" p{one['quantile'] * 100:g}"
        name = f"  {one['guardrail']}{which}"
        drawn.add_row(name, f"{one['value']:.3g}", f"{one['limit']:.3g}", _gauge(one))
    return drawn


def _gauge(one: Found) -> str:
    """From nothing to twice the limit, the limit marked; what lies beyond is cut."""
    if one["low"] is None or one["high"] is None:
        return "not sure yet"
    whole = 2 * one["limit"] or 1.0
    first, last = (_place(one[bound] / whole) for bound in ("low", "high"))
    marks = ["━" if first <= at <= last else "·" for at in range(GAUGE)]
    marks[GAUGE // 2] = "┃"
    return "".join(marks) + f" {one['low']:.3g} to {one['high']:.3g}"


def _place(share: float) -> int:
    return min(max(round(share * GAUGE), 0), GAUGE - 1)
