"""`freehold bundles --take-in`: what bundles left in a store becomes facts of this site.

Laws
- Believed is what has the digest that it is named after and is of a bundle that was made; nobody
  signs what a box says, so that whoever may write to the store may make it up.
- What was taken in is known by its digest: taken again it changes nothing.
- A part of the log stands beside the site's own, below the name of the place, and apart from it.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from freehold.app.site.opening import Site
from freehold.app.traffic.requests import Borne, describe, log_folder, logged
from freehold.catalog.bundles import bundles_of, is_told
from freehold.catalog.endpoint_events import draft_of
from freehold.catalog.traffic import is_recorded, place_of
from freehold.domain.canonical import canonical
from freehold.domain.edge_report import FOLDER, LARGEST, ReportKey, read_key
from freehold.domain.errors import IntegrityError, StorageFailed
from freehold.domain.fact import Draft
from freehold.domain.projection import State
from freehold.ports.object_store import ObjectStore

AT_ONCE = 100
"""Facts of one entry into the history."""
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,100}")
_STATE = {"box": str, "number": int, "files": int, "bytes": int, "at": int}


@dataclass(frozen=True)
class Taken:
    parts: int
    """Of the request log."""
    rows: int
    told: int
    """Events, beats and states."""
    refused: int = 0

    def __add__(self, other: "Taken") -> "Taken":
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Taken(*(one + two for one, two in pairs))


def take_in(site: Site, store: ObjectStore, tell: Callable[[str], None] = lambda _: None) -> Taken:
    """What is not here yet. What cannot be believed is told and left where it is.

    Raises Unreachable and StorageFailed of the store: what was taken in until then stays.
    """
    made = {(one.site, one.model) for one in bundles_of(site.state)}
    taken, borne = Taken(0, 0, 0), Borne(site)
    waiting: dict[ReportKey, Draft] = {}
    for key in _new(site, store, made):
        try:
            waiting[key] = _draft(site, store, key, borne)
        except IntegrityError as error:
            taken += Taken(0, 0, 0, refused=1)
            tell(f"[{error.code}] {error.what}: {error.why}")
        if len(waiting) == AT_ONCE:
            taken += _commit(site, waiting)
            waiting = {}
    return taken + _commit(site, waiting)


def edge_requests(site: Site, place: str, model: str) -> pl.DataFrame | None:
    """All rows that were taken in for a place; None if there are none. Raises IntegrityError for a
    part that is not what was recorded."""
    parts = [part.rows for part in logged(site, model, edge=place)]
    return pl.concat(parts, how="diagonal_relaxed") if parts else None


def _new(site: Site, store: ObjectStore, made: set[tuple[str, str]]) -> Iterator[ReportKey]:
    for name in store.keys(f"{FOLDER}/"):
        key = read_key(name)
        if (
            key is not None
            and (key.site, key.model) in made
            and not _is_here(site.state, site, key)
        ):
            yield key


def _is_here(state: State, site: Site, key: ReportKey) -> bool:
    if key.kind == "log":
        return is_recorded(state, place_of(site.name, key.site), key.model, _part_name(key))
    return is_told(state, key.site, key.model, key.digest)


def _part_name(key: ReportKey) -> str:
    """In the log's folder: below the place, so that it is not taken for the site's own."""
    return f"{key.site}/{key.sha256}.parquet"


def _draft(site: Site, store: ObjectStore, key: ReportKey, borne: Borne) -> Draft:
    """Raises IntegrityError."""
    data = _verified(store, key)
    if key.kind == "log":
        return _log(site, key, data, borne)
    try:
        told = json.loads(data)
        about = _EVERY[key.kind](told)
        canonical(about)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise _refused(key, f"it is no {key.kind} of a bundle: {exc!s:.100}") from exc
    body = {
        "site": key.site,
        "model": key.model,
        "digest": key.digest,
        "kind": key.kind,
        "about": about,
    }
    return Draft("bundle.told", body, actor=site.actor)


def _verified(store: ObjectStore, key: ReportKey) -> bytes:
    size = store.size(str(key))
    if size is None or size > LARGEST:
        raise _refused(key, f"more than {LARGEST:,} bytes are not read" if size else "it is gone")
    try:
        data = store.get(str(key))
    except KeyError as exc:
        raise _refused(key, "it is gone") from exc
    if sha256(data).hexdigest() != key.sha256:
        raise _refused(key, "its bytes are not those of its digest")
    return data


def _log(site: Site, key: ReportKey, data: bytes, borne: Borne) -> Draft:
    name = _part_name(key)
    path = log_folder(site) / name
    _put(path, data)
    try:
        described = describe(path, key.model, borne)
        if described is None:
            raise _refused(key, f"it has no row of {key.model}")
    except IntegrityError:
        path.unlink()
        raise
    body = {**described, "file": name, "edge": key.site}
    return Draft("log.recorded", body, actor=site.actor)


def _put(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as exc:
        part.unlink(missing_ok=True)
        raise StorageFailed(
            f"{path} could not be written",
            why=str(exc),
            hint="make room, then take the reports in again: nothing is lost",
        ) from exc


def _event(told: Any) -> dict[str, Any]:
    """By the rule of the site's own spool: numbers and codes."""
    draft = draft_of("", told)
    body = {name: value for name, value in draft.body.items() if name != "file"}
    return {"type": draft.type, **body}


def _replica(told: Any) -> dict[str, Any]:
    seconds = {_plain(str(version)): float(one) for version, one in told["seconds"].items()}
    return {
        "start": int(told["start"]),
        "beat": int(told["beat"]),
        "ended": bool(told["ended"]),
        "seconds": seconds,
    }


def _state(told: Any) -> dict[str, Any]:
    if set(told) != set(_STATE):
        raise ValueError("its fields are not those of a box")
    found = {name: kind(told[name]) for name, kind in _STATE.items()}
    return {**found, "box": _plain(found["box"])}


_EVERY: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "event": _event,
    "replica": _replica,
    "state": _state,
}


def _plain(text: str) -> str:
    if _PLAIN.fullmatch(text) is None:
        raise ValueError(f"{text!r:.40} is no name")
    return text


def _commit(site: Site, waiting: Mapping[ReportKey, Draft]) -> Taken:
    """What of it is new in the history."""
    if not waiting:
        return Taken(0, 0, 0)

    def decision(state: State) -> list[Draft]:
        """Another process may have taken them in meanwhile."""
        return [draft for key, draft in waiting.items() if not _is_here(state, site, key)]

    found = [one.fact for one in site.ledger.decide(decision)]
    logs = [one for one in found if one.type == "log.recorded"]
    rows = sum(int(one.body["rows"]) for one in logs)
    return Taken(len(logs), rows, len(found) - len(logs))


def _refused(key: ReportKey, why: str) -> IntegrityError:
    return IntegrityError(
        f"report {key} is not taken in",
        why=why,
        hint="it is left where it is; whoever may write to the store may have put it there",
        code="bundle.report-refused",
    )
