"""Who signed two histories: each site that held the one and meets the other says so, for good."""

from collections.abc import Iterable, Mapping, Sequence

from freehold.app.site.meeting import Meeting
from freehold.app.site.opening import Site
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.fact import Draft
from freehold.domain.projection import State
from freehold.domain.signature import PublicKey
from freehold.ports.ledger import KeepsLogs
from freehold.replication.fault import LogFault
from freehold.replication.head import signed_heads
from freehold.replication.trust import ACCUSED
from freehold.replication.witness import Accusation, Sighting, contradictions

SUSPICIOUS = frozenset({"log.forked", "root.wrong"})
"""Kinds of fault that a writer gives who rewrites its log, and a store that is tampered with."""


def suspicious(
    ledger: KeepsLogs, faults: Iterable[LogFault], sightings: Iterable[Sighting]
) -> set[str]:
    """Writers whose log deserves a closer look. `sightings`: what facts say they saw."""
    suspects = {fault.writer for fault in faults if fault.kind in SUSPICIOUS}
    return suspects | {one.writer for one in sightings if _contradicts(one, ledger)}


def accuse(
    site: Site, meeting: Meeting, suspects: Mapping[str, PublicKey], sightings: Sequence[Sighting]
) -> int:
    """Look for the proof, and record what is found. `suspects`: writers with the believed keys of
    their logs. Returns how many accusations are new at this site."""
    found: list[Accusation] = []
    for writer in sorted(suspects):
        # Two statements that contradict each other may lie in two stores.
        heads: list[Checkpoint] = []
        for name, store in list(meeting.stores.items()):
            with meeting.at(name):
                heads += signed_heads(writer, store, suspects[writer])
        stores = list(meeting.stores.values())
        found += contradictions(writer, site.ledger, stores, heads, sightings)

    def decision(state: State) -> list[Draft]:
        new = {(one.writer, one.code): one for one in found if not _is_known(site, state, one)}
        return [Draft("log.accused", _body(one)) for one in new.values()]

    return len(site.ledger.decide(decision)) if found else 0


def _contradicts(sighting: Sighting, ledger: KeepsLogs) -> bool:
    held = next(ledger.log_checkpoints(sighting.writer, sighting.size - 1), None)
    return held is not None and held.size == sighting.size and held.root != sighting.root


def _is_known(site: Site, state: State, accusation: Accusation) -> bool:
    row = state.get(ACCUSED, f"{accusation.writer}/{accusation.code}")
    return row is not None and site.name in row["by"]


def _body(accusation: Accusation) -> dict[str, object]:
    """Both statements with their signatures: the proof needs nobody's word."""
    earlier, later, seen = accusation.earlier, accusation.later, accusation.sighting
    return {
        "writer": accusation.writer,
        "code": accusation.code,
        "earlier": earlier.as_json() if earlier else None,
        "later": later.as_json() if later else None,
        "seen_by": seen.by if seen else None,
    }
