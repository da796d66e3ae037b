"""Artifacts on their way between sites, where somebody asks for them and no label forbids it."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from freehold.app.site.attaching import Route, copy_attachments
from freehold.app.site.labelled import Labelled
from freehold.app.site.meeting import Meeting, meet
from freehold.app.site.moved import Tally
from freehold.app.site.opening import Site
from freehold.app.site.wanted import is_here, lent_by, wanted_at
from freehold.app.site.watching import Unwatched, Watch, size_to_fetch, size_to_leave
from freehold.app.site.ways import no_way
from freehold.replication.fetching import fetch_artifacts
from freehold.replication.holdings import Holdings, what_store_has
from freehold.replication.sending import publish_artifacts
from freehold.replication.travel import barred_from_store

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
    site: Site,
    meeting: Meeting,
    counted: Tally,
    tell: Tell = lambda _: None,
    watch: Watch | None = None,
) -> Copied:
    """Fetch what is wanted here, leave what is wanted elsewhere where it will be looked for."""
    copied, watch = Copied(), watch or Unwatched()
    passing = _Passing(site, meeting, Labelled(site.state), copied, counted, tell, watch)
    _fetch(passing)
    _send(passing)
    copied.attachments = copy_attachments(site, meeting, _route(site, meeting))
    return copied


@dataclass(frozen=True)
class _Passing:
    site: Site
    meeting: Meeting
    labelled: Labelled
    copied: Copied
    counted: Tally
    tell: Tell
    watch: Watch

    def moved(self, size: int) -> None:
        self.watch.moved("artifacts", size)


def _fetch(passing: _Passing) -> None:
    site, copied = passing.site, passing.copied
    if site.name not in site.project.spec.sites or not passing.meeting.stores:
        return
    here = site.project.spec.sites[site.name]
    lacking = []
    for digest in _wanted_digests(site, site.name):
        if is_here(site, digest):
            continue
        if rule := passing.labelled.barred(digest, here):
            copied.barred.append(Barred(digest, site.name, rule))
        else:
            lacking.append(digest)
    if not lacking:
        return
    stores = passing.meeting.stores
    holdings: dict[str, Holdings] = {}
    if passing.watch.counts:
        size, holdings = size_to_fetch(lacking, stores)
        passing.watch.expects("artifacts", size)
    with TemporaryDirectory(prefix="freehold-fetch-") as scratch:
        found = fetch_artifacts(
            lacking,
            stores,
            site.objects,
            holdings=holdings,
            scratch=Path(scratch),
            moved=passing.moved,
            read=passing.counted.fetched,
        )
    copied.fetched += len(found.got)
    copied.bytes += found.bytes
    copied.missing.extend((*found.missing, *found.corrupt))
    if found.got:
        passing.tell(f"{len(found.got):,} artifacts fetched")


def _send(passing: _Passing) -> None:
    site = passing.site
    sites = site.project.spec.sites
    by_store: dict[str, dict[str, None]] = {}
    for place, store in _route(site, passing.meeting).items():
        for digest in _wanted_digests(site, place):
            if not is_here(site, digest):
                continue
            if rule := passing.labelled.barred_on_the_way(digest, place, store, sites):
                passing.copied.barred.append(Barred(digest, place, rule))
            else:
                by_store.setdefault(store, {})[digest] = None
    for digest in _lent(passing):
        by_store.setdefault(site.name, {})[digest] = None
    for name, digests in by_store.items():
        _leave(passing, name, digests)


def lend(site: Site, digests: Iterable[str], labels: Mapping[str, str]) -> None:
    """Leave what is here in the own store at once, before anybody can hear of it. Where the labels
    bar that, or the store does not answer, it stays where it is."""
    sites = site.project.spec.sites
    rule = no_way(labels, [site.name], site.name, sites) or barred_from_store(
        labels, sites[site.name].store, sites
    )
    meeting = meet(site)
    if not rule and site.name in meeting.stores:
        with meeting.at(site.name):
            publish_artifacts(digests, site.objects, meeting.stores[site.name])


def _lent(passing: _Passing) -> Iterator[str]:
    """In the own store, where no label bars it: the store may be another site's too."""
    site, labelled = passing.site, passing.labelled
    if site.name not in passing.meeting.stores or site.name not in site.project.spec.sites:
        return
    for digest in dict.fromkeys(one.digest for one in lent_by(site)):
        rule = labelled.barred_on_the_way(digest, site.name, site.name, site.project.spec.sites)
        if not rule and is_here(site, digest):
            yield digest


def _wanted_digests(site: Site, place: str) -> Iterable[str]:
    """Each once, whoever asks for it."""
    return dict.fromkeys(one.digest for one in wanted_at(site, place))


def _leave(passing: _Passing, name: str, digests: Collection[str]) -> None:
    copied, store, objects = passing.copied, passing.meeting.stores[name], passing.site.objects

    def went(size: int) -> None:
        passing.counted.sent(name, size)
        passing.moved(size)

    with passing.meeting.at(name):
        holdings = what_store_has(store, name=name)
        if passing.watch.counts:
            passing.watch.expects("artifacts", size_to_leave(digests, objects, holdings))
        sent = publish_artifacts(digests, objects, store, holdings=holdings, moved=went)
        copied.sent += sent.artifacts
        copied.bytes += sent.bytes
        if sent.artifacts:
            passing.tell(f"{sent.artifacts:,} artifacts left in the store of {name}")


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
