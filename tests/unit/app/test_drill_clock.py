"""A drill moves the clocks of processes while they run."""

import time
from pathlib import Path

import pytest

from freehold.app.drill.offline.clock import HOUR, DrillClock
from freehold.app.site.opening import CLOCK_VARIABLE, wall_clock


def test_the_file_moves_the_clock_and_its_absence_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_700_000_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: now * 1000)
    assert wall_clock() == now
    clock = DrillClock(tmp_path / "clock")
    monkeypatch.setenv(CLOCK_VARIABLE, str(clock.path))
    assert wall_clock() == now
    clock.ahead(1.5)
    assert wall_clock() == now + 3 * HOUR // 2
    clock.ahead(48)
    assert wall_clock() == now + 48 * HOUR
