"""The files of a bundle."""

import json
import os
import py_compile
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from freehold.app import adapters
from freehold.app.edge.closure import OWN, closure
from freehold.app.edge.libraries import Libraries, libraries, model_libraries
from freehold.app.edge.runtime import (
    PORT,
    SOURCE_OF_RUN,
    Answering,
    ModelEnvironment,
    answering_of,
    own_root,
    this_python,
)
from freehold.app.edge.token_key import place_key
from freehold.app.edge.wanted import Wanted
from freehold.app.files import write_files
from freehold.app.release.log_rule import rule_of
from freehold.app.release.serving_folder import ROUTING, place_package
from freehold.app.site.opening import Site
from freehold.app.site.stores import adapter_of
from freehold.app.traffic.log_settings import as_opened, log_settings
from freehold.app.traffic.token_key import TOKEN_KEY
from freehold.catalog.package import unpack
from freehold.catalog.versions import ModelVersion
from freehold.domain.bundle import MODEL_LIBRARIES, BundleFile, BundleManifest
from freehold.domain.columns import Columns
from freehold.domain.embedded import EMBEDDED
from freehold.domain.package import COLUMNS
from freehold.domain.project import StoreSpec
from freehold.domain.routing import RoutingTable, Variant, routing_document, signed_bytes
from freehold.serving.tokens import TokenKey

RUN, LIBRARIES, SERVING, KEY = "run", "lib", "serving", "site.pub"
COMPILED = (LIBRARIES, MODEL_LIBRARIES)
COMMANDS = "freehold.endpoint.edge.commands"
GRPC_SERVER = "freehold.endpoint.grpc.server"
SIGNING, SIGNING_EXTRA = "model_signing", "signing"
GRPC_EXTRA = "grpc"
FASTER = ("uvloop",)
"""Modules that the endpoint uses where they are installed."""


@dataclass(frozen=True)
class Content:
    version: ModelVersion
    wanted: Wanted
    labels: Mapping[str, str]
    number: int


def write_content(
    site: Site, content: Content, place: Path, say: Callable[[str], None]
) -> BundleManifest:
    """All but the manifest. Raises Refused `bundle.libraries`, `bundle.runtime`, AdapterMissing,
    IntegrityError, OSError."""
    version, wanted = content.version, content.wanted
    with TemporaryDirectory(prefix="freehold-bundle-") as folder:
        payload = Path(folder)
        write_files(payload, unpack(site.artifacts.get(version.package)))
        answering = answering_of(payload, wanted.runtime)
    say("copying the libraries")
    versions = _write_libraries(place, answering, wanted)
    environment = answering.environment
    of_model = _write_model_libraries(place, environment) if environment else {}
    say("compiling them")
    _compile(place)
    _write_serving(site, content, place / SERVING)
    return BundleManifest(
        number=content.number,
        site=wanted.place,
        model=version.model,
        version=version.version,
        package=version.package,
        runtime=answering.runtimes[0],
        python=this_python(),
        distributions=versions,
        model_distributions=of_model,
        labels=dict(content.labels),
        reports=_reports(wanted.reports),
        files=_files(place),
    )


def _write_libraries(place: Path, answering: Answering, wanted: Wanted) -> Mapping[str, str]:
    """Name of a distribution → version."""
    entries = [adapters.entry(PORT, name) for name in answering.runtimes]
    entries.append(adapters.entry(SIGNING, EMBEDDED[SIGNING]))
    if at := wanted.reports.at:
        entries.append(adapters.entry("object_store", adapter_of(at, "the reports")))
    modules = [*(one.module for one in entries), *([GRPC_SERVER] if wanted.grpc else [])]
    own = [one for one in modules if one.partition(".")[0] == OWN]
    strange = {one.partition(".")[0] for one in modules} - {OWN}
    needed = closure(own_root(), [COMMANDS, *own])
    extras = [SIGNING_EXTRA, *([GRPC_EXTRA] if wanted.grpc else [])]
    found = libraries(needed.with_libraries(strange), extras, FASTER, answering.requires)
    _copy(found, place / LIBRARIES)
    shutil.copyfile(place / LIBRARIES / SOURCE_OF_RUN, place / RUN)
    (place / RUN).chmod(0o755)
    return found.versions


def _write_model_libraries(place: Path, environment: ModelEnvironment) -> Mapping[str, str]:
    """Name of a distribution → version."""
    found = model_libraries(environment.paths, environment.modules, environment.requires)
    _copy(found, place / MODEL_LIBRARIES)
    return found.versions


def _copy(found: Libraries, folder: Path) -> None:
    for name, content in found.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            shutil.copyfile(content, target)


def _compile(place: Path) -> None:
    """Beside the sources, so that a start writes nothing; believed unasked, since all of it is
    signed (PEP 552, unchecked). What is no Python of this version stays as it is."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for path in sorted(one for name in COMPILED for one in (place / name).rglob("*.py")):
        beside = path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"
        name = str(path.relative_to(place))
        py_compile.compile(str(path), str(beside), name, quiet=2, invalidation_mode=mode)


def _write_serving(site: Site, content: Content, serving: Path) -> None:
    """As `freehold release` writes it for an endpoint of this site."""
    version = content.version
    serving.mkdir(parents=True)
    (serving / KEY).write_bytes(site.signer.public.pem)
    folder = place_package(site, version, serving)
    columns = Columns.from_json(json.loads((folder / "payload" / COLUMNS).read_bytes()))
    place, model = content.wanted.place, version.model
    settings = log_settings(site, model) or as_opened(site)
    key = partial(place_key, site, place, model)
    rule = rule_of(site, model, settings, columns.names, key)
    if rule.key:
        _write_key(serving / TOKEN_KEY, key())
    variant = Variant(version.version, version.package, 100.0, "champion")
    salt = f"{place}/{content.number}"
    table = RoutingTable(content.number, model, salt, (variant,), log=rule)
    document = routing_document(table, site.signer.sign(signed_bytes(table)))
    (serving / ROUTING).write_bytes(document)


def _write_key(path: Path, key: TokenKey) -> None:
    """Readable by nobody else from the first moment."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.as_text())


def _files(place: Path) -> Mapping[str, BundleFile]:
    return {
        path.relative_to(place).as_posix(): BundleFile.of(path.read_bytes())
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def _reports(store: StoreSpec) -> Mapping[str, str]:
    if not store.at:
        return {}
    return {"at": store.at, "endpoint": store.endpoint, "region": store.region}
