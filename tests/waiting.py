"""How tests wait for what comes about by itself."""

import time
from collections.abc import Callable


def until(holds: Callable[[], bool]) -> None:
    """For as long as it may take on a slow machine."""
    for _ in range(12_000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it does not come about")
