"""What an agent tells: what happens, and what lasts once when it begins and once when it ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    kind: str
    """`work.claimed`, `store.unreachable`, …"""
    text: str
    """One line for people, or an error as the command line prints it."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """JSON, for machines."""
    routine: bool = False
    """Of interest to machines only."""


Tell = Callable[[Event], None]


class Notices:
    """Conditions that last over many turns."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._standing: dict[str, str] = {}

    def stands(self, about: str, what: str, event: Event) -> None:
        """Told if it did not stand before, or was something else."""
        if self._standing.get(about) != what:
            self._standing[about] = what
            self._tell(event)

    def ended(self, about: str, event: Event | None = None) -> None:
        """Told if it stood."""
        if self._standing.pop(about, None) is not None and event is not None:
            self._tell(event)
