"""`freehold gc`: lets go of what nothing refers to.

Fact
  storage.collected {objects, bytes, parts, part_bytes, kept, kept_bytes, noted}
`parts` are those of the request log; `noted` counts objects that may go later.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256

from freehold.app.site.opening import Site
from freehold.app.storage.notes import Note, write_notes
from freehold.app.storage.survey import LogPart, Look, Survey, look, under_way
from freehold.app.storage.unread import heads
from freehold.catalog.retention.holds import last_collected
from freehold.catalog.retention.judgement import ARTIFACTS, Judged, StoredObject, judge
from freehold.domain.errors import Conflict, StorageFailed
from freehold.domain.fact import Draft
from freehold.domain.projection import State

BATCH = 32
"""Objects that are removed while nobody can append: as long as a few appends take."""
LOOKS = 20
"""Times that a batch is judged anew because the history has grown meanwhile."""
Progress = Callable[[int, int], None]
"""Told how many of how many have been looked at."""


@dataclass
class Collection:
    """What went, and why not more."""

    objects: int = 0
    bytes: int = 0
    parts: int = 0
    part_bytes: int = 0
    noted: int = 0
    """Objects to which nothing refers, and which may go later."""
    held_up: tuple[str, ...] = ()
    """`run X`, `register M`, or `history`: what kept the rest from going this time."""

    def as_json(self) -> dict[str, object]:
        return {
            "objects": self.objects,
            "bytes": self.bytes,
            "parts": self.parts,
            "part_bytes": self.part_bytes,
            "noted": self.noted,
            "held_up": list(self.held_up),
        }


def collect(site: Site, seen: Survey, progress: Progress = lambda _done, _all: None) -> Collection:
    """Note what nothing refers to; remove what `seen` says goes, as far as it still does.

    A crash at any point harms nothing. Raises Conflict `storage.collecting`, StorageFailed.
    """
    with _alone(site):
        made = Collection(held_up=seen.under_way)
        going = () if seen.under_way else seen.going
        removed = _removed_and_not_told(site, seen)
        untold = {key: seen.look.notes[key] for key in removed}
        notes = {**_notes(seen, going), **untold}
        _write(site, notes)
        try:
            if not seen.under_way:
                _remove_objects(site, seen.look, going, removed, made, progress)
                _remove_parts(seen.parts_going, made)
        finally:
            made.objects, made.bytes = len(removed), sum(removed.values())
            made.noted = len(notes.keys() - removed.keys())
            _record(site, seen, made, notes, removed)
    return made


@contextmanager
def _alone(site: Site) -> Iterator[None]:
    held = site.locks.take("gc")
    if held is None:
        raise Conflict(
            "another process is collecting already",
            why="one collection at a time",
            hint="wait for it; `freehold gc --dry-run` may be asked meanwhile",
            code="storage.collecting",
        )
    try:
        yield
    finally:
        held.release()


def _notes(seen: Survey, going: Sequence[Judged]) -> dict[str, Note]:
    began, keys = seen.look.docket.now, {one.key for one in going}
    return {
        one.key: Note(one.noted, one.bytes, began if one.key in keys else 0)
        for one in seen.objects
        if one.noted is not None
    }


def _write(site: Site, notes: Mapping[str, Note]) -> None:
    try:
        write_notes(site.folder, notes)
    except OSError as exc:
        raise StorageFailed(
            "what may go could not be noted",
            why=str(exc),
            hint="make room or mend the permissions of .freehold, and repeat the command",
        ) from exc


def _removed_and_not_told(site: Site, seen: Survey) -> dict[str, int]:
    """Key → bytes of what a collection removed that was killed before it said so."""
    there = {one.key for one in seen.objects}
    told = last_collected(site.state, site.name)
    return {
        key: note.bytes
        for key, note in seen.look.notes.items()
        if note.going > told and key not in there and key.startswith(ARTIFACTS)
    }


class _HeldUp(Exception):
    """Raised inside a decision, which then changes nothing."""

    def __init__(self, by: tuple[str, ...] = ()) -> None:
        self.by = by


def _remove_objects(
    site: Site,
    seen: Look,
    going: Sequence[Judged],
    removed: dict[str, int],
    made: Collection,
    progress: Progress,
) -> None:
    """A batch that the history has moved under is judged anew; what is under way ends it."""
    waiting, total, looks = list(going), len(going), 0
    while waiting:
        batch = waiting[:BATCH]
        try:
            _remove_batch(site, seen, batch, removed)
        except _HeldUp as held_up:
            looks += 1
            if held_up.by or looks > LOOKS:
                made.held_up = held_up.by or ("history",)
                return
            seen = look(site)
            there = [
                StoredObject(one.key, one.bytes)
                for one in waiting
                if site.objects.size(one.key) is not None
            ]
            waiting = [one for one in judge(there, seen.docket) if one.verdict == "goes"]
        else:
            waiting, looks = waiting[BATCH:], 0
        progress(total - len(waiting), total)


def _remove_batch(site: Site, seen: Look, batch: Sequence[Judged], removed: dict[str, int]) -> None:
    """Inside a decision, so that no fact can be appended between the last look and the removal:
    a run that begins later finds the objects gone, and makes them anew.

    A decision should have no effect but its drafts. This one may have: whether it is abandoned or
    made twice, only that is removed to which nothing referred.
    """

    def decision(_: State) -> Sequence[Draft]:
        if heads(site) != seen.heads:
            raise _HeldUp
        if by := under_way(site, seen):
            raise _HeldUp(by)
        for one in batch:
            site.objects.delete(one.key)
            removed[one.key] = one.bytes
        return ()

    site.ledger.decide(decision)


def _remove_parts(parts: Iterable[LogPart], made: Collection) -> None:
    """Of the request log, those that are what was recorded. No run writes them again."""
    for part in parts:
        try:
            if "sha256:" + sha256(part.path.read_bytes()).hexdigest() != part.digest:
                continue
            part.path.unlink()
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise StorageFailed(
                f"the request log's file {part.path.name} could not be removed",
                why=str(exc),
                hint="mend its permissions or its disk, and repeat the command",
            ) from exc
        made.parts += 1
        made.part_bytes += part.bytes
    for folder in {part.path.parent for part in parts}:
        _sync(folder)


def _sync(folder: os.PathLike[str]) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _record(
    site: Site,
    seen: Survey,
    made: Collection,
    notes: Mapping[str, Note],
    removed: Mapping[str, int],
) -> None:
    """The fact first: what the notes still say of objects before it is told already."""
    kept = [one.bytes for one in seen.objects if one.verdict == "kept"]
    body = {
        "objects": made.objects,
        "bytes": made.bytes,
        "parts": made.parts,
        "part_bytes": made.part_bytes,
        "kept": len(kept),
        "kept_bytes": sum(kept),
        "noted": made.noted,
    }
    if made.objects or made.parts:
        site.ledger.append([Draft("storage.collected", body, actor=site.actor)])
    _write(site, {key: replace(n, going=0) for key, n in notes.items() if key not in removed})
