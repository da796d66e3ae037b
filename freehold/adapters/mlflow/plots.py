"""Two plots as SVG, which MLflow's pages show: drawn by hand, so that no font cache is built and
equal figures give equal bytes."""

from collections.abc import Mapping, Sequence
from html import escape

_INK, _FAINT, _MARK = "#222222", "#bbbbbb", "#1f5fa8"
_SIDE, _MARGIN = 400, 50
_BAR, _NAMES, _BARS = 24, 200, 300


def reliability_plot(points: Sequence[tuple[float, float]]) -> bytes:
    """(mean prediction, share of positives) by bin, beside the diagonal of perfect calibration."""

    def across(share: float) -> str:
        return f"{_MARGIN + share * _SIDE:.1f}"

    def up(share: float) -> str:
        return f"{_MARGIN + (1 - share) * _SIDE:.1f}"

    parts = [
        f'<rect x="{_MARGIN}" y="{_MARGIN}" width="{_SIDE}" height="{_SIDE}" '
        f'fill="none" stroke="{_FAINT}"/>',
        f'<line x1="{across(0)}" y1="{up(0)}" x2="{across(1)}" y2="{up(1)}" '
        f'stroke="{_FAINT}" stroke-dasharray="4"/>',
    ]
    line = " ".join(f"{across(x)},{up(y)}" for x, y in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{_MARK}" stroke-width="2"/>')
    parts += [f'<circle cx="{across(x)}" cy="{up(y)}" r="3" fill="{_MARK}"/>' for x, y in points]
    for share in (0, 0.5, 1):
        parts.append(_text(across(share), _MARGIN + _SIDE + 18, f"{share:g}", "middle"))
        parts.append(_text(_MARGIN - 8, up(share), f"{share:g}", "end"))
    parts.append(
        _text(_MARGIN, _MARGIN - 16, "share of positives (up) by mean prediction (across)", "start")
    )
    return _picture(_SIDE + 2 * _MARGIN, _SIDE + 2 * _MARGIN, parts)


def strengths_plot(strengths: Mapping[str, float]) -> bytes:
    """A bar for each name, the longest first, equals by name; lengths in proportion."""
    ordered = sorted(strengths.items(), key=lambda item: (-item[1], item[0]))
    longest = max((value for _, value in ordered), default=0) or 1
    parts = []
    for row, (name, value) in enumerate(ordered):
        top = _MARGIN + row * _BAR
        width = f"{max(value, 0) / longest * _BARS:.1f}"
        parts.append(_text(_NAMES - 8, top + 16, name, "end"))
        parts.append(
            f'<rect x="{_NAMES}" y="{top + 4}" width="{width}" height="16" fill="{_MARK}"/>'
        )
        parts.append(_text(_NAMES + float(width) + 6, top + 16, f"{value:.3g}", "start"))
    return _picture(_NAMES + _BARS + 2 * _MARGIN, 2 * _MARGIN + _BAR * len(ordered), parts)


def _text(x: float | str, y: float | str, words: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def _picture(width: int, height: int, parts: Sequence[str]) -> bytes:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12" fill="{_INK}">\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n{body}\n</svg>\n'
    ).encode()
