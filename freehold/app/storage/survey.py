"""One look at the site's store beside its state."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from freehold.app.site.opening import Site
from freehold.app.site.wanted import wanted_at
from freehold.app.storage.notes import Note, read_notes
from freehold.app.storage.unread import Heads, heads, unread
from freehold.app.traffic.requests import log_folder
from freehold.catalog.retention.judgement import PREFIXES, Docket, Judged, StoredObject, judge
from freehold.catalog.retention.law import Circumstances, Standing
from freehold.catalog.retention.references import standings
from freehold.catalog.retention.runs import open_runs, runs_of
from freehold.catalog.retention.traffic import log_parts
from freehold.domain.errors import Fault, ProjectInvalid
from freehold.running.execution import is_live

BEGINNING = 300_000_000
"""Microseconds after its first fact for which a run without a lock may be about to take it."""
ATTACHMENTS = "attachments/"


@dataclass(frozen=True)
class LogPart:
    path: Path
    digest: str
    bytes: int
    standing: Standing


@dataclass(frozen=True)
class Look:
    """What the state says of digests, and of which moment that is true."""

    heads: Heads
    running: tuple[str, ...]
    """Runs that go on by their facts, whether or not a process drives them."""
    asked: Circumstances
    docket: Docket
    notes: dict[str, Note]
    """As earlier looks left them."""


@dataclass(frozen=True)
class Survey:
    look: Look
    objects: tuple[Judged, ...]
    parts: tuple[LogPart, ...]
    """Of the request log, recorded and still there."""
    attachments: tuple[int, int]
    """How many, and their bytes: gc leaves them alone."""
    under_way: tuple[str, ...]
    """What is going on at this site that may need any object: nothing goes meanwhile."""

    @property
    def going(self) -> tuple[Judged, ...]:
        return tuple(one for one in self.objects if one.verdict == "goes")

    @property
    def parts_going(self) -> tuple[LogPart, ...]:
        return tuple(part for part in self.parts if part.standing.reason is None)

    @property
    def goes(self) -> bool:
        """Whether anything does now."""
        return bool(self.going or self.parts_going) and not self.under_way

    @property
    def waits(self) -> bool:
        return any(one.verdict == "waits" for one in self.objects)


def survey(site: Site) -> Survey:
    """Changes nothing. Raises ProjectInvalid for a retention below 0."""
    _check(site)
    seen = look(site)
    return Survey(
        look=seen,
        objects=tuple(judge(_objects(site), seen.docket)),
        parts=tuple(_parts(site, seen.asked)),
        attachments=_attachments(site),
        under_way=under_way(site, seen),
    )


def look(site: Site) -> Look:
    """The heads are read first: what comes meanwhile is seen twice rather than not at all."""
    found = heads(site)
    now = site.clock()
    running = tuple(row["run"] for row in runs_of(site.state) if row["status"] == "running")
    asked = _circumstances(site, now, running)
    notes = read_notes(site.folder)
    docket = Docket(
        standings=standings(site.state, asked),
        noted={key: note.noted for key, note in notes.items()},
        now=now,
        grace_hours=asked.settings.grace_hours,
        open_since=open_runs(site.state, asked),
    )
    return Look(found, running, asked, docket, notes)


def _circumstances(site: Site, now: int, running: tuple[str, ...]) -> Circumstances:
    spec = site.project.spec
    return Circumstances(
        site=site.name,
        settings=spec.retention,
        now=now,
        pipelines=frozenset(model.pipeline for model in spec.models.values()),
        window_days=spec.monitoring.window_days,
        driven=frozenset(run for run in running if is_live(run, site.locks)),
        wanted=_wanted(site),
        unread=unread(site),
    )


def _wanted(site: Site) -> dict[str, str]:
    if site.name not in site.project.spec.sites:
        return {}
    return {one.digest: one.why for one in wanted_at(site, site.name)}


def under_way(site: Site, seen: Look) -> tuple[str, ...]:
    """Runs and registrations of this site that have not ended: `run X`, `register M`."""
    found, now = [], site.clock()
    for run in seen.running:
        row = site.state.get("runs", run) or {}
        own = str(row.get("fact", "")).rpartition("/")[0] == site.ledger.writer
        begins = own and now - row.get("started", 0) < BEGINNING
        if begins or is_live(run, site.locks):
            found.append(f"run {run}")
    for model in site.project.spec.models:
        held = site.locks.take(f"register {model}")
        if held is None:
            found.append(f"register {model}")
        else:
            held.release()
    return tuple(found)


def _objects(site: Site) -> Iterator[StoredObject]:
    for prefix in PREFIXES:
        for key in site.objects.keys(prefix):
            size = site.objects.size(key)
            if size is not None:
                yield StoredObject(key, size)


def _attachments(site: Site) -> tuple[int, int]:
    sizes = [site.objects.size(key) or 0 for key in site.objects.keys(ATTACHMENTS)]
    return len(sizes), sum(sizes)


def _parts(site: Site, asked: Circumstances) -> Iterator[LogPart]:
    for name, (digest, standing) in sorted(log_parts(site.state, asked).items()):
        path = log_folder(site) / name
        if path.is_file():
            yield LogPart(path, digest, path.stat().st_size, standing)


def _check(site: Site) -> None:
    spec = site.project.spec.retention
    faults = [
        Fault(
            "project.wrong-value",
            f"'retention.{name}' must not be below 0",
            site.project.where("retention", name),
            "write a whole number from 0",
        )
        for name in ("runs_days", "versions", "reports_days", "logs_days", "grace_hours")
        if getattr(spec, name) < 0
    ]
    if faults:
        raise ProjectInvalid("the project's retention cannot be read", faults=faults)
