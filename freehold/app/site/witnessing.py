"""Holds what others say that they saw against what this site holds, and records who rewrote."""

from collections.abc import Sequence

from freehold.app.site.opening import Site
from freehold.domain.fact import Draft
from freehold.domain.projection import State
from freehold.ports.ledger import KeepsLogs
from freehold.replication.fault import LogFault
from freehold.replication.trust import ACCUSED

REWRITTEN = frozenset({"log.forked", "root.wrong"})
"""Kinds of fault that only the log's own signatures can give."""


def accuse(site: Site, ledger: KeepsLogs, faults: Sequence[LogFault]) -> None:
    """Record each writer that signed two histories, once."""

    def decision(state: State) -> list[Draft]:
        drafts = []
        for fault in faults:
            if fault.kind not in REWRITTEN:
                continue
            row = state.get(ACCUSED, f"{fault.writer}/{fault.kind}")
            if row is None or site.name not in row["by"]:
                held = next((one for one in ledger.logs() if one.writer == fault.writer), None)
                head = f"{held.size}:{held.root}" if held else ""
                body = {"writer": fault.writer, "code": fault.kind, "held": head}
                drafts.append(Draft("log.accused", {**body, "size": fault.size}))
        return drafts

    if any(fault.kind in REWRITTEN for fault in faults):
        site.ledger.decide(decision)
