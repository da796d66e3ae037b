"""`freehold audit verify`: whether the history is what this site signed."""

import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freehold.app.site.opening import Site
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import IntegrityError, NotFound
from freehold.governance.history import HistoryReport, verify_ledger


@dataclass(frozen=True)
class AuditReport:
    writer: str
    key: str
    history: HistoryReport
    against: Checkpoint | None

    def as_json(self) -> dict[str, Any]:
        history = self.history
        return {
            "shape": 1,
            "writer": self.writer,
            "key": self.key,
            "entries": history.entries,
            "checkpoints": history.checkpoints,
            "root": history.root,
            "holds": history.holds,
            "first_bad": history.first_bad,
            "against": self.against.size if self.against else None,
            "faults": [
                {"entry": fault.sequence, "kind": fault.kind, "what": fault.what}
                for fault in history.faults
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
    return AuditReport(site.ledger.writer, site.signer.public.fingerprint, report, kept)


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
