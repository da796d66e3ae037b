"""What must be as it was when a drill is over: every file, and every log, entry by entry."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path

from freehold.app.project.reading import OpenProject
from freehold.app.site.opening import Site, open_site

DRILLS = "drills"
"""Folder of drills below `.freehold`."""
_NOT_FILES = {".git", ".venv", "__pycache__", "node_modules", "locks"}
_LEDGER = "ledger.db"
_ANSWERED = "/serving/log/"
"""Production may answer while a drill runs: new files here are its own."""

_METERED = ("/metering/", "/serving/replicas/")
"""Production's processes note what they move and how long they run, and take the notes away,
whatever else they do."""


@dataclass(frozen=True)
class Standing:
    files: Mapping[str, str]
    """Path below the project's folder → SHA-256; ledgers are told by their logs."""
    logs: Mapping[tuple[str, str], tuple[str, ...]]
    """Site and writer → SHA-256 of each entry."""

    @property
    def entries(self) -> int:
        return sum(map(len, self.logs.values()))

    @property
    def writers(self) -> set[str]:
        return {writer for _, writer in self.logs}


def begun_sites(project: OpenProject) -> tuple[str, ...]:
    """Sites of which this machine holds a ledger; the checkout's own first."""
    own = project.spec.site
    names = (own, *(name for name in project.site_names if name != own))
    return tuple(name for name in names if (project.state_of(name) / _LEDGER).exists())


def standing(project: OpenProject) -> Standing:
    """Reads all of it. Sites are opened first, so that what opening one notes is in it."""
    logs: dict[tuple[str, str], tuple[str, ...]] = {}
    for name in begun_sites(project):
        with open_site(project.root, site=name) as site:
            for writer, lines in _logs(site):
                logs[name, writer] = tuple(sha256(line).hexdigest() for line in lines)
    return Standing(dict(files_of(project.root)), logs)


def files_of(root: Path, skip: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """Relative path and SHA-256, sorted. `skip`: names of folders, beside those that hold no
    file of anybody's."""
    for folder, folders, names in os.walk(root):
        inside = Path(folder)
        own = inside.name == ".freehold"
        folders[:] = sorted(set(folders) - _NOT_FILES - skip - ({DRILLS} if own else set()))
        for name in sorted(names):
            path = inside / name
            if not name.startswith(_LEDGER) and path.is_file():
                with path.open("rb") as file:
                    yield path.relative_to(root).as_posix(), file_digest(file, "sha256").hexdigest()


def differences(before: Standing, after: Standing, strangers: set[str]) -> list[str]:
    """What a drill changed, in words; what production itself appended meanwhile is no such thing.

    `strangers`: writers of the drill, none of which may be known to production.
    """
    found = [f"production holds the drill's log {w}" for w in sorted(after.writers & strangers)]
    for (site, writer), entries in before.logs.items():
        now = after.logs.get((site, writer), ())
        if now[: len(entries)] != entries:
            found.append(f"the log {writer} at {site} is not the one of before")
    at_work = after.entries > before.entries
    for name, digest in before.files.items():
        if _is_note(name):
            continue
        if after.files.get(name) != digest and not (at_work and "/serving/" in name):
            found.append(f"{name} {'changed' if name in after.files else 'is gone'}")
    for name in after.files.keys() - before.files.keys():
        if not at_work and _ANSWERED not in f"/{name}" and not _is_note(name):
            found.append(f"{name} is new")
    return found


def _is_note(name: str) -> bool:
    return name.startswith(".freehold/") and any(one in name for one in _METERED)


def _logs(site: Site) -> Iterator[tuple[str, list[bytes]]]:
    for log in site.ledger.logs():
        yield log.writer, [line for _, line in site.ledger.log_lines(log.writer)]
