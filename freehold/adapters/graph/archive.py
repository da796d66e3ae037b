"""A graph as one file: a ZIP of `graph.json`, the columns, functions' sources and models' bytes.

Packages have the same files, but for the models, which lie there as packages of their own.
"""

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from freehold.domain.canonical import canonical
from freehold.domain.columns import Columns
from freehold.domain.errors import AdapterFailed, Fault, IntegrityError, ProjectInvalid
from freehold.domain.model_graph import ModelGraph
from freehold.domain.model_graph_document import (
    DOCUMENT,
    FUNCTIONS,
    MODELS,
    as_document,
    function_file,
    model_folder,
    read_document,
)
from freehold.domain.model_graph_part import Part, Trained
from freehold.domain.model_graph_types import graph_faults
from freehold.domain.package import COLUMNS

_DATE = (1980, 1, 1, 0, 0, 0)
_MODEL = "model"


@dataclass(frozen=True)
class StoredModel:
    data: bytes
    """As its framework's codec stored it; empty where it lies in a package."""
    format: str
    columns: Columns


@dataclass(frozen=True)
class StoredGraph:
    document: Mapping[str, Any]
    columns: Columns
    functions: Mapping[str, bytes]
    """Sources by name."""
    models: Mapping[str, StoredModel]

    def part(self, models: Mapping[str, Trained]) -> tuple[Part, list[Fault]]:
        """The graph with the models that are given, and every fault of the document."""
        sources = {name: source.decode() for name, source in self.functions.items()}
        part, faults = read_document(self.document, sources, models)
        return part, [*faults, *graph_faults(self.columns, part), *self._function_faults()]

    def checked(self) -> None:
        """Raises IntegrityError `package.graph` with every fault."""
        models = {name: Trained(None, one.columns) for name, one in self.models.items()}
        faults = self.part(models)[1]
        if faults:
            raise IntegrityError(
                "the package's graph does not fit together",
                why=f"{len(faults)} faults in {DOCUMENT} and beside it",
                hint="compose it again with ModelGraph(…), and register what comes of it",
                code="package.graph",
                faults=faults,
            )

    def _function_faults(self) -> list[Fault]:
        found = []
        for name, source in self.functions.items():
            try:
                bound = {_bound(statement) for statement in ast.parse(source).body}
            except (SyntaxError, ValueError) as exc:
                found.append(
                    Fault("graph.document", f"it is no Python: {exc}", function_file(name))
                )
                continue
            if name not in bound:
                what = f"it does not define '{name}'"
                found.append(Fault("graph.document", what, function_file(name)))
        return found


def written(graph: ModelGraph, models: Mapping[str, StoredModel]) -> bytes:
    """Equal graphs give equal bytes."""
    formats = {name: one.format for name, one in models.items()}
    files = {
        DOCUMENT: canonical(as_document(graph, formats)),
        COLUMNS: canonical(_json(graph.columns)),
    }
    for name, function in graph.functions.items():
        files[function_file(name)] = function.source.encode()
    for name, model in models.items():
        files[f"{model_folder(name)}/{COLUMNS}"] = canonical(model.columns.as_json())
        files[f"{model_folder(name)}/{_MODEL}"] = model.data
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED) as archive:
        for path in sorted(files):
            archive.writestr(ZipInfo(path, _DATE), files[path])
    return buffer.getvalue()


@lru_cache(maxsize=2)
def read(data: bytes) -> StoredGraph:
    """Raises AdapterFailed (`model.unreadable`)."""
    try:
        with ZipFile(BytesIO(data)) as archive:
            # As for packages: nothing is unpacked to see that it should not have been packed.
            if any(entry.compress_type != ZIP_STORED for entry in archive.infolist()):
                raise ValueError("its files are compressed")
            files = {name: archive.read(name) for name in archive.namelist()}
        stored = _stored(files)
        stored.checked()
    # A cipher, and a version of the format that it does not know, zipfile tells by a RuntimeError;
    # a place that no file has, by an OverflowError.
    except (BadZipFile, RuntimeError, EOFError, OverflowError) as exc:
        raise _unreadable(str(exc)) from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise _unreadable(f"{exc!r:.200}") from exc
    except (IntegrityError, ProjectInvalid) as exc:
        raise _unreadable(exc.what, exc.faults) from exc
    return stored


def read_folder(folder: Path) -> StoredGraph:
    """Of a package. Raises IntegrityError: `package.incomplete`, `package.unreadable`, and
    `package.graph` with every fault."""
    try:
        files = {name: (folder / name).read_bytes() for name in (DOCUMENT, COLUMNS)}
    except OSError as exc:
        raise IntegrityError(
            f"the package in {folder} lacks its graph", why=str(exc), code="package.incomplete"
        ) from exc
    paths = [*(folder / FUNCTIONS).glob("*.py"), *(folder / MODELS).glob(f"*/{COLUMNS}")]
    files |= {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    try:
        stored = _stored(files)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise IntegrityError(
            f"{folder / DOCUMENT} cannot be loaded",
            why=f"{exc!r:.200}",
            code="package.unreadable",
        ) from exc
    except ProjectInvalid as exc:
        raise IntegrityError(
            f"columns of the package in {folder} cannot be read",
            code="package.unreadable",
            faults=exc.faults,
        ) from exc
    stored.checked()
    return stored


def _stored(files: Mapping[str, bytes]) -> StoredGraph:
    """Raises ValueError, KeyError, TypeError, AttributeError, ProjectInvalid."""
    document = json.loads(files[DOCUMENT], object_pairs_hook=_once, parse_constant=_no_number)
    formats = {name: one.get("format", "") for name, one in document.get("models", {}).items()}
    models, functions = {}, {}
    for path, data in files.items():
        place, _, rest = path.partition("/")
        name, _, file = rest.partition("/")
        if place == MODELS and file == COLUMNS:
            stored = files.get(f"{model_folder(name)}/{_MODEL}", b"")
            columns = Columns.from_json(json.loads(data))
            models[name] = StoredModel(stored, str(formats.get(name, "")), columns)
        elif place == FUNCTIONS:
            functions[name.removesuffix(".py")] = data
            data.decode()
    return StoredGraph(document, Columns.from_json(json.loads(files[COLUMNS])), functions, models)


def _json(columns: Any) -> Any:
    return columns.as_json()


def _bound(statement: ast.stmt) -> str:
    if isinstance(statement, ast.FunctionDef):
        return statement.name
    if isinstance(statement, ast.ImportFrom):
        return statement.names[-1].asname or statement.names[-1].name
    return ""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it has {max(names, key=names.count)!r:.60} twice")
    return made


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def _unreadable(why: str, faults: tuple[Fault, ...] = ()) -> AdapterFailed:
    return AdapterFailed(
        "this is not a graph of models", why=why, code="model.unreadable", faults=faults
    )
