"""The folder that an exit is written to, and the list of what was meant to lie in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from freehold.app.site.opening import Site
from freehold.domain.errors import Refused, StorageFailed

MANIFEST = "manifest.json"
CHUNK = 1 << 20


@dataclass
class ExitFolder:
    """Digests are those of the bytes that were handed over, not of what the disk then holds: so a
    disk that lies is found when the files are read back."""

    root: Path
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By relative POSIX path: digest and size."""
    faults: list[str] = field(default_factory=list)
    """What is in the project and could not be written, `what: why`."""
    absent: list[str] = field(default_factory=list)
    """What the history names and this site does not hold, and need not."""
    let_go: dict[str, int] = field(default_factory=lambda: {"objects": 0, "parts": 0})
    """How many objects and parts of the request log may be gone: the history says how many were
    collected, and not which."""

    @classmethod
    def begin(cls, site: Site, root: Path) -> "ExitFolder":
        """Raises Refused `drill.folder-exists` and `drill.folder-inside-state`."""
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise Refused(
                f"'{root}' is there already",
                why="it is not an empty folder",
                hint="choose another one",
                code="drill.folder-exists",
            )
        if root.resolve().is_relative_to(site.folder.resolve()):
            raise Refused(
                f"'{root}' is where this site keeps its own state",
                why="a drill leaves that as it is",
                hint="choose a folder outside",
                code="drill.folder-inside-state",
            )
        root.mkdir(parents=True, exist_ok=True)
        return cls(root)

    def put(self, path: str, data: bytes) -> None:
        """Raises StorageFailed."""
        target = self.root / PurePosixPath(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        except OSError as exc:
            raise StorageFailed(
                f"could not write '{target}'",
                why=str(exc),
                hint=f"make room, remove '{self.root}', and begin again",
            ) from exc
        self.files[path] = {"digest": _digest(data), "size": len(data)}

    def put_json(self, path: str, value: Mapping[str, Any] | Sequence[Any]) -> None:
        self.put(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))

    def note(self, path: str) -> None:
        """A file that something else wrote here."""
        digest, size = sha256(), 0
        with (self.root / path).open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
        self.files[path] = {"digest": "sha256:" + digest.hexdigest(), "size": size}

    def missing(self, what: str, own: bool, kind: str = "") -> None:
        """Something that the history names is not here. `own`: this site named it. `kind`:
        `objects` or `parts` where it may have been collected."""
        if not own:
            self.absent.append(f"{what}: another site named it, and it never came here")
        elif self.let_go.get(kind, 0):
            self.let_go[kind] -= 1
            self.absent.append(f"{what}: collected, since nothing referred to it any more")
        else:
            self.faults.append(f"{what}: it is gone, and nothing in the history lets it go")

    def finish(self) -> None:
        """Writes the list of all files but itself."""
        listed = [{"path": path, **about} for path, about in sorted(self.files.items())]
        self.put_json(MANIFEST, {"shape": 1, "files": listed})
        del self.files[MANIFEST]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(about["size"] for about in self.files.values())


def _digest(data: bytes) -> str:
    return "sha256:" + sha256(data).hexdigest()
