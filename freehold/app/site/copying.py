"""Artifacts on their way between sites, where somebody asks for them and no label forbids it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from freehold.app.site.attaching import Route, copy_attachments
from freehold.app.site.meeting import Meeting
from freehold.app.site.opening import Site
from freehold.app.site.wanted import Wanted, wanted_at
from freehold.domain.artifact import object_key
from freehold.ports.object_store import Moved
from freehold.replication.fetching import fetch_artifacts
from freehold.replication.sending import publish_artifacts
from freehold.replication.travel import barred, barred_from_store

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Barred:
    """An artifact that was asked for and stays where it is."""

    digest: str
    site: str
    why: str

    def as_json(self) -> dict[str, Any]:
        return {"digest": self.digest, "site": self.site, "why": self.why}


@dataclass
class Copied:
    fetched: int = 0
    sent: int = 0
    bytes: int = 0
    attachments: int = 0
    """Texts that work needs, fetched or left."""
    missing: list[str] = field(default_factory=list)
    """Digests that are wanted here and that no store has yet."""
    barred: list[Barred] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "fetched": self.fetched,
            "sent": self.sent,
            "bytes": self.bytes,
            "attachments": self.attachments,
            "missing": self.missing,
            "barred": [one.as_json() for one in self.barred],
        }


def copy_artifacts(
    site: Site, meeting: Meeting, tell: Tell = lambda _: None, moved: Moved = lambda _: None
) -> Copied:
    """Fetch what is wanted here, leave what is wanted elsewhere where it will be looked for.

    `moved` is told bytes as they go, from several threads.
    """
    copied = Copied()
    _fetch(site, meeting, copied, tell, moved)
    _send(site, meeting, copied, tell, moved)
    copied.attachments = copy_attachments(site, meeting, _route(site, meeting))
    return copied


def _fetch(site: Site, meeting: Meeting, copied: Copied, tell: Tell, moved: Moved) -> None:
    if site.name not in site.project.spec.sites or not meeting.stores:
        return
    here = site.project.spec.sites[site.name]
    lacking = {}
    for one in wanted_at(site, site.name):
        if site.objects.size(object_key(one.digest)) is None:
            if rule := barred(one.labels, here):
                copied.barred.append(Barred(one.digest, site.name, rule))
            else:
                lacking[one.digest] = one
    if not lacking:
        return
    with TemporaryDirectory(prefix="freehold-fetch-") as scratch:
        found = fetch_artifacts(
            lacking, meeting.stores, site.objects, scratch=Path(scratch), moved=moved
        )
    copied.fetched += len(found.got)
    copied.bytes += found.bytes
    copied.missing.extend((*found.missing, *found.corrupt))
    if found.got:
        tell(f"{len(found.got):,} artifacts fetched")


def _send(site: Site, meeting: Meeting, copied: Copied, tell: Tell, moved: Moved) -> None:
    sites = site.project.spec.sites
    by_store: dict[str, dict[str, Wanted]] = {}
    for place, store in _route(site, meeting).items():
        spec = sites[place]
        for one in wanted_at(site, place):
            if site.objects.size(object_key(one.digest)) is None:
                continue
            rule = barred(one.labels, spec) or barred_from_store(
                one.labels, sites[store].store, sites
            )
            if rule:
                copied.barred.append(Barred(one.digest, place, rule))
            else:
                by_store.setdefault(store, {})[one.digest] = one
    for name, wanted in by_store.items():
        _leave(site, meeting, name, wanted, copied, tell, moved)


def _leave(
    site: Site,
    meeting: Meeting,
    name: str,
    wanted: Mapping[str, Wanted],
    copied: Copied,
    tell: Tell,
    moved: Moved,
) -> None:
    with meeting.at(name):
        sent = publish_artifacts(wanted, site.objects, meeting.stores[name], moved=moved)
        copied.sent += sent.artifacts
        copied.bytes += sent.bytes
        if sent.artifacts:
            tell(f"{sent.artifacts:,} artifacts left in the store of {name}")


def _route(site: Site, meeting: Meeting) -> Route:
    """Every other site that can be reached, and the store in which it will look."""
    found = {}
    for place in site.project.spec.sites:
        store = _store_for(place, site, meeting)
        if place != site.name and store is not None:
            found[place] = store
    return found


def _store_for(place: str, site: Site, meeting: Meeting) -> str | None:
    """Where the site at `place` will look: its own store if this site reaches it, else any that
    both reach."""
    if place in meeting.stores:
        return place
    public = [n for n in meeting.stores if not site.project.spec.sites[n].private]
    return public[0] if public else None
