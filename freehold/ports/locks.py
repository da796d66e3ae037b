"""Locks by name between the processes of one site.

Laws
- At most one holder of a name at any time, among all threads and processes.
- A lock is free again when its holder releases it, or dies in any way.
- `take` never waits.
- A lock advises: it saves work that would be done twice, and correctness does not rest on it.
"""

from abc import ABC, abstractmethod


class Held(ABC):
    @abstractmethod
    def release(self) -> None:
        """Of no effect the second time."""


class Locks(ABC):
    @abstractmethod
    def take(self, name: str) -> Held | None:
        """None if somebody holds it. A name is any text without a null character."""
