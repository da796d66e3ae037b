"""The limits that whoever starts an endpoint may set, as options of its command.

Imports nothing that answers: one that sleeps passes them on.
"""

from collections.abc import Mapping
from typing import Any

LIMITS: Mapping[str, tuple[type, str]] = {
    "per-caller": (float, "requests a second of one caller; 0: no limit"),
    "waiting": (int, "requests that have not had their turn"),
    "connections": (int, "open at once"),
    "rows": (int, "of a request"),
    "body-bytes": (int, "of a request, packed and unpacked"),
    "log-window": (float, "seconds of answers that a crash may take from the log"),
}
"""Option → its type and meaning. Each process has its own."""


def options_of(given: Mapping[str, Any]) -> list[str]:
    """As a command line has them. `given`: by name, `_` for `-`; None where nothing was said."""
    told = {name: given.get(name.replace("-", "_")) for name in LIMITS}
    return [
        part for name, one in told.items() if one is not None for part in (f"--{name}", f"{one}")
    ]
