"""How long the endpoints of this site have been up, by the files that they leave."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = "replicas"
SILENT = 86_400_000_000
"""Microseconds without a beat after which a replica that did not say that it ended is dead."""


@dataclass(frozen=True)
class ReplicaTime:
    """What one process said of itself."""

    name: str
    start: int
    """Microseconds since 1970 UTC."""
    beat: int
    ended: bool
    model: str
    seconds: dict[str, float]
    """By version, since the start."""

    def as_json(self) -> dict[str, Any]:
        """Up to where it is metered."""
        return {"beat": self.beat, "seconds": dict(sorted(self.seconds.items()))}


def replicas(serving: Path) -> list[ReplicaTime]:
    """By name. A file that cannot be understood is passed over."""
    found = []
    for path in sorted((serving / FOLDER).glob("*.json")):
        try:
            told = json.loads(path.read_bytes())
            seconds = {str(version): float(one) for version, one in told["seconds"].items()}
            start, beat = int(told["start"]), int(told["beat"])
            one = ReplicaTime(path.name, start, beat, bool(told["ended"]), told["model"], seconds)
        except (ValueError, KeyError, TypeError, AttributeError, FileNotFoundError):
            continue
        found.append(one)
    return found


def forget(serving: Path, name: str) -> None:
    (serving / FOLDER / name).unlink(missing_ok=True)
