"""Small SVG drawings for the model card, styled by the page that holds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from freehold.domain.statistics.figures import ReliabilityBin

_SIDE = 320
_LEFT, _TOP, _EDGE = 44, 12, 40
_ROW = 26
_NAMES, _BARS, _VALUES = 170, 300, 90


@dataclass(frozen=True)
class Bar:
    name: str
    value: float
    text: str
    low: float | None = None
    high: float | None = None


def reliability(bins: Sequence[ReliabilityBin]) -> str:
    """Share of positives against mean score, with intervals and the line of perfection."""
    highest = [one.predicted for one in bins] + [one.observed.high or 0.0 for one in bins]
    top = min(1.0, max(0.05, max(highest, default=1.0) * 1.05))
    points: list[str] = []
    marks: list[str] = []
    for one in bins:
        found = one.observed
        if found.value is None or found.low is None or found.high is None:
            continue
        x, y = _across(one.predicted, top), _up(found.value, top)
        points.append(f"{x:.1f},{y:.1f}")
        marks.append(_line("whisker", (x, _up(found.low, top)), (x, _up(found.high, top))))
        title = f"{found.count:,} rows: mean score {one.predicted:.4f}, {found.value:.4f} positive"
        dot = f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4">'
        marks.append(f"{dot}<title>{title}</title></circle>")
    curve = f'<polyline class="curve" points="{" ".join(points)}"/>'
    label = "Reliability: share of positives by mean score"
    return _svg(
        _LEFT + _SIDE + 16, _TOP + _SIDE + _EDGE, label, [*_grid(top, label), curve, *marks]
    )


def bars(rows: Sequence[Bar], label: str, start: float = 0.0) -> str:
    """Horizontal bars from `start`, with whiskers where a bar has an interval."""
    top = max([one.high if one.high is not None else one.value for one in rows], default=1.0)
    scale = _BARS / ((top - start) or 1.0)
    parts = []
    for place, one in enumerate(rows):
        y = place * _ROW
        middle = y + _ROW / 2
        length = max(0.0, one.value - start) * scale
        parts.append(_text("name", _NAMES - 8, middle, _short(one.name)))
        parts.append(
            f'<rect class="bar" x="{_NAMES}" y="{y + 4}" rx="3" '
            f'width="{length:.1f}" height="{_ROW - 8}"/>'
        )
        if one.low is not None and one.high is not None:
            ends = [_NAMES + max(0.0, end - start) * scale for end in (one.low, one.high)]
            parts.append(_line("whisker", (ends[0], middle), (ends[1], middle)))
        parts.append(_text("value", _NAMES + _BARS + 10, middle, one.text))
    return _svg(_NAMES + _BARS + _VALUES, max(1, len(rows)) * _ROW, label, parts)


def _grid(top: float, label: str) -> list[str]:
    floor, right = _TOP + _SIDE, _LEFT + _SIDE
    parts = []
    for step in range(5):
        value = top * step / 4
        x, y = _across(value, top), _up(value, top)
        parts.append(_line("grid", (_LEFT, y), (right, y)))
        parts.append(_text("tick end", _LEFT - 6, y, f"{value:.2f}"))
        parts.append(_text("tick", x, floor + 14, f"{value:.2f}"))
    parts.append(_line("ideal", (_LEFT, floor), (right, _TOP)))
    parts.append(_text("tick", _LEFT + _SIDE / 2, floor + 32, label))
    return parts


def _across(value: float, top: float) -> float:
    return _LEFT + min(1.0, value / top) * _SIDE


def _up(value: float, top: float) -> float:
    return _TOP + (1 - min(1.0, value / top)) * _SIDE


def _line(kind: str, start: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = start, end
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _short(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "…"


def _svg(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )
