"""What a bundle is made of: the signed list of its files, and the signed step to the next one.

A bundle is a folder with a model, what answers from it, and an endpoint. `bundle.json` lists every
file and `bundle.sig` is the site's DER signature over its bytes; `freehold/endpoint/edge/launch.py`
reads both with nothing but the standard library.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import Any

from freehold.domain.canonical import canonical
from freehold.domain.errors import IntegrityError
from freehold.domain.signature import PublicKey

KIND = "freehold.bundle/1"
DELTA_KIND = "freehold.bundle-delta/1"
"""Each stands in what is signed, so that no other signed document passes for it."""
MANIFEST, SIGNATURE = "bundle.json", "bundle.sig"
DELTA, DELTA_SIGNATURE = "delta.json", "delta.sig"
MODEL_LIBRARIES = "model-lib"
"""Folder with the libraries of a model that answers in a process of its own."""
FILES = "files/"
"""Before the names of the files in a delta's archive."""


@dataclass(frozen=True)
class BundleFile:
    size: int
    sha256: str
    """Hexadecimal."""

    @classmethod
    def of(cls, data: bytes) -> "BundleFile":
        return cls(len(data), sha256(data).hexdigest())


@dataclass(frozen=True, kw_only=True)
class BundleManifest:
    number: int
    """From 1, counted up by site and model. Also the number of the routing table in it."""
    site: str
    """The place that it is for."""
    model: str
    version: int
    package: str
    """Digest of the payload."""
    runtime: str
    """Name of the adapter that answers."""
    python: Mapping[str, str]
    """`implementation`, `version`, `abi`, `machine`: as the interpreter that runs it has them."""
    distributions: Mapping[str, str]
    """Name → version of what lies in `lib/`."""
    model_distributions: Mapping[str, str] = field(default_factory=dict)
    """Of what lies in `MODEL_LIBRARIES`, if anything."""
    labels: Mapping[str, str]
    """Of the model, and so of what its rows say."""
    reports: Mapping[str, str]
    """`at`, `endpoint`, `region` of the store that reports go to; empty if none was named."""
    files: Mapping[str, BundleFile]
    """By relative POSIX path."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(one.size for one in self.files.values())

    def document(self) -> bytes:
        """`bundle.json`: RFC 8785 bytes, which are what is signed."""
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        if not self.model_distributions:
            # Older releases know no such field.
            del told["model_distributions"]
        told["files"] = {
            name: {"sha256": one.sha256, "size": one.size} for name, one in self.files.items()
        }
        return canonical({"kind": KIND, **{key: _plain(value) for key, value in told.items()}})


def read_manifest(document: bytes) -> BundleManifest:
    """Whoever has no signature to it believes it by its digest. Raises IntegrityError
    `bundle.malformed`."""
    try:
        value = json.loads(document)
        if value.pop("kind") != KIND:
            raise ValueError(f"its kind is not {KIND}")
        files = {name: BundleFile(**entry) for name, entry in value.pop("files").items()}
        manifest = BundleManifest(**value, files=files)
        if manifest.document() != document:
            raise ValueError("it is not in canonical form")
        return manifest
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise _malformed("manifest of a bundle", exc) from exc


@dataclass(frozen=True, kw_only=True)
class BundleDelta:
    """From exactly one manifest to exactly one other."""

    site: str
    model: str
    base_number: int
    base: str
    """Digest of the manifest that it applies to: `sha256:…`."""
    number: int
    manifest: str
    """Digest of the manifest that it leads to."""
    back: bool
    """Whether it may lead to a lower number than there has been."""
    changed: tuple[str, ...]
    """Names of the files that it brings, sorted."""
    removed: tuple[str, ...]
    """Names of the files that are no more, sorted."""

    def document(self) -> bytes:
        """`delta.json`: RFC 8785 bytes, which are what is signed."""
        told = {one.name: _plain(getattr(self, one.name)) for one in fields(self)}
        return canonical({"kind": DELTA_KIND, **told})


def delta_between(base: BundleManifest, target: BundleManifest, *, back: bool) -> BundleDelta:
    changed = [name for name, one in target.files.items() if base.files.get(name) != one]
    return BundleDelta(
        site=target.site,
        model=target.model,
        base_number=base.number,
        base=digest(base.document()),
        number=target.number,
        manifest=digest(target.document()),
        back=back,
        changed=tuple(sorted(changed)),
        removed=tuple(sorted(base.files.keys() - target.files.keys())),
    )


def read_delta(document: bytes, signature: bytes, key: PublicKey) -> BundleDelta:
    """Raises IntegrityError: `bundle.delta-unsigned`, `bundle.malformed`."""
    if not key.verifies(document, signature):
        raise IntegrityError(
            "this update is not signed by the key that the bundle believes",
            why="its signature does not verify",
            code="bundle.delta-unsigned",
            hint="get it again from the site that made the bundle",
        )
    try:
        value = json.loads(document)
        if value.pop("kind") != DELTA_KIND:
            raise ValueError(f"its kind is not {DELTA_KIND}")
        changed, removed = tuple(value.pop("changed")), tuple(value.pop("removed"))
        return BundleDelta(**value, changed=changed, removed=removed)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise _malformed("step from one bundle to the next", exc) from exc


def digest(document: bytes) -> str:
    return "sha256:" + sha256(document).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _malformed(kind: str, exc: Exception) -> IntegrityError:
    return IntegrityError(f"this is no {kind}", why=str(exc), code="bundle.malformed")
