"""`freehold audit verify`: whether the history is what this site signed."""

import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freehold.app.history.logs import held_logs
from freehold.app.site.opening import Site
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import IntegrityError, NotFound
from freehold.governance.history import HistoryReport, verify, verify_ledger


@dataclass(frozen=True)
class OtherLog:
    """Another writer's, as it is held here."""

    writer: str
    key: str
    history: HistoryReport


@dataclass(frozen=True)
class AuditReport:
    writer: str
    key: str
    history: HistoryReport
    against: Checkpoint | None
    others: tuple[OtherLog, ...] = ()

    @property
    def holds(self) -> bool:
        return self.history.holds and all(one.history.holds for one in self.others)

    @property
    def faults(self) -> list[str]:
        """In words, with the writer where it is another one."""
        return [fault.what for fault in self.history.faults] + [
            f"{one.writer}: {fault.what}" for one in self.others for fault in one.history.faults
        ]

    def as_json(self) -> dict[str, Any]:
        history = self.history
        return {
            "shape": 1,
            "writer": self.writer,
            "key": self.key,
            "entries": history.entries,
            "checkpoints": history.checkpoints,
            "root": history.root,
            "holds": self.holds,
            "first_bad": history.first_bad,
            "against": self.against.size if self.against else None,
            "faults": _faults(history),
            "others": [
                {
                    "writer": one.writer,
                    "key": one.key,
                    "entries": one.history.entries,
                    "root": one.history.root,
                    "holds": one.history.holds,
                    "faults": _faults(one.history),
                }
                for one in self.others
            ],
        }


def audit(site: Site, against: Path | None = None) -> AuditReport:
    """`against`: a checkpoint that was kept elsewhere. Raises NotFound, IntegrityError for it."""
    kept = read_checkpoint(against) if against else None
    if kept is not None and kept.writer != site.ledger.writer:
        raise IntegrityError(
            f"{against} is a checkpoint of another log",
            why=f"it is {kept.writer}'s; this log is {site.ledger.writer}'s",
            hint="bring the checkpoint that was kept of this log",
            code="audit.other-writer",
        )
    report = verify_ledger(site.ledger, site.signer.public, kept)
    others = tuple(
        OtherLog(log.writer, log.key.fingerprint, verify(log.lines(), log.checkpoints(), log.key))
        for log in held_logs(site)[1:]
    )
    return AuditReport(site.ledger.writer, site.signer.public.fingerprint, report, kept, others)


def _faults(history: HistoryReport) -> list[dict[str, Any]]:
    return [
        {"entry": fault.sequence, "kind": fault.kind, "what": fault.what}
        for fault in history.faults
    ]


def head(site: Site) -> Checkpoint:
    """The newest checkpoint, to be kept elsewhere."""
    newest = deque(site.ledger.checkpoints(), maxlen=1)
    if not newest:
        raise NotFound(
            "the history has no entry yet",
            why="nothing was recorded here",
            hint="`freehold run` makes the first entries",
            code="audit.empty",
        )
    return newest[0]


def read_checkpoint(path: Path) -> Checkpoint:
    try:
        return Checkpoint.from_json(json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise NotFound(
            f"no file {path}",
            why="--against names a checkpoint that was kept elsewhere",
            hint="`freehold audit checkpoint > FILE` writes one",
            code="audit.no-checkpoint",
        ) from None
    except ValueError as exc:
        raise IntegrityError(
            f"{path} is no checkpoint",
            why=str(exc),
            hint="`freehold audit checkpoint > FILE` writes one",
            code="audit.no-checkpoint",
        ) from exc
