"""How a console is run."""

from dataclasses import dataclass, field

HOST = "127.0.0.1"
PORT = 8200
EVERY = 5.0
"""Seconds between two turns of the loop."""


@dataclass(frozen=True)
class Limits:
    """What a client may send."""

    body_bytes: int = 64 * 1024
    body_seconds: float = 10.0
    """Until a body has to be whole."""


@dataclass(frozen=True)
class ConsoleSettings:
    host: str = HOST
    port: int = PORT
    """0: any free one."""
    turns_loop: bool = True
    every: float = EVERY
    limits: Limits = field(default_factory=Limits)
