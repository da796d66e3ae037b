"""The folder that a drill works in, with a mark by which the next drill knows a dead one's.

A lock tells whether the drill still lives: the kernel frees it, however the process ends. The mark
names the drill's corners of stores, since whoever was killed could not empty them.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from freehold.app import adapters
from freehold.app.drill.corner import empty_corner
from freehold.app.drill.production import DRILLS
from freehold.app.project.reading import OpenProject
from freehold.app.site.stores import open_store
from freehold.domain.errors import Conflict, FreeholdError
from freehold.ports.locks import Held

Tell = Callable[[str], None]
MARK, LOCKS = "drill.json", "locks"


@dataclass(frozen=True)
class DrillPlace:
    """Of one drill, below `.freehold/drills`."""

    folder: Path
    held: Held

    @classmethod
    def claim(cls, folder: Path, stores: Mapping[str, str]) -> "DrillPlace":
        """Makes the folder. `stores`: by site, the location of the drill's corner of its store.

        Raises OSError, StorageFailed, Conflict where somebody else has it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        held = _take(folder)
        if held is None:
            raise Conflict(
                f"another drill works in {folder.name}",
                why="it holds the folder's lock",
                hint="wait until it has ended, and begin again",
                code="drill.failed",
            )
        whole = (folder / MARK).with_suffix(".new")
        whole.write_text(json.dumps({"shape": 1, "stores": dict(stores)}))
        whole.replace(folder / MARK)
        return cls(folder, held)

    def leave(self, keep: bool) -> list[str]:
        """Removes the folder, or the mark only. What is still there, in words."""
        if keep:
            (self.folder / MARK).unlink(missing_ok=True)
            self.held.release()
            shutil.rmtree(self.folder / LOCKS, ignore_errors=True)
            return []
        _remove(self.folder)
        self.held.release()
        return [f"{self.folder} is still there"] if self.folder.exists() else []


def drill_folder(project: OpenProject, drill: str) -> Path:
    return project.root / ".freehold" / DRILLS / drill


def sweep(project: OpenProject, tell: Tell) -> None:
    """Take away what drills of this checkout left whose process is dead. What was kept on purpose
    has no mark and stays; so does the folder of a corner that cannot be emptied now."""
    for mark in sorted(drill_folder(project, "").glob(f"*/{MARK}")):
        folder = mark.parent
        held = _take(folder)
        if held is None:
            continue
        try:
            if mark.exists():
                _sweep_one(project, folder, tell)
            else:
                _remove(folder)  # it ended by itself just now
        finally:
            held.release()


def _sweep_one(project: OpenProject, folder: Path, tell: Tell) -> None:
    removed, silent = 0, []
    for site, location in json.loads((folder / MARK).read_text())["stores"].items():
        try:
            removed += _empty(project, site, location)
        except FreeholdError as error:
            silent.append(f"{location}: {error.what}")
    if silent:
        tell(f"{folder.name} was killed and is not taken away yet: {'; '.join(silent)}")
        return
    _remove(folder)
    tell(f"{folder.name} was killed: its folder and {removed:,} objects in stores are taken away")


def _empty(project: OpenProject, site: str, location: str) -> int:
    if location.startswith("file:"):
        corner = Path(unquote(urlsplit(location).path))
        found = sum(1 for path in corner.rglob("*") if path.is_file())
        shutil.rmtree(corner, ignore_errors=True)
        _drop_if_empty(corner.parent)
        return found
    if site not in project.spec.sites:
        raise Conflict(
            f"freehold.yaml no longer names the site '{site}'",
            why="a drill that was killed left objects in its store",
            hint=f"name the site again for one more drill, or empty {location} by hand",
            code="drill.failed",
        )
    store = replace(project.spec.sites[site].store, at=location)
    return empty_corner(open_store(store, site, os.environ))[0]


def _take(folder: Path) -> Held | None:
    held: Held | None = adapters.embedded("locks")(folder / LOCKS).take("drill")
    return held


def _remove(folder: Path) -> None:
    """The mark last: what is interrupted is found again."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != MARK:
            path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    _drop_if_empty(folder.parent)
    _drop_if_empty(folder.parent.parent)


def _drop_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
