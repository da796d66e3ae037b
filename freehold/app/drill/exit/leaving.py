"""`freehold drill exit`: write everything in open formats, and read it back without Freehold."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freehold.app.drill.exit.folder import ExitFolder
from freehold.app.drill.exit.history import write_history
from freehold.app.drill.exit.lineage import write_lineage
from freehold.app.drill.exit.models import write_models
from freehold.app.drill.exit.reading import Joint, NotWritten, joints_of, read_back
from freehold.app.drill.exit.sources import write_sources
from freehold.app.drill.exit.tables import write_tables
from freehold.app.site.opening import Site
from freehold.domain.errors import Failed

TEMPLATES = Path(__file__).parents[3] / "templates" / "exit"
"""A page that says what is what, and the scripts that read everything back."""

Tell = Callable[[str, str], None]
"""Given `writing` or `reading`, and what."""


@dataclass(frozen=True)
class Written:
    """What lies in the folder, as the site that wrote it knows."""

    files: int
    size: int
    """Bytes."""
    faults: tuple[str, ...]
    """What is in the project and could not be written."""
    absent: tuple[str, ...]
    """What the history names and this site never held."""


@dataclass(frozen=True)
class ExitReport:
    folder: Path
    written: Written
    joints: tuple[Joint, ...]
    not_written: tuple[NotWritten, ...]

    @property
    def faults(self) -> list[str]:
        """Whatever is in the project and was not read back by another tool."""
        return [
            *(f"not written: {fault}" for fault in self.written.faults),
            *(f"{joint.what}: {fault}" for joint in self.joints for fault in joint.faults),
        ]

    def as_json(self) -> dict[str, Any]:
        return {
            "shape": 1,
            "folder": str(self.folder),
            "files": self.written.files,
            "bytes": self.written.size,
            "joints": [joint.as_json() for joint in self.joints],
            "not_written": [vars(one) for one in self.not_written],
            "absent": list(self.written.absent),
            "faults": self.faults,
            "passed": not self.faults,
        }


def write(site: Site, root: Path, tell: Tell) -> Written:
    """Everything of the site's project into a new or empty folder. The site stays as it is.

    Raises Refused `drill.folder-exists` and `drill.folder-inside-state`, StorageFailed.
    """
    folder = ExitFolder.begin(site, root)
    tell("writing", "tables")
    tables = write_tables(site, folder)
    tell("writing", "models")
    write_models(site, folder, tables)
    tell("writing", "lineage and code")
    write_lineage(site, folder)
    write_sources(site, folder)
    tell("writing", "history")
    # Last, so that it holds whatever the rest was taken from, though others go on appending.
    write_history(site, folder)
    for path in sorted(TEMPLATES.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            folder.put(path.relative_to(TEMPLATES).as_posix(), path.read_bytes())
    folder.finish()
    return Written(len(folder.files), folder.size, tuple(folder.faults), tuple(folder.absent))


def leave(
    site: Site,
    root: Path,
    tell: Tell = lambda *_: None,
    python: str = sys.executable,
) -> ExitReport:
    """Write, then read back. Raises what `write` raises, AdapterFailed `drill.no-python`."""
    written = write(site, root, tell)
    joints = read_back(root, python, lambda what: tell("reading", what))
    return ExitReport(root, written, joints, joints_of(root)[1])


def require_all_read(faults: Sequence[str]) -> None:
    """Raises Failed `drill.failed` if anything was not read back."""
    if faults:
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise Failed(
            f"{len(faults)} things of this project were not read back without Freehold",
            why="; ".join(faults[:3]) + more,
            hint="install the tools that are missing, mend what is damaged, and repeat the drill",
            code="drill.failed",
        )
