"""What one check found, and what a number is called when a person reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from freehold.domain.errors import FreeholdError, Unreachable

Standing = Literal["good", "warning", "bad"]


@dataclass(frozen=True)
class Finding:
    check: str
    """`store`, `encryption`, `clock`, …"""
    standing: Standing
    what: str
    why: str = ""
    hint: str = ""
    about: str = ""
    """Site, log or file; empty if it is this site as a whole."""
    unreachable: bool = False
    """Whether the only thing that is wrong is that something outside did not answer."""
    figures: Mapping[str, float | None] = field(default_factory=dict)
    """What `what` tells in words, by name; the unit is the name's last word, else it is a count."""

    def as_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "about": self.about,
            "standing": self.standing,
            "what": self.what,
            "why": self.why,
            "hint": self.hint,
            "unreachable": self.unreachable,
            "figures": dict(self.figures),
        }


def of_error(check: str, about: str, error: FreeholdError, hint: str = "") -> Finding:
    """`hint` stands where the error has none of its own."""
    return Finding(
        check,
        "bad",
        error.what,
        why=error.why,
        hint=error.hint or hint,
        about=about,
        unreachable=isinstance(error, Unreachable),
    )


def worst(findings: Sequence[Finding]) -> int:
    """The exit code: 0 if nothing is bad, 3 if all that is bad is out of reach, else 1."""
    bad = [one for one in findings if one.standing == "bad"]
    if not bad:
        return 0
    return 3 if all(one.unreachable for one in bad) else 1


def duration(seconds: float) -> str:
    """`12 s`, `3 min`, `5 h`, `9 days`."""
    amount = abs(seconds)
    if amount < 10:
        return f"{amount:.1f} s"
    for unit, size, limit in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if amount < limit:
            return f"{amount / size:.0f} {unit}"
    return f"{amount / 86_400:,.0f} days"


def size(number: float) -> str:
    """`1.3 MB`: decimal, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def counted(number: int, noun: str) -> str:
    """`1 entry`, `2 entries`, `3 logs`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") else f"{number:,} {noun}s"
