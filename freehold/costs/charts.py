"""Charts of money, as lines of text."""

from collections.abc import Sequence

BLOCKS = " ▏▎▍▌▋▊▉█"
"""Eighths of a cell, from the left."""
LEVELS = "▁▂▃▄▅▆▇█"
"""Eighths of a cell, from below."""
GAP = "·"
"""Where there is no value."""
LABEL = 24
"""Cells that a label takes at most."""


def bars(rows: Sequence[tuple[str, float]], width: int, unit: str = "") -> list[str]:
    """A line each: the label, a bar, the amount and the unit; `width` cells at most, as long as it
    leaves a bar two cells. The longest bar is the largest amount's; below nothing there is no bar.
    """
    if not rows:
        return []
    amounts = [f"{_spoken(amount)}{f' {unit}' if unit else ''}" for _, amount in rows]
    labels = [_short(label, LABEL) for label, _ in rows]
    left, right = max(map(len, labels)), max(map(len, amounts))
    room = max(width - left - right - 2, 2)
    most = max((amount for _, amount in rows), default=0.0)
    return [
        f"{label:<{left}} {_bar(amount, most, room):<{room}} {told:>{right}}"
        for label, (_, amount), told in zip(labels, rows, amounts, strict=True)
    ]


def sparkline(values: Sequence[float | None], width: int) -> str:
    """A cell each; where there are more values than cells, one for the mean of several. From
    nothing to the largest; None is a gap, and what is below nothing is drawn as nothing.
    """
    cells = _binned(values, width)
    most = max((value for value in cells if value is not None), default=0.0)
    return "".join(GAP if value is None else _level(value, most) for value in cells)


def _bar(amount: float, most: float, room: int) -> str:
    if amount <= 0 or most <= 0:
        return ""
    eighths = max(round(amount / most * room * 8), 1)
    whole, rest = divmod(eighths, 8)
    return BLOCKS[-1] * whole + (BLOCKS[rest] if rest else "")


def _level(value: float, most: float) -> str:
    if value <= 0 or most <= 0:
        return LEVELS[0]
    return LEVELS[min(int(value / most * len(LEVELS)), len(LEVELS) - 1)]


def _binned(values: Sequence[float | None], width: int) -> list[float | None]:
    if len(values) <= width:
        return list(values)
    found: list[float | None] = []
    for cell in range(width):
        part = values[cell * len(values) // width : (cell + 1) * len(values) // width]
        known = [value for value in part if value is not None]
        found.append(sum(known) / len(known) if known else None)
    return found


def _short(label: str, room: int) -> str:
    return label if len(label) <= room else f"{label[: room - 1]}…"


def _spoken(amount: float) -> str:
    """A small amount is never shown as nothing."""
    return f"{amount:,.2f}" if amount == 0 or abs(amount) >= 0.005 else f"{amount:.1g}"
