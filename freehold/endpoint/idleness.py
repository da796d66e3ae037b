"""Whether an endpoint has had nothing to score for long."""

from collections.abc import Callable


class Idle:
    def __init__(self, seconds: float, on_change: Callable[[bool], None]) -> None:
        """`on_change`: told whether it is idle, whenever that changes."""
        self._seconds, self._on_change = seconds, on_change
        self._since: float | None = None
        self._is_idle = False

    def asked(self, now: float) -> None:
        """Something is to be scored. `now` in seconds of the monotonic clock, here as below."""
        self._since = now
        if self._is_idle:
            self._is_idle = False
            self._on_change(False)

    def look(self, now: float, waiting: int) -> None:
        """`waiting`: requests begun and not yet answered."""
        if self._since is None:
            self._since = now
        elif waiting:
            self.asked(now)
        elif not self._is_idle and now - self._since >= self._seconds:
            self._is_idle = True
            self._on_change(True)
