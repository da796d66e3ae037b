"""A model's package: one payload with one digest, and the attestations beside it.

A version loads only with an admission: a signed statement that policy approved this very payload
under this name. It binds digest, name and verdict, so that a signature that is good but of another
version, or a verdict about other bytes, admits nothing.
"""

import json
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from freehold.domain.canonical import canonical
from freehold.domain.columns import Columns
from freehold.domain.errors import IntegrityError, PolicyDenied
from freehold.domain.signature import PublicKey
from freehold.domain.verdict import Verdict

MANIFEST = "MLmodel"
ONNX_MODEL = "model.onnx"
COLUMNS = "columns.json"
PROFILE = "profile.json"
REQUIREMENTS = "requirements.txt"

SIGNATURE = "model.sig"
EVIDENCE = "evidence.json"
CARD = "card.md"
CARD_PAGE = "card.html"
BILL = "bom.cdx.json"
LINEAGE = "lineage.json"
ADMISSION = "admission.json"

_KIND = "freehold.admission/1"
"""Inside what is signed, so that no other statement of the site's key passes for an admission."""


@dataclass(frozen=True)
class ModelFlavor:
    """What a framework says of a model, for the package's manifest."""

    name: str
    """Of MLflow's flavor: `lightgbm`."""
    model_file: str
    """Where the model's bytes lie in the package."""
    metadata: Mapping[str, Any]
    """Further keys of the flavor."""
    requirements: tuple[str, ...]
    """Pinned lines of requirements.txt."""
    loader: str
    """Source of a Python module with `_load_pyfunc(folder)`, importing nothing of ours."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """What lies in the package in place of the model's bytes, `model_file` among it, where a model
    is more than one file."""
    parts: Mapping[str, "PackagedPart"] = field(default_factory=dict)
    """Models within the model, by the folders that they lie in."""


@dataclass(frozen=True)
class PackagedPart:
    model: bytes
    """As its framework's codec stored it."""
    flavor: ModelFlavor
    columns: Columns


@dataclass(frozen=True)
class PackedPayload:
    data: bytes
    digest: str
    """`sha256:` and the hexadecimal digest of `data`."""


@dataclass(frozen=True)
class Admission:
    model: str
    version: int
    package: str
    """Digest of the payload."""
    verdict: Verdict

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": _KIND,
            "model": self.model,
            "package": self.package,
            "verdict": self.verdict.as_json(),
            "version": self.version,
        }


def admission_bytes(admission: Admission) -> bytes:
    """What a site's key signs."""
    return canonical(admission.as_json())


def admission_document(admission: Admission, signature: bytes, public: PublicKey) -> bytes:
    """`admission.json`: canonical JSON of {admission, key, signature}."""
    return canonical(
        {
            "admission": admission.as_json(),
            "key": public.fingerprint,
            "signature": b64encode(signature).decode(),
        }
    )


def check_admission(document: bytes, public: PublicKey, digest: str) -> Admission:
    """The admission, if the key's holder admitted the payload of this digest.

    The caller compares `model` and `version` with the name that it loads. Raises IntegrityError
    (`package.admission-malformed`, `package.admission-signature`, `package.admission-digest`) and
    PolicyDenied (`package.not-approved`).
    """
    admission, key, signature = _read(document)
    if key != public.fingerprint:
        raise IntegrityError(
            f"the admission is signed by {key}",
            why=f"only {public.fingerprint} admits packages here",
            code="package.admission-signature",
        )
    if not public.verifies(admission_bytes(admission), signature):
        raise IntegrityError(
            f"the admission of {admission.model}@{admission.version} was altered",
            why="its signature does not match what it says",
            code="package.admission-signature",
        )
    if admission.package != digest:
        raise IntegrityError(
            f"the admission of {admission.model}@{admission.version} is for another package",
            why=f"it admits {admission.package}, this is {digest}",
            code="package.admission-digest",
        )
    if not admission.verdict.allowed:
        rules = ", ".join(denial.rule for denial in admission.verdict.denials)
        raise PolicyDenied(
            f"policy did not approve {admission.model}@{admission.version}",
            why=f"denied by {rules}" if rules else "its verdict does not allow it",
            code="package.not-approved",
            hint="a version loads only when every policy of the project allows it",
        )
    return admission


def _read(document: bytes) -> tuple[Admission, str, bytes]:
    try:
        whole = json.loads(document)
        body = whole["admission"]
        if body["kind"] != _KIND:
            raise ValueError(f"its kind is {body['kind']!r}, not {_KIND!r}")
        admission = Admission(
            model=body["model"],
            version=body["version"],
            package=body["package"],
            verdict=Verdict.from_json(body["verdict"]),
        )
        signature = b64decode(whole["signature"], validate=True)
        if canonical(whole) != document or admission.as_json() != body:
            raise ValueError("it is not in canonical form")
        return admission, whole["key"], signature
    except (ValueError, KeyError, TypeError, RecursionError, Base64Error) as exc:
        raise IntegrityError(
            "this is not an admission", why=str(exc), code="package.admission-malformed"
        ) from exc
