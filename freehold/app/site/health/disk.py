"""Room on the disk that holds a site's state."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from freehold.app.site.health.finding import Finding, counted, size

LITTLE, TOO_LITTLE = 1_000_000_000, 200_000_000
"""Free bytes below which to warn, and below which nothing should be begun."""
LITTLE_SHARE = 0.1


@dataclass(frozen=True)
class Room:
    total: int
    """Bytes."""
    free: int
    """Bytes that this user may fill."""


RoomOf = Callable[[Path], Room]


def room_of(folder: Path) -> Room:
    found = shutil.disk_usage(folder)
    return Room(found.total, found.free)


def examine_disk(folder: Path, room: RoomOf = room_of) -> Finding:
    """`folder`: of the site's state. What is not there yet takes nothing."""
    nearest = next(one for one in (folder, *folder.parents) if one.exists())
    found = room(nearest)
    objects, in_objects = _taken(folder / "objects")
    ledger = sum(_size(path) for path in folder.glob("ledger.db*"))
    share = found.free / found.total if found.total else 0.0
    what = f"{size(found.free)} of {size(found.total)} are free"
    why = (
        f"{counted(objects, 'object')} take {size(in_objects)}, the ledger {size(ledger)}, below"
        f" {folder}"
    )
    if found.free < TOO_LITTLE:
        hint = "freehold gc, or make room elsewhere on this disk, before anything is run"
        return Finding("disk", "bad", what, why=why, hint=hint)
    if found.free < LITTLE or share < LITTLE_SHARE:
        return Finding("disk", "warning", what, why=why, hint="freehold gc --dry-run")
    return Finding("disk", "good", what, why=why)


def _taken(folder: Path) -> tuple[int, int]:
    """Number of files and their bytes."""
    count = total = 0
    for place, _, names in os.walk(folder):
        count += len(names)
        total += sum(_size(Path(place, name)) for name in names)
    return count, total


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # removed since it was listed
