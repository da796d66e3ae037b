"""Assembling a package: bytes in, bytes out, the same wherever it is made.

The payload is a folder in MLflow's format, packed as a ZIP whose every byte follows from the files:
stored, sorted, with one fixed date. So it has one digest, and `pack(unpack(data)) == data` holds
for every payload that is accepted: nothing hides between, before or after its files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from freehold.catalog.package_manifest import CODE, environment_files, manifest
from freehold.domain.canonical import canonical
from freehold.domain.columns import Columns
from freehold.domain.errors import Fault, IntegrityError
from freehold.domain.package import (
    COLUMNS,
    MANIFEST,
    ONNX_MODEL,
    PROFILE,
    Admission,
    ModelFlavor,
    PackagedPart,
    PackedPayload,
    admission_bytes,
    admission_document,
)
from freehold.ports.signer import Signer

MAXIMUM_BYTES = 4 * 2**30 - 2**20
"""Of a payload: a little less than what a ZIP holds without the extension for large files."""
_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX, _PLAIN_FILE = 3, 0o100644
_GUARD = (
    b"This file stands where Python would put compiled code. Loading a package must not add\n"
    b"files to it: a signature covers every file, and compiled code could differ from the source.\n"
)


@dataclass(frozen=True, kw_only=True)
class PackageContents:
    model: bytes
    """As its framework's codec stored it."""
    flavor: ModelFlavor
    columns: Columns
    profile: Mapping[str, Any]
    """Baseline of the training data, as monitoring made it: JSON."""
    python: str
    """Version of Python that the model was made with: `3.11.7`."""
    onnx: bytes | None = None
    """None for a model that does not convert."""


def assemble(contents: PackageContents) -> PackedPayload:
    """The payload of a model. Equal contents give an equal digest."""
    return pack(payload_files(contents))


def payload_files(contents: PackageContents) -> dict[str, bytes]:
    whole = PackagedPart(contents.model, contents.flavor, contents.columns)
    files = {
        **_folder(whole, contents.python, contents.onnx is not None),
        PROFILE: canonical(dict(contents.profile)),
    }
    if contents.onnx is not None:
        files[ONNX_MODEL] = contents.onnx
    return files


def _folder(part: PackagedPart, python: str, has_onnx: bool = False) -> dict[str, bytes]:
    """Files of a model, each of its parts in a folder that is a package in MLflow's format too."""
    flavor = part.flavor
    loader = flavor.loader.encode()
    # MLflow imports the loader by its bare name: two versions in one process must not share it.
    module = f"package_loader_{sha256(loader).hexdigest()[:12]}"
    files = {
        MANIFEST: manifest(flavor, part.columns, python, module, has_onnx),
        COLUMNS: canonical(part.columns.as_json()),
        f"{CODE}/{module}.py": loader,
        f"{CODE}/__pycache__": _GUARD,
        **environment_files(flavor, python),
        **(flavor.files or {flavor.model_file: part.model}),
    }
    for folder, inner in flavor.parts.items():
        below = _folder(inner, python).items()
        files |= {f"{folder}/{name}": data for name, data in below}
    return files


def pack(files: Mapping[str, bytes]) -> PackedPayload:
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED, allowZip64=False) as archive:
        for name in sorted(files):
            entry = ZipInfo(name, _DATE)
            entry.create_system = _UNIX
            entry.external_attr = _PLAIN_FILE << 16
            archive.writestr(entry, files[name])
    data = buffer.getvalue()
    return PackedPayload(data, "sha256:" + sha256(data).hexdigest())


def unpack(data: bytes, digest: str = "") -> dict[str, bytes]:
    """Files by path, all paths safe to write below a folder.

    Checks the digest if one is given. Raises IntegrityError: `package.digest`,
    `package.malformed`, `package.unsafe-path`, `package.duplicate-file`, `package.too-large`; all
    bad paths at once.
    """
    found = "sha256:" + sha256(data).hexdigest()
    if digest and digest != found:
        raise IntegrityError(
            "this package is not the one that was recorded",
            why=f"its digest is {found}, not {digest}",
            code="package.digest",
        )
    if len(data) > MAXIMUM_BYTES:
        raise IntegrityError(
            f"this package has {len(data)} bytes",
            why=f"at most {MAXIMUM_BYTES} are read",
            code="package.too-large",
        )
    try:
        files = _read(data)
    # zipfile raises a RuntimeError for a version of the format unknown to it, and for a cipher, and
    # an OverflowError for a place that no file has.
    except (BadZipFile, RuntimeError, EOFError, ValueError, OverflowError) as exc:
        raise _malformed(str(exc)) from exc
    if pack(files).data != data:
        raise _malformed("it holds more than its files, or they are not stored in order")
    return files


def admit(admission: Admission, signer: Signer) -> bytes:
    """`admission.json`, signed with the site's key."""
    return admission_document(admission, signer.sign(admission_bytes(admission)), signer.public)


def _read(data: bytes) -> dict[str, bytes]:
    with ZipFile(BytesIO(data)) as archive:
        entries = archive.infolist()
        _check_names([entry.orig_filename for entry in entries])
        # Stored bytes cannot outgrow the archive, unless its entries overlap.
        if sum(entry.file_size for entry in entries) > len(data):
            raise IntegrityError(
                "this package claims more bytes than it has",
                why=f"its files sum to more than its {len(data)} bytes",
                code="package.too-large",
            )
        # Nothing is unpacked to see that it should not have been packed.
        if any(entry.compress_type != ZIP_STORED for entry in entries):
            raise _malformed("its files are compressed")
        return {entry.filename: archive.read(entry) for entry in entries}


def _check_names(names: list[str]) -> None:
    faults = [
        Fault("package.unsafe-path", f"{name!r} is no path below the package")
        for name in names
        if not _is_safe(name)
    ]
    if faults:
        raise IntegrityError(
            "this package would write outside its folder",
            code="package.unsafe-path",
            faults=faults,
        )
    seen: set[str] = set()
    for name in names:
        # Some disks do not tell case apart, and a file cannot be another one's folder.
        folded = name.casefold()
        parents = {str(parent) for parent in PurePosixPath(folded).parents}
        if folded in seen or parents & seen:
            raise IntegrityError(f"this package has {name!r} twice", code="package.duplicate-file")
        seen.add(folded)


def _is_safe(name: str) -> bool:
    parts = name.split("/")
    return (
        all(part not in ("", ".", "..") for part in parts)
        and name.isprintable()
        and not set(name) & set('\\:*?"<>|')
    )


def _malformed(why: str) -> IntegrityError:
    return IntegrityError("this is not a package", why=why, code="package.malformed")
