"""When releases are frozen: by the clock on the wall, summer and winter."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.delivery.freeze import (
    DAYS,
    WEEK,
    Frozen,
    dates_window,
    frozen_at,
    weekly_window,
)
from freehold.domain.project import FreezeSpec

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
minutes = st.integers(0, WEEK - 1)


def spelled(minute: int) -> str:
    day, rest = divmod(minute, 24 * 60)
    return f"{DAYS[day]} {rest // 60:02d}:{rest % 60:02d}"


@given(minutes, minutes, st.integers(0, 60 * 24 * 400))
def test_a_weekly_window_holds_from_its_beginning_up_to_its_end(
    start: int, end: int, now: int
) -> None:
    """Beside counting the minutes since it last began and since it last ended."""
    text = f"{spelled(start)} - {spelled(end)}"
    if start == end:
        with pytest.raises(ValueError, match="ends where it begins"):
            weekly_window(text)
        return
    assert weekly_window(text) == (start, end)
    at = MONDAY + timedelta(minutes=now)
    since_start = min(n for n in range(WEEK) if (now - n) % WEEK == start)
    since_end = min(n for n in range(WEEK) if (now - n) % WEEK == end)
    found = frozen_at(FreezeSpec(weekly=(text,)), at)
    assert (found is not None) == (since_start < since_end)
    if found is not None:
        until = datetime.fromisoformat(found.until)
        assert timedelta() < until - at < timedelta(minutes=WEEK)
        assert frozen_at(FreezeSpec(weekly=(text,)), until) is None


def test_its_hours_are_those_of_the_wall_when_clocks_change() -> None:
    """On 29 March 2026 clocks in Zurich went from 2:00 to 3:00."""
    spec = FreezeSpec(time_zone="Europe/Zurich", weekly=("Fri 16:00 - Mon 08:00",))
    zone = ZoneInfo("Europe/Zurich")
    found = frozen_at(spec, datetime(2026, 3, 27, 15, 0, tzinfo=UTC).astimezone(zone))
    assert found == Frozen("weekly", "Fri 16:00 - Mon 08:00", "2026-03-30T08:00+02:00")
    assert frozen_at(spec, datetime(2026, 3, 30, 5, 59, tzinfo=UTC).astimezone(zone)) == found
    assert frozen_at(spec, datetime(2026, 3, 30, 6, 0, tzinfo=UTC).astimezone(zone)) is None
    assert frozen_at(spec, datetime(2026, 3, 27, 14, 59, tzinfo=UTC).astimezone(zone)) is None


def test_dates_are_whole_days_of_the_zone() -> None:
    spec = FreezeSpec(dates=("2026-12-24 - 2026-12-26", "2027-01-01"))
    within = frozen_at(spec, datetime(2026, 12, 26, 23, 59, tzinfo=UTC))
    assert within == Frozen("dates", "2026-12-24 - 2026-12-26", "2026-12-27T00:00+00:00")
    assert within.code == "frozen:dates"
    assert frozen_at(spec, datetime(2026, 12, 27, tzinfo=UTC)) is None
    assert frozen_at(spec, datetime(2026, 12, 23, 23, 59, tzinfo=UTC)) is None
    assert frozen_at(spec, datetime(2027, 1, 1, 12, tzinfo=UTC)) is not None


@pytest.mark.parametrize(
    "text",
    ["", "Fri 16:00", "Fri 16:00 - Mon 8:00", "Fry 16:00 - Mon 08:00", "Fri 24:00 - Mon 08:00"],
)
def test_what_is_no_weekly_window(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not like|there is no"):
        weekly_window(text)


@pytest.mark.parametrize("text", ["", "Christmas", "2026-12-26 - 2026-12-24", "2026-02-30"])
def test_what_are_no_dates(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not like|ends before"):
        dates_window(text)
