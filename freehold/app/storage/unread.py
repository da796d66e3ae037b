"""Facts of which the projections say nothing, and what they name.

Deny by default: every digest stays that is named in a fact of a type that retention was not taught,
in one that waits to be folded, or in one of which a projection can make nothing.
"""

import re
from collections.abc import Iterator

from freehold.app.site.opening import Site
from freehold.domain.projection import UNREADABLE

_DIGEST = re.compile(rb'"(sha256:[0-9a-f]{64})"')
_TYPE = b'"type":"'
JUDGED = frozenset(
    {
        "alias.moved",
        "attachment.erased",
        "bill.imported",
        "budget.approved",
        "budget.asked",
        "budget.rejected",
        "bundle.made",
        "bundle.told",
        "contract.checked",
        "endpoint.loaded",
        "endpoint.log-failed",
        "endpoint.refused",
        "endpoint.stopped",
        "hold.placed",
        "hold.released",
        "labels.added",
        "log.recorded",
        "model.judged",
        "model.registered",
        "model.revoked",
        "monitoring.assessed",
        "proposal.approved",
        "proposal.done",
        "proposal.failed",
        "proposal.made",
        "proposal.rejected",
        "release.advanced",
        "release.analysed",
        "release.completed",
        "release.rolled-back",
        "release.started",
        "run.finished",
        "run.resumed",
        "run.started",
        "signal.raised",
        "site.opened",
        "site.updated",
        "step.checkpointed",
        "step.failed",
        "step.finished",
        "step.interrupted",
        "storage.collected",
        "tracking.failed",
        "tracking.recorded",
        "usage.recorded",
        "usage.metered",
        "work.completed",
        "work.requested",
    }
)
"""Types whose digests are references that `freehold.catalog.retention` weighs, or are none."""

Heads = dict[str, int]
"""Writer → number of its entries that are held."""


def heads(site: Site) -> Heads:
    """How far the state has come: nothing was appended while these are the same."""
    return {log.writer: log.size for log in site.ledger.logs()}


def unread(site: Site) -> dict[str, str]:
    """Digest → name of a fact that names it."""
    return {
        found.decode(): f"{writer}/{sequence}"
        for writer, sequence, encoded in _unread_lines(site)
        for found in _DIGEST.findall(encoded)
    }


def _unread_lines(site: Site) -> Iterator[tuple[str, int, bytes]]:
    unreadable = {fact for fact, _ in site.state.scan(UNREADABLE)}
    for log in site.ledger.logs():
        for sequence, encoded in site.ledger.log_lines(log.writer):
            if (
                sequence >= log.folded
                or _type_of(encoded) not in JUDGED
                or (unreadable and f"{log.writer}/{sequence}" in unreadable)
            ):
                yield log.writer, sequence, encoded


def _type_of(encoded: bytes) -> str:
    """The envelope's members are in order, and none behind the type can hold this mark."""
    _, _, rest = encoded.rpartition(_TYPE)
    return rest.partition(b'"')[0].decode(errors="replace")
