"""Whether releases are frozen at a moment, by the windows of the project's file."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from freehold.domain.project import FreezeSpec

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEK = 7 * 24 * 60
"""Minutes."""
_WEEKLY = re.compile(r"([A-Z][a-z]{2}) (\d\d):(\d\d) - ([A-Z][a-z]{2}) (\d\d):(\d\d)")


@dataclass(frozen=True)
class Frozen:
    """Why nothing goes on."""

    reason: Literal["weekly", "dates", "budget", "objective"]
    name: str
    """The window as the file has it, the budget's name, or how the objective is missed."""
    until: str = ""
    """ISO 8601, in the windows' time zone; empty where nobody knows."""

    @property
    def code(self) -> str:
        """For facts, which have no text of people's own."""
        return f"frozen:{self.reason}"

    @property
    def sentence(self) -> str:
        if self.reason == "budget":
            return f"budget '{self.name}' is passed"
        if self.reason == "objective":
            return f"the objective is missed: {self.name}"
        return f"the window {self.name} is open until {self.until}"

    def as_json(self) -> dict[str, Any]:
        return {"reason": self.reason, "name": self.name, "until": self.until}


def frozen_at(spec: FreezeSpec, local: datetime) -> Frozen | None:
    """By the first window that is open; `local` has the windows' time zone.

    A weekly window goes by the clock on the wall, so that it begins and ends at the same hour in
    summer and in winter.
    """
    minute = local.weekday() * 24 * 60 + local.hour * 60 + local.minute
    for text in spec.weekly:
        start, end = weekly_window(text)
        if (minute - start) % WEEK < (end - start) % WEEK:
            left = timedelta(minutes=(end - minute) % WEEK)
            until = local.replace(second=0, microsecond=0) + left
            return Frozen("weekly", text, until.isoformat(timespec="minutes"))
    for text in spec.dates:
        first, last = dates_window(text)
        if first <= local.date() <= last:
            after = datetime.combine(last + timedelta(days=1), time(), local.tzinfo)
            return Frozen("dates", text, after.isoformat(timespec="minutes"))
    return None


def weekly_window(text: str) -> tuple[int, int]:
    """Minutes of the week, from Monday 00:00, at which it begins and ends; it may go over Sunday.

    Raises ValueError for what is none, and for one without length.
    """
    found = _WEEKLY.fullmatch(text)
    if found is None:
        raise ValueError("it is not like 'Fri 16:00 - Mon 08:00'")
    start, end = _minute(*found.groups()[:3]), _minute(*found.groups()[3:])
    if start == end:
        raise ValueError("it ends where it begins")
    return start, end


def dates_window(text: str) -> tuple[date, date]:
    """The first and the last day. Raises ValueError."""
    first, _, last = text.partition(" - ")
    try:
        days = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError as exc:
        raise ValueError("it is not like '2026-12-20 - 2027-01-03'") from exc
    if days[0] > days[1]:
        raise ValueError("it ends before it begins")
    return days


def _minute(day: str, hour: str, minute: str) -> int:
    if day not in DAYS or int(hour) > 23 or int(minute) > 59:
        raise ValueError(f"there is no {day} {hour}:{minute}; days are {', '.join(DAYS)}")
    return (DAYS.index(day) * 24 + int(hour)) * 60 + int(minute)
