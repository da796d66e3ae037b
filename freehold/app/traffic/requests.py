"""The request log that endpoints wrote, recorded in the ledger file by file."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import Site
from freehold.app.traffic.identities import Identities
from freehold.catalog.traffic import LogFile, is_recorded, log_files, place_of
from freehold.catalog.versions import versions_of
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Draft
from freehold.domain.labels import inherited
from freehold.domain.projection import State
from freehold.serving.left_out import LeftOut, left_out_of


class Part(NamedTuple):
    """A file of the request log."""

    rows: pl.DataFrame
    left_out: tuple[LeftOut, ...]
    """Of every model."""


def log_folder(site: Site) -> Path:
    return site.serving / "log"


def collect(site: Site, model: str, tell: Callable[[str], None] = lambda _: None) -> int:
    """Record the log's new files: name, digest, rows, first and last time. Returns their number.

    A file that cannot be read is told and left where it is, to be recorded once it is whole: a
    release must be able to go back whatever lies in the folder.
    """
    state, borne = site.state, Borne(site)
    found = []
    for path in sorted(log_folder(site).glob("*.parquet")):
        if is_recorded(state, site.name, model, path.name):
            continue
        try:
            described = describe(path, model, borne)
        except IntegrityError as error:
            tell(f"[{error.code}] {error.what}; {error.hint}")
            continue
        if described is not None:
            found.append(described)
    if not found:
        return 0

    def decision(state: State) -> list[Draft]:
        """Another process may have recorded them meanwhile."""
        return [
            Draft("log.recorded", body)
            for body in found
            if not is_recorded(state, site.name, model, str(body["file"]))
        ]

    return len(site.ledger.decide(decision))


class Borne:
    """Which labels parts of the log bear: those of the versions that answered, or scored beside
    them, whose package bears what its run read and made."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @cached_property
    def _labels(self) -> dict[tuple[str, int], dict[str, str]]:
        """By model and version; looks at every step once."""
        state = self._site.state
        labelled = Labelled(state)
        return {(one.model, one.version): labelled.of([one.package]) for one in versions_of(state)}

    def of(self, model: str, versions: Iterable[int]) -> dict[str, str]:
        return inherited(self._labels.get((model, one), {}) for one in versions)


def requests(
    site: Site, model: str, since: int = 0, answered_since: int = 0
) -> pl.DataFrame | None:
    """Rows asked, and answered, at or after these times; None when there are none.

    Raises IntegrityError for a file that is gone or is not what was recorded.
    """
    parts = [part.rows for part in logged(site, model, since, answered_since)]
    if not parts:
        return None
    rows = pl.concat(parts, how="diagonal_relaxed").filter(
        (pl.col("model") == model)
        & (pl.col("asked_at") >= _time(since))
        & (pl.col("at") >= _time(answered_since))
    )
    return rows if rows.height else None


def logged(
    site: Site,
    model: str,
    since: int = 0,
    answered_since: int = 0,
    columns: Sequence[str] | None = None,
    edge: str = "",
) -> Iterator[Part]:
    """Parts that have a row asked, and one answered, so late; whole, one after the other. Of a
    place whose log was taken in, if one is named in `edge`. Ids are tokens where the project has
    them so, also those that were logged in clear before.

    Raises IntegrityError for a file that is gone or is not what was recorded.
    """
    identities = Identities.of(site)
    for file in log_files(site.state, place_of(site.name, edge), model, since, answered_since):
        data = log_bytes(site, file)
        rows = pl.read_parquet(data, columns=None if columns is None else list(columns))
        metadata = pl.read_parquet_metadata(BytesIO(data))
        yield Part(identities.read(rows, metadata), left_out_of(metadata))


def log_bytes(site: Site, file: LogFile) -> bytes:
    """Of a part, as it was recorded. Raises IntegrityError `log.altered`."""
    try:
        data = (log_folder(site) / file.file).read_bytes()
    except FileNotFoundError:
        data = b""
    if "sha256:" + sha256(data).hexdigest() != file.digest:
        raise IntegrityError(
            f"the request log's file {file.file} is not what was recorded",
            why="it is missing or its bytes changed",
            hint="put it back from a backup",
            code="log.altered",
        )
    return data


def describe(path: Path, model: str, borne: Borne) -> dict[str, Any] | None:
    """What a `log.recorded` says of a part; None for one that says nothing of the model. Raises
    IntegrityError `log.unreadable`."""
    data = path.read_bytes()
    columns = ["model", "at", "asked_at", "version", "request_id", "error", "shadow_version"]
    try:
        rows = pl.read_parquet(data, columns=columns).filter(pl.col("model") == model)
        counted = left_out_of(pl.read_parquet_metadata(BytesIO(data)))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError) as exc:
        raise IntegrityError(
            f"the request log's file {path.name} cannot be read",
            why=str(exc),
            hint=f"bring it back whole, or move it away: {path}",
            code="log.unreadable",
        ) from exc
    left_out = [one for one in counted if one.model == model]
    if rows.is_empty() and not left_out:
        return None
    variants = _variants(rows, left_out)
    versions = {one["version"] for one in variants} | set(rows["shadow_version"].drop_nulls())
    asked, at = (rows[name].dt.epoch("us").to_list() for name in ("asked_at", "at"))
    return {
        "model": model,
        "file": path.name,
        "digest": "sha256:" + sha256(data).hexdigest(),
        "rows": rows.height,
        "sampled_out": sum(one.rows for one in left_out),
        "first": min([*asked, *(one.first for one in left_out)]),
        "last": max([*asked, *(one.last for one in left_out)]),
        "answered": max([*at, *(one.answered for one in left_out)]),
        "variants": variants,
        "labels": borne.of(model, sorted(versions)),
    }


def _variants(rows: pl.DataFrame, left_out: Sequence[LeftOut]) -> list[dict[str, Any]]:
    """By version: requests, rows that were answered, rows that failed; of those that are not in
    the file, too."""
    counts = rows.group_by("version").agg(
        pl.col("request_id").n_unique().alias("requests"),
        pl.col("error").is_null().sum().alias("rows"),
        pl.col("error").is_not_null().sum().alias("failed"),
    )
    beside = [
        {"version": one.version, "requests": one.requests, "rows": one.rows, "failed": 0}
        for one in left_out
    ]
    found: dict[int, dict[str, Any]] = {}
    for told in sorted([*counts.to_dicts(), *beside], key=lambda one: one["version"]):
        before = found.setdefault(told["version"], dict.fromkeys(told, 0))
        found[told["version"]] = {
            name: value if name == "version" else value + before[name]
            for name, value in told.items()
        }
    return list(found.values())


def _time(microseconds: int) -> pl.Expr:
    return pl.from_epoch(pl.lit(microseconds), time_unit="us").dt.replace_time_zone("UTC")
