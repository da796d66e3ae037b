"""What was seen without a reference, and when: one file beside the store.

It is no history and no promise: who loses it waits for another grace period.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

FILE = "collection.json"
SHAPE = 1


@dataclass(frozen=True)
class Note:
    noted: int
    """Microseconds since 1970 UTC."""
    bytes: int
    going: int = 0
    """When a collection began that would remove it; 0 for none."""


def read_notes(folder: Path) -> dict[str, Note]:
    """By key. A file that cannot be understood counts as none: everything is noted anew."""
    try:
        told = json.loads((folder / FILE).read_bytes())
        rows = told["noted"].items() if told["shape"] == SHAPE else ()
        return {
            str(key): Note(int(noted), int(size), int(going)) for key, (noted, size, going) in rows
        }
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def write_notes(folder: Path, notes: Mapping[str, Note]) -> None:
    """Whole or not at all. Raises OSError."""
    rows = {key: [note.noted, note.bytes, note.going] for key, note in sorted(notes.items())}
    with NamedTemporaryFile("w", dir=folder, prefix=f"{FILE}.", delete=False) as file:
        try:
            json.dump({"shape": SHAPE, "noted": rows}, file)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(folder / FILE)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
