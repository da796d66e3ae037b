"""What a step saves on its way: the question and the answer."""

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True)
class Saved:
    """What one checkpoint cost."""

    number: int
    """From 1, over all attempts of the step."""
    bytes: int
    seconds: float
    fault: str = ""
    """Why it was not kept; empty if it was."""


class Checkpoints(ABC):
    @abstractmethod
    def latest(self) -> bytes | None: ...

    @abstractmethod
    def save(self, data: bytes) -> Saved: ...
