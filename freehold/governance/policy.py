"""The question that policies are asked before a version may be released.

`input`, version 2 (`freehold: 2`):

    model       name
    version     number
    package     digest of the payload, `sha256:<hex>`
    evidence    the evidence's own JSON (freehold.domain.evidence), or null if there is none
    champion    null, or {version} of the model that holds the alias now
    contract    {checked, failed}: how many data contracts were evaluated for this version
    signature   {valid}: whether the package's signature is good under this site's key
    attachments names of the documents beside the package, sorted
    cost        since version 2: null where the machine's price is not known, else {currency,
                training, per_thousand_predictions, champion_per_thousand_predictions}: money, each
                null where it is not known

A later version adds fields and never changes the meaning of one; then `freehold` counts up.
Limits are not in it: they are `data.limits`, so that people change them without touching a rule.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SHAPE = 2


@dataclass(frozen=True, kw_only=True)
class ReleaseCase:
    """What is known of a version when its release is decided."""

    model: str
    version: int
    package: str
    evidence: Mapping[str, Any] | None
    """`Evidence.as_json()`; when there is a champion, compared with it on the same rows."""
    champion: int | None
    """Version that holds the alias now, if any."""
    contracts_checked: int
    contracts_failed: int
    signature_valid: bool
    attachments: Iterable[str]
    cost: Mapping[str, Any] | None = None
    """Of training and of answering; for its members see above."""


def policy_input(case: ReleaseCase) -> dict[str, Any]:
    """The document that policies know as `input`: JSON values only."""
    return {
        "freehold": SHAPE,
        "model": case.model,
        "version": case.version,
        "package": case.package,
        "evidence": None if case.evidence is None else dict(case.evidence),
        "champion": None if case.champion is None else {"version": case.champion},
        "contract": {"checked": case.contracts_checked, "failed": case.contracts_failed},
        "signature": {"valid": case.signature_valid},
        "attachments": sorted(case.attachments),
        "cost": None if case.cost is None else dict(case.cost),
    }
