"""From the serving folder into memory, if and only if everything verifies.

A version is loaded when the site's key signed the routing table, the payload's files and the
admission; when the admission allows it under this name; and when the payload's bytes have the
digest that table and admission name. The model then has to answer a row of missing values.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isfinite
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from freehold.catalog.package import pack
from freehold.domain.columns import Columns
from freehold.domain.errors import FreeholdError, IntegrityError, NotFound, Refused
from freehold.domain.package import ADMISSION, COLUMNS, SIGNATURE, check_admission
from freehold.domain.routing import RoutingTable, Variant, is_withdrawal, read_routing
from freehold.domain.signature import PublicKey
from freehold.endpoint.batching import Batching
from freehold.endpoint.keeping import EVERYTHING, Keeping, keeping_of
from freehold.ports.model_runtime import Elsewhere, ModelRuntime, Predictor
from freehold.ports.model_signing import ModelSigning
from freehold.serving.prediction_log import Kinds
from freehold.serving.request import ID
from freehold.serving.routing import Division

ROUTING = "routing.json"
WITHDRAWN = "endpoint.withdrawn"
KEY = "site.pub"
MODELS = "models"
PAYLOAD = "payload"


@dataclass(frozen=True)
class LoadedModel:
    digest: str
    columns: Columns
    predictor: Predictor


@dataclass(frozen=True)
class LoadedTable:
    """Frozen: a request takes it once, and is answered by it whatever is swapped meanwhile."""

    table: RoutingTable
    division: Division
    models: tuple[LoadedModel, ...]
    """In the order of the table's variants."""
    kinds: Kinds
    """Of every column that some variant takes."""
    keeping: Keeping = EVERYTHING
    """What the log keeps of its rows."""

    @property
    def digests(self) -> tuple[str, ...]:
        """Of its models' packages."""
        return tuple(model.digest for model in self.models)

    def start(self) -> None:
        """What was loaded to be shared."""
        for model in self.models:
            model.predictor.start()

    @cached_property
    def waits(self) -> bool:
        """Whether some model answers from elsewhere: a thread has to wait for it."""
        return any(isinstance(model.predictor, Elsewhere) for model in self.models)

    @cached_property
    def reference(self) -> int | None:
        """Place of the reference among the variants."""
        return None if self.table.reference is None else self.place(self.table.reference)

    def order(self, pinned: int | None) -> tuple[str, ...]:
        """The columns of rows that come without names: of the version that the client named, else
        of the one that the others are compared with, else of the champion.
        """
        place = self.reference if pinned is None else pinned
        if place is None:
            aliases = [variant.alias for variant in self.table.variants]
            place = aliases.index("champion") if "champion" in aliases else 0
        return self.models[place].columns.names

    def described(self, pinned: int | None) -> tuple[list[int], list[Columns]]:
        """Version and columns of each variant, or of the pinned one."""
        chosen = range(len(self.models)) if pinned is None else (pinned,)
        versions = [self.table.variants[place].version for place in chosen]
        return versions, [self.models[place].columns for place in chosen]

    def place(self, version: int) -> int | None:
        for place, variant in enumerate(self.table.variants):
            if variant.version == version:
                return place
        return None


class Deferred(Exception):
    """A model is not loaded here: another process does so, for others that take over."""


class _NotShared(Exception):
    """A model cannot be loaded for several processes."""


@dataclass(frozen=True)
class Loader:
    folder: Path
    """The serving folder."""
    key: PublicKey
    """The site's, as it was when the endpoint started."""
    runtime: ModelRuntime
    signing: ModelSigning
    batching: Batching = field(default_factory=Batching)
    is_shared: bool = False
    """Whether models are loaded for processes that are forked afterwards."""
    defers: Callable[[], bool] = lambda: False
    """Asked before a model is loaded that the table before did not have."""

    def load(self, before: LoadedTable | None) -> LoadedTable:
        """What `routing.json` names: `before` itself if that says the same. Models that `before`
        has are not loaded twice.

        Raises FreeholdError with the code of the first thing that does not verify; Deferred.
        """
        if read(self.folder / KEY) != self.key.pem:
            raise IntegrityError(
                "the site's public key is not the one that the endpoint started with",
                code="endpoint.key-changed",
                hint="if that was meant, start the endpoint again",
            )
        document = read(self.folder / ROUTING)
        if is_withdrawal(document, self.key):
            raise Refused(
                "nothing may be served: what was released is revoked or rolled back",
                why="there was no version before it to go back to",
                hint="release another version; it is taken up as soon as it is there",
                code=WITHDRAWN,
            )
        table = read_routing(document, self.key)
        if before is not None and table == before.table:
            return before
        if before is not None and table.version <= before.table.version:
            raise IntegrityError(
                f"routing table {table.version} is not newer than {before.table.version}",
                code="routing.stale",
                hint="release a version again; the table then gets a new number",
            )
        known = {} if before is None else {model.digest: model for model in before.models}
        is_known = known.keys() >= {variant.digest for variant in table.variants}
        if before is not None and not is_known and self.defers():
            raise Deferred
        models = tuple(self._model(table, variant, known) for variant in table.variants)
        kinds = _kinds(table, models)
        keeping = keeping_of(self.folder, table, kinds)
        return LoadedTable(table, Division(table), models, kinds, keeping)

    def load_to_share(self, before: LoadedTable | None) -> LoadedTable | None:
        """For processes that are to be forked; each has to `start` it. None where not all models
        can be shared so, or nothing is served. Raises as `load`."""
        if is_withdrawal(read(self.folder / ROUTING), self.key):
            return None
        try:
            return replace(self, is_shared=True).load(before)
        except _NotShared:
            return None

    def _model(
        self, table: RoutingTable, variant: Variant, known: Mapping[str, LoadedModel]
    ) -> LoadedModel:
        folder = self._folder(variant)
        admission = check_admission(read(folder / ADMISSION), self.key, variant.digest)
        if (admission.model, admission.version) != (table.model, variant.version):
            raise IntegrityError(
                f"the package of {table.model}@{variant.version} was admitted as"
                f" {admission.model}@{admission.version}",
                code="package.admission-name",
            )
        if variant.digest in known:
            return known[variant.digest]
        payload = folder / PAYLOAD
        self._verify(payload, variant)
        columns = _columns(payload)
        predictor = self._predictor(payload, f"{table.model}@{variant.version}")
        answering = _answering(predictor, columns, table, variant)
        if not self.is_shared:
            answering.start()
        return LoadedModel(variant.digest, columns, self.batching.of(answering, columns))

    def _folder(self, variant: Variant) -> Path:
        return self.folder / MODELS / variant.digest.removeprefix("sha256:")

    def _verify(self, payload: Path, variant: Variant) -> None:
        signature = payload.parent / SIGNATURE
        if not payload.is_dir() or not signature.is_file():
            raise _absent(payload if not payload.is_dir() else signature)
        self.signing.verify(payload, self.folder / KEY, signature)
        found = payload_digest(payload)
        if found != variant.digest:
            raise IntegrityError(
                f"the package in {payload} is another one than the routing table names",
                why=f"its digest is {found}, not {variant.digest}",
                code="package.digest",
            )

    def _predictor(self, payload: Path, name: str) -> Predictor:
        try:
            if not self.is_shared:
                return self.runtime.load(payload)
            if (shared := self.runtime.load_to_share(payload)) is not None:
                return shared
            raise _NotShared
        except (FreeholdError, _NotShared):
            raise
        except Exception as exc:
            raise unusable(name, f"it does not load: {exc!r:.200}") from exc


def stamp_of(folder: Path) -> tuple[int, int, int] | None:
    """Another one when the routing table in it was replaced; None if there is none."""
    try:
        found = (folder / ROUTING).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def read(path: Path) -> bytes:
    """Raises NotFound `endpoint.incomplete`, IntegrityError `endpoint.unreadable`."""
    try:
        return path.read_bytes()
    except FileNotFoundError as exc:
        raise _absent(path) from exc
    except OSError as exc:
        raise IntegrityError(
            f"{path} cannot be read", why=str(exc), code="endpoint.unreadable"
        ) from exc


def payload_digest(payload: Path) -> str:
    """Of the files below a folder, packed as packages are."""
    return pack(
        {
            path.relative_to(payload).as_posix(): path.read_bytes()
            for path in payload.rglob("*")
            if path.is_file()
        }
    ).digest


def checked(scores: NDArray[np.float64], rows: int) -> list[float]:
    """Raises ValueError unless there is one finite score for each row."""
    if scores.shape != (rows,):
        raise ValueError(f"scores of shape {scores.shape} for {rows} rows")
    values: list[float] = scores.tolist()
    # One that is not makes the sum so; of finite ones only some near the end of all numbers do.
    if not isfinite(sum(values)) and not all(map(isfinite, values)):
        raise ValueError("a score is not finite")
    return values


def unusable(name: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"the model {name} cannot answer",
        why=why,
        code="endpoint.model-unusable",
        hint="release another version",
    )


def _answering(
    predictor: Predictor, columns: Columns, table: RoutingTable, variant: Variant
) -> Predictor:
    name = f"{table.model}@{variant.version}"
    nothing = np.full((1, len(columns.columns)), np.nan, dtype=np.float32)
    try:
        checked(predictor.predict(nothing), 1)
    except Exception as exc:
        raise unusable(name, f"asked for a row of missing values: {exc!s:.200}") from exc
    return predictor


def _columns(payload: Path) -> Columns:
    try:
        columns = Columns.from_json(orjson.loads((payload / COLUMNS).read_bytes()))
    except (OSError, orjson.JSONDecodeError) as exc:
        raise IntegrityError(
            f"the package in {payload} has no {COLUMNS} that can be read",
            why=str(exc),
            code="package.incomplete",
        ) from exc
    if ID in columns.names:
        raise IntegrityError(
            f"a model cannot take a column named '{ID}'",
            why="requests name their rows by it",
            code="endpoint.reserved-column",
            hint="rename the column and train again",
        )
    return columns


def _kinds(table: RoutingTable, models: tuple[LoadedModel, ...]) -> Kinds:
    kinds = {c.name: c.kind for model in models for c in model.columns.columns}
    for model in models:
        for column in model.columns.columns:
            if kinds[column.name] != column.kind:
                raise IntegrityError(
                    f"the variants of {table.model} do not agree on column '{column.name}'",
                    why="one takes it as a number, another as a category",
                    code="endpoint.columns-conflict",
                    hint="release the newer version with the strategy 'immediate'",
                )
    return kinds


def _absent(path: Path) -> NotFound:
    return NotFound(
        f"{path} is not there",
        why="the serving folder is incomplete",
        code="endpoint.incomplete",
        hint="`freehold release` puts a version into it",
    )
