"""`freehold models MODEL@VERSION`: what one version was found to be, and its card."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freehold.app.model.models import models
from freehold.app.model.naming import resolve
from freehold.app.site.opening import Site
from freehold.catalog.versions import ModelVersion
from freehold.domain.errors import NotFound, Refused, StorageFailed, WrongUsage
from freehold.domain.evidence import Evidence
from freehold.domain.package import CARD, CARD_PAGE, EVIDENCE

CARDS = {".md": CARD, ".html": CARD_PAGE}
"""By a file's suffix, the attestation that goes into it."""


@dataclass(frozen=True)
class Inspected:
    version: ModelVersion
    row: dict[str, Any]
    """As `models` lists it."""
    evidence: Evidence

    def as_json(self) -> dict[str, Any]:
        return {
            "shape": 1,
            "version": {**self.row, "champion": self.version.champion},
            "evidence": self.evidence.as_json(),
        }


def inspect(site: Site, name: str) -> Inspected:
    """Raises WrongUsage, NotFound, IntegrityError."""
    version = resolve(site, name)
    evidence = Evidence.from_json(json.loads(_attestation(site, version, EVIDENCE)))
    row = next(one for one in models(site, version.model) if one["version"] == version.version)
    return Inspected(version, row, evidence)


def write_card(site: Site, version: ModelVersion, path: Path) -> None:
    """The card as it was attested, byte for byte, in a new file: Markdown or a page by its suffix.

    Raises WrongUsage `usage.card`, Refused `card.exists`, NotFound, IntegrityError, StorageFailed.
    """
    if path.suffix not in CARDS:
        raise WrongUsage(
            f"a card is not written as '{path.name}'",
            why=f"its suffix is none of {', '.join(CARDS)}",
            hint=f"write it like --card {path.stem or 'card'}.md",
            code="usage.card",
        )
    data = _attestation(site, version, CARDS[path.suffix])
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise Refused(
            f"'{path}' is there already",
            why="a card overwrites nothing",
            hint="choose another name, or remove it",
            code="card.exists",
        ) from None
    except OSError as exc:
        raise StorageFailed(
            f"the card could not be written to '{path}'",
            why=str(exc),
            hint="make room or choose another folder, and repeat the command",
        ) from exc


def _attestation(site: Site, version: ModelVersion, name: str) -> bytes:
    if name not in version.attestations:
        raise NotFound(
            f"{version.name} has no {name}",
            why=f"beside its package are: {', '.join(sorted(version.attestations)) or 'none'}",
            hint=f"`freehold why {version.name}` shows where it came from",
            code="model.no-attestation",
        )
    return site.artifacts.get(version.attestations[name])
