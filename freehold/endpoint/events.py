"""What happened to the endpoint, spooled as files until somebody with a ledger commits them.

Each file `events/<microseconds>-<process>-<number>.json` is one JSON object: `type`, `at`, and
codes and numbers, fit for a fact's body. Whoever committed it deletes it.
"""

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from freehold.domain.canonical import canonical
from freehold.endpoint.request_log import store
from freehold.ports.clock import Clock


class Events:
    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._numbers = count()
        self.on_lost: Callable[[], None] = lambda: None

    def tell(self, kind: str, **body: Any) -> bool:
        """Whether it is spooled; if not, `on_lost` is called, and answering goes on."""
        at = self._clock()
        name = f"{at:016d}-{os.getpid()}-{next(self._numbers):06d}.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            store(self._folder / name, canonical({"type": kind, "at": at, **body}))
        except Exception:  # noqa: BLE001 (counted; no thread may end for want of an event)
            self.on_lost()
            return False
        return True
