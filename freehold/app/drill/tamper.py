"""`freehold drill tamper`: change one byte of a package, and see whether an endpoint loads it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from freehold.app.model.naming import resolve
from freehold.app.release.serving_folder import package_folder, place_package
from freehold.app.site.opening import Site
from freehold.domain.errors import Failed, FreeholdError
from freehold.domain.package import ONNX_MODEL
from freehold.domain.routing import RoutingTable, Variant, routing_document, signed_bytes

StartEndpoint = Callable[[Path], None]
"""Starts an endpoint on a serving folder and stops it once it answers. Raises what kept it."""


@dataclass(frozen=True)
class Tampered:
    version: str
    file: str
    offset: int
    before: int
    after: int
    untouched_loads: bool
    refused_with: str
    """The error's code, or empty if the endpoint loaded the altered package."""
    because: str

    def as_json(self) -> dict[str, Any]:
        return {
            "shape": 1,
            "version": self.version,
            "file": self.file,
            "offset": self.offset,
            "before": self.before,
            "after": self.after,
            "untouched_loads": self.untouched_loads,
            "refused_with": self.refused_with,
            "because": self.because,
        }


def tamper(site: Site, name: str, start: StartEndpoint) -> Tampered:
    """On a copy, beside what serves. The untouched copy must load first, or nothing is proven.

    Raises what the endpoint raises when it does not load the untouched copy.
    """
    version = resolve(site, name)
    with TemporaryDirectory(prefix="freehold-tamper-") as folder:
        serving = Path(folder)
        place_package(site, version, serving)
        only = Variant(version.version, version.package, 100.0, "champion")
        table = RoutingTable(1, version.model, "drill", (only,))
        (serving / "site.pub").write_bytes(site.signer.public.pem)
        document = routing_document(table, site.signer.sign(signed_bytes(table)))
        (serving / "routing.json").write_bytes(document)
        start(serving)
        payload = package_folder(serving, version.package) / "payload"
        file = next(
            (path for path in (payload / ONNX_MODEL,) if path.exists()),
            max((path for path in payload.rglob("*") if path.is_file()), key=_size),
        )
        data = bytearray(file.read_bytes())
        offset = len(data) // 2
        before = data[offset]
        data[offset] ^= 1
        file.write_bytes(bytes(data))
        code, because = "", ""
        try:
            start(serving)
        except FreeholdError as error:
            code, because = error.code, error.why or error.what
    return Tampered(
        version=version.name,
        file=file.relative_to(payload).as_posix(),
        offset=offset,
        before=before,
        after=before ^ 1,
        untouched_loads=True,
        refused_with=code,
        because=because,
    )


def require_refusal(found: Tampered) -> None:
    """Raises Failed if the endpoint loaded what was altered."""
    if not found.refused_with:
        raise Failed(
            f"an endpoint loaded {found.version} with byte {found.offset} of {found.file} changed",
            why="its signature should have kept it out",
            hint="do not release anything until this is understood",
            code="drill.failed",
        )


def _size(path: Path) -> int:
    return path.stat().st_size
