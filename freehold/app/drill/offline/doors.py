"""Folders in which sites meet, each site by a path of its own: one that a cut takes away.

A store in a folder needs no network, so that no proxy and no namespace cuts it. Every twin is
given a link to it; a cut puts a file in the link's place, and nothing below that path can be
read, written or made.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Doors:
    def __init__(self, folder: Path, stores: Mapping[str, str]) -> None:
        """`stores`: by site, the location of its store in this drill, whatever its kind.

        Makes the folders. Raises OSError.
        """
        self._folder = folder
        self._stores = dict(stores)
        self._rooms = {
            site: Path(unquote(urlsplit(at).path))
            for site, at in stores.items()
            if at.startswith("file:")
        }
        self._made = [made for room in self._rooms.values() for made in _missing(room)]
        for room in self._rooms.values():
            room.mkdir(parents=True, exist_ok=True)
        for site in stores:
            for other in self._rooms:
                self._open(site, other)

    def seen_by(self, site: str) -> dict[str, str]:
        """Site → location of its store, as this one sees it."""
        return {
            other: self._door(site, other).as_uri() if other in self._rooms else at
            for other, at in self._stores.items()
        }

    def shut(self, site: str) -> None:
        """The site reaches no folder, not its own, and nobody reaches its own."""
        for one, other in self._pairs(site):
            door = self._door(one, other)
            wall = door.with_suffix(".wall")
            wall.write_text("cut")
            wall.replace(door)

    def reopen(self, site: str) -> None:
        for one, other in self._pairs(site):
            self._open(one, other)

    def clear(self) -> list[str]:
        """Removes what the drill made. Returns what is still there, in words."""
        for room in self._rooms.values():
            shutil.rmtree(room, ignore_errors=True)
        for made in sorted(self._made, reverse=True):
            if made.is_dir() and not any(made.iterdir()):
                made.rmdir()
        return [f"{made} is still there" for made in self._made if made.exists()]

    def _pairs(self, site: str) -> list[tuple[str, str]]:
        return [
            (one, other) for one in self._stores for other in self._rooms if site in (one, other)
        ]

    def _door(self, site: str, other: str) -> Path:
        return self._folder / site / other

    def _open(self, site: str, other: str) -> None:
        door = self._door(site, other)
        door.parent.mkdir(parents=True, exist_ok=True)
        link = door.with_suffix(".link")
        link.unlink(missing_ok=True)
        link.symlink_to(self._rooms[other], target_is_directory=True)
        link.replace(door)


def _missing(folder: Path) -> list[Path]:
    """Of a folder and those above it, the ones that are not there yet."""
    return [one for one in (folder, *folder.parents) if not one.exists()]
