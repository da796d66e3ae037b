"""A chart of money by day and group as SVG: stacked bars, axes, a legend, a title for those who
hear it; in light and dark, as whoever looks prefers.

Colours: the eight of Okabe and Ito, «Color Universal Design», 2008, without black and yellow,
which keep apart for the colour-blind; more groups than that become one, `others`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
OTHERS = "others"
GREY = "#8a8a8a"
WIDTH, HEIGHT = 860, 360
LEFT, TOP, RIGHT, BOTTOM = 72, 56, 180, 44
"""Margins, for the scale, the title, the legend and the days."""
TICKS = 5
DAYS_TOLD = 8
STYLE = """\
.bg{fill:#ffffff}.ink{fill:#1f2328}.soft{fill:#59636e}.line{stroke:#d1d9e0}
@media (prefers-color-scheme:dark){.bg{fill:#0d1117}.ink{fill:#f0f6fc}.soft{fill:#9198a1}\
.line{stroke:#3d444d}}
text{font:12px system-ui,sans-serif}.title{font-size:15px;font-weight:600}"""


@dataclass(frozen=True)
class Stacks:
    """What is drawn."""

    title: str
    unit: str
    """A currency, or `kgCO2e`."""
    days: Sequence[str]
    """Along the axis; each has one bar."""
    groups: Mapping[str, Sequence[float]]
    """Name → an amount for each day. Below nothing is drawn as nothing, and its sum is told."""


def svg(stacks: Stacks) -> str:
    """Raises ValueError if a group has no finite amount for each day."""
    for name, amounts in stacks.groups.items():
        if len(amounts) != len(stacks.days) or not all(map(math.isfinite, amounts)):
            raise ValueError(f"{name}: a finite amount for each of {len(stacks.days)} days")
    groups = _few(stacks.groups)
    heights = [
        sum(max(amounts[place], 0.0) for amounts in groups.values())
        for place in range(len(stacks.days))
    ]
    top, step = _scale(max(heights, default=0.0))
    told = _told(stacks, groups)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(stacks.title)}</title>',
            f'<desc id="desc">{escape(told)}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="bg" width="{WIDTH}" height="{HEIGHT}"/>',
            f'<text class="title ink" x="{LEFT}" y="28">{escape(stacks.title)}</text>',
            *_axis(top, step, stacks.unit),
            *_bars(groups, len(stacks.days), top, stacks),
            *_days(stacks.days),
            *_legend(groups, stacks.unit),
            "</svg>\n",
        ]
    )


def _few(groups: Mapping[str, Sequence[float]]) -> dict[str, Sequence[float]]:
    """The largest by their sum, and the rest as one."""
    ordered = sorted(groups, key=lambda name: (-sum(groups[name]), name))
    if len(ordered) <= len(COLOURS):
        return {name: groups[name] for name in ordered}
    shown, rest = ordered[: len(COLOURS) - 1], ordered[len(COLOURS) - 1 :]
    summed = [sum(amounts) for amounts in zip(*(groups[name] for name in rest), strict=True)]
    return {**{name: groups[name] for name in shown}, f"{len(rest)} {OTHERS}": summed}


def _scale(most: float) -> tuple[float, float]:
    """Where the axis ends, and its steps: 1, 2 or 5 times a power of ten."""
    if most <= 0:
        return 1.0, 1.0
    rough = most / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough * 0.999)
    return math.ceil(most / step * 0.999) * step, step


def _axis(top: float, step: float, unit: str) -> Iterator[str]:
    yield f'<text class="soft" x="{LEFT}" y="46">{escape(unit)}</text>'
    for place in range(round(top / step) + 1):
        y = _y(place * step, top)
        yield f'<line class="line" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield (
            f'<text class="soft" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{_amount(place * step)}</text>"
        )


def _bars(
    groups: Mapping[str, Sequence[float]], count: int, top: float, stacks: Stacks
) -> Iterator[str]:
    slot, width = _slot(count)
    below = [0.0] * count
    for colour, (name, amounts) in zip(_colours(groups), groups.items(), strict=True):
        yield f'<g fill="{colour}">'
        for place, amount in enumerate(amounts):
            if amount <= 0:
                continue
            high, low = _y(below[place] + amount, top), _y(below[place], top)
            below[place] += amount
            x = LEFT + place * slot + (slot - width) / 2
            told = f"{name}, {stacks.days[place]}: {amount:,.2f} {stacks.unit}"
            yield (
                f'<rect x="{x:.2f}" y="{high:.2f}" width="{width:.2f}" height="{low - high:.2f}">'
                f"<title>{escape(told)}</title></rect>"
            )
        yield "</g>"


def _days(days: Sequence[str]) -> Iterator[str]:
    """Some of them, where there are too many to be read."""
    slot, _ = _slot(len(days))
    every = max(math.ceil(len(days) / DAYS_TOLD), 1)
    for place in range(0, len(days), every):
        x = LEFT + (place + 0.5) * slot
        yield (
            f'<text class="soft" x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">'
            f"{escape(days[place])}</text>"
        )


def _legend(groups: Mapping[str, Sequence[float]], unit: str) -> Iterator[str]:
    x = WIDTH - RIGHT + 20
    for place, (colour, (name, amounts)) in enumerate(
        zip(_colours(groups), groups.items(), strict=True)
    ):
        y = TOP + 8 + place * 36
        short = name if len(name) <= 20 else f"{name[:19]}…"
        yield f'<rect x="{x}" y="{y}" width="12" height="12" rx="2" fill="{colour}"/>'
        yield f'<text class="ink" x="{x + 18}" y="{y + 10}">{escape(short)}</text>'
        yield (
            f'<text class="soft" x="{x + 18}" y="{y + 26}">{sum(amounts):,.2f} {escape(unit)}'
            "</text>"
        )


def _colours(groups: Mapping[str, Sequence[float]]) -> list[str]:
    return [
        GREY if name.endswith(f" {OTHERS}") and place == len(COLOURS) - 1 else COLOURS[place]
        for place, name in enumerate(groups)
    ]


def _slot(count: int) -> tuple[float, float]:
    """Width of a day, and of its bar."""
    slot = (WIDTH - LEFT - RIGHT) / max(count, 1)
    return slot, min(slot * 0.8, 48.0)


def _y(amount: float, top: float) -> float:
    return HEIGHT - BOTTOM - amount / top * (HEIGHT - TOP - BOTTOM)


def _amount(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g} {letter}"
    return f"{value:.6g}"


def _told(stacks: Stacks, groups: Mapping[str, Sequence[float]]) -> str:
    if not stacks.days:
        return f"No days, nothing in {stacks.unit}."
    sums = ", ".join(
        f"{name} {sum(amounts):,.2f} {stacks.unit}" for name, amounts in groups.items()
    )
    return f"Stacked bars by day from {stacks.days[0]} to {stacks.days[-1]}. In all: {sums}."
