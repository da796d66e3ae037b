"""A history as JSON lines, which forty lines of any language can verify.

`entries.jsonl`: line i is exactly the canonical bytes of entry i (RFC 8785).
`checkpoints.jsonl`: one checkpoint a line, with the `leaves` of the entries since the line before
(RFC 6962 leaf hashes, hexadecimal), by which a reader can name an altered entry.
"""

from collections.abc import Iterable, Iterator
from itertools import islice, takewhile
from typing import Protocol

from freehold.domain.canonical import canonical
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import IntegrityError
from freehold.domain.merkle import leaf_hash

ENTRIES, CHECKPOINTS = "entries.jsonl", "checkpoints.jsonl"


class Exportable(Protocol):
    """A ledger, or one of the logs that it holds."""

    def lines(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]: ...

    def checkpoints(self) -> Iterator[Checkpoint]: ...


def export_lines(log: Exportable) -> tuple[tuple[str, Iterator[bytes]], ...]:
    """Names of files and their lines, all of one moment, though others go on appending."""
    end = max((checkpoint.size for checkpoint in log.checkpoints()), default=0)
    covered = takewhile(lambda checkpoint: checkpoint.size <= end, log.checkpoints())
    return (
        (ENTRIES, entry_lines(log.lines(stop=end))),
        (CHECKPOINTS, checkpoint_lines(log.lines(stop=end), covered)),
    )


def entry_lines(lines: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    """Lines of `entries.jsonl`, each with its end.

    Raises IntegrityError if an entry is missing or not one line.
    """
    for due, (sequence, encoded) in enumerate(lines):
        if sequence != due or b"\n" in encoded:
            raise IntegrityError(
                f"entry {due} cannot be exported: it is missing or altered",
                code="ledger.damaged",
                hint="run `freehold audit verify`",
            )
        yield encoded + b"\n"


def checkpoint_lines(
    lines: Iterable[tuple[int, bytes]], checkpoints: Iterable[Checkpoint]
) -> Iterator[bytes]:
    """Lines of `checkpoints.jsonl`, each with its end. `lines`: the same as for the entries."""
    entries, covered = iter(lines), 0
    for checkpoint in checkpoints:
        leaves = [leaf_hash(data).hex() for _, data in islice(entries, checkpoint.size - covered)]
        covered = checkpoint.size
        yield canonical({**checkpoint.as_json(), "leaves": leaves}) + b"\n"
