"""Tables as they are stored, the request log, labels, and artifacts of other formats.

`tables/index.json` and `artifacts/index.json` name each by its digest, say which step of which run
made it, and how many rows are known to be in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from freehold.app.drill.exit.folder import ExitFolder
from freehold.app.drill.exit.logs import all_facts, is_own
from freehold.app.site.opening import Site
from freehold.app.traffic.requests import log_folder
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Fact

TABLE = "parquet"
INDEX = "tables/index.json"
OTHER_INDEX = "artifacts/index.json"
SPENDING = {"usage.recorded": "usage", "bill.imported": "bill"}


@dataclass
class Named:
    """An artifact that some fact names."""

    digest: str
    format: str
    kind: str
    """`artifact`, `labels`, `report`, `usage` or `bill`."""
    own: bool
    """Whether this site named it; what another one made may never have come here."""
    made: list[dict[str, Any]] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    rows: int | None = None
    """As the history says; None where it does not."""


def write_tables(site: Site, folder: ExitFolder) -> dict[str, dict[str, Any]]:
    """Returns the entries of the tables that are artifacts, by digest."""
    for fact in all_facts(site, "storage.collected"):
        if is_own(site, fact.writer):
            for kind in folder.let_go:
                folder.let_go[kind] += fact.body[kind]
    tables: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for named in _named(site).values():
        data = stored(site, folder, named.digest, named.own, f"{named.kind} {named.digest}")
        if data is None:
            continue
        place = "tables" if named.format == TABLE else "artifacts"
        path = f"{place}/{named.digest.partition(':')[2]}.{named.format}"
        folder.put(path, data)
        entry = {
            "path": path,
            "digest": named.digest,
            "kind": named.kind,
            "made": named.made,
            "labels": named.labels,
        }
        if named.format == TABLE:
            tables.append({**entry, **_rows(data, named.rows)})
        else:
            others.append({**entry, "format": named.format})
    folder.put_json(INDEX, [*tables, *_requests(site, folder)])
    folder.put_json(OTHER_INDEX, others)
    return {entry["digest"]: entry for entry in tables}


def stored(
    site: Site, folder: ExitFolder, digest: str, own: bool, what: str, kind: str = "objects"
) -> bytes | None:
    """An artifact's bytes, verified. None, and said so, if they are not here; `kind` is empty for
    what is never collected."""
    try:
        return site.artifacts.get(digest)
    except IntegrityError as error:
        if error.code == "artifact.missing":
            folder.missing(what, own, kind)
        else:
            folder.faults.append(f"{what}: {error.what}")
        return None


def _named(site: Site) -> dict[str, Named]:
    """By digest."""
    found: dict[str, Named] = {}
    checked: dict[str, int] = {}

    def name(fact: Fact, digest: str, format: str, kind: str) -> Named:
        own = is_own(site, fact.writer)
        one = found.setdefault(digest, Named(digest, format, kind, own))
        one.own = one.own or own
        return one

    for fact in all_facts(site, "step.finished", "labels.added", "contract.checked", *SPENDING):
        body = fact.body
        if fact.type == "step.finished":
            for place, output in enumerate(body["outputs"]):
                one = name(fact, output["digest"], output["format"], "artifact")
                one.made.append({"run": body["run"], "step": body["step"], "output": place})
                one.labels |= output["labels"]
        elif fact.type == "labels.added":
            one = name(fact, body["artifact"], TABLE, "labels")
            one.made.append({"model": body["model"]})
            one.rows = body["rows"]
        elif fact.type in SPENDING:
            one = name(fact, body["artifact"], TABLE, SPENDING[fact.type])
            about = ("provider", "account", "period", "site", "kind")
            one.made.append({member: body[member] for member in about if member in body})
            one.rows = body["rows"]
        else:
            name(fact, body["report"], "json", "report").made.append({"table": body["artifact"]})
            checked[body["artifact"]] = body["rows"]
    # A table is checked before its step is told as finished.
    for digest in checked.keys() & found.keys():
        found[digest].rows = checked[digest]
    return found


def _requests(site: Site, folder: ExitFolder) -> Iterator[dict[str, Any]]:
    """Files of the request log: those in the history, and those that the loop has not read yet."""
    recorded: set[str] = set()
    for fact in all_facts(site, "log.recorded"):
        body = fact.body
        recorded.add(body["file"])
        path, source = _request_path(body["file"]), log_folder(site) / body["file"]
        what = f"request log {body['file']}"
        data = source.read_bytes() if source.is_file() else None
        if data is None:
            folder.missing(what, is_own(site, fact.writer), "parts")
            continue
        if "sha256:" + sha256(data).hexdigest() != body["digest"]:
            folder.faults.append(f"{what}: it is not what was recorded")
            continue
        folder.put(path, data)
        yield {
            "path": path,
            "digest": body["digest"],
            "kind": "requests",
            "rows": body["rows"],
            "rows_from": "history",
            "where": {"model": body["model"]},
        }
    for source in sorted(log_folder(site).glob("*.parquet")):
        if source.name not in recorded:
            yield _unread(folder, source)


def _unread(folder: ExitFolder, source: Path) -> dict[str, Any]:
    data = source.read_bytes()
    path = _request_path(source.name)
    folder.put(path, data)
    digest = "sha256:" + sha256(data).hexdigest()
    return {"path": path, "digest": digest, "kind": "requests", **_rows(data, None)}


def _request_path(name: str) -> str:
    return f"tables/requests/{name}"


def _rows(data: bytes, known: int | None) -> dict[str, Any]:
    """The history's number, or else the file's own; null where the file cannot be read."""
    if known is not None:
        return {"rows": known, "rows_from": "history"}
    try:
        rows = pl.scan_parquet(BytesIO(data)).select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, OSError):
        rows = None
    return {"rows": rows, "rows_from": "file"}
