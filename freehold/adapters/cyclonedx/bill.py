"""CycloneDX 1.6 JSON: the model, its hash, and the libraries that it needs.

Source: CycloneDX 1.6, `machine-learning-model` components; package URLs of the kind `pypi`.
"""

import re
from collections.abc import Sequence
from uuid import UUID, uuid5

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from freehold.domain.errors import AdapterFailed, Fault
from freehold.ports.bill_of_materials import BillOfMaterials, BillSubject

_NAMESPACE = UUID("6f2f4d0e-6a55-5d0b-9f6e-3d1f0d1c7a52")
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*"
    r"(?P<range>(?:(?:===?|[<>~!]=|[<>])[^;#@]+)?)(?:;[^#]*)?(?:#.*)?"
)
_PINNED = re.compile(r"===?\s*([^\s,*]+)\s*")


class CycloneDXBill(BillOfMaterials):
    def bill(self, subject: BillSubject) -> bytes:
        model = Component(
            name=subject.model,
            version=str(subject.version),
            type=ComponentType.MACHINE_LEARNING_MODEL,
            bom_ref=f"{subject.model}@{subject.version}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=subject.digest.split(":")[-1])],
        )
        libraries = [_library(name, version) for name, version in _parsed(subject.requirements)]
        metadata = BomMetaData(component=model)
        # The library writes the time of making unless told otherwise.
        metadata.timestamp = None  # type: ignore[assignment]
        bom = Bom(
            metadata=metadata,
            components=libraries,
            serial_number=uuid5(_NAMESPACE, f"{subject.model}@{subject.version} {subject.digest}"),
        )
        bom.register_dependency(model, libraries)
        return (JsonV1Dot6(bom).output_as_string(indent=2) + "\n").encode()


def _library(name: str, version: str | None) -> Component:
    plain = re.sub(r"[-_.]+", "-", name).lower()
    return Component(
        name=plain,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{plain}@{version}" if version else plain,
        purl=PackageURL("pypi", name=plain, version=version),
    )


def _parsed(lines: Sequence[str]) -> list[tuple[str, str | None]]:
    """Names with the version that is pinned, if one is."""
    found, faults = [], []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _REQUIREMENT.fullmatch(text)
        if match is None:
            what = f"{text!r} is not a requirement with a name"
            faults.append(Fault("bill.unreadable-requirement", what, f"line {number}"))
            continue
        pinned = _PINNED.fullmatch(match["range"])
        found.append((match["name"], pinned[1] if pinned else None))
    if faults:
        raise AdapterFailed(
            "the bill of materials cannot be made",
            code="bill.unreadable-requirement",
            faults=faults,
        )
    return sorted(set(found), key=lambda item: (item[0], item[1] or ""))
