"""All logs that this site holds, its own and those of others, with the keys that they verify by."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from freehold.app.site.opening import Site
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import IntegrityError
from freehold.domain.merkle import leaf_hash
from freehold.domain.signature import PublicKey


@dataclass(frozen=True)
class Log:
    """One writer's, read when it is asked for."""

    site: Site
    writer: str
    key: PublicKey

    def lines(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        return self.site.ledger.log_lines(self.writer, start, stop)

    def checkpoints(self) -> Iterator[Checkpoint]:
        return self.site.ledger.log_checkpoints(self.writer)

    @cached_property
    def encoded(self) -> list[bytes]:
        """Canonical bytes of its entries."""
        return [encoded for _, encoded in self.lines()]

    @cached_property
    def leaves(self) -> list[bytes]:
        return [leaf_hash(encoded) for encoded in self.encoded]

    @cached_property
    def head(self) -> Checkpoint:
        """The newest that covers no more than is held. Raises IntegrityError if it is not signed
        with the log's key."""
        held = [one for one in self.checkpoints() if one.size <= len(self.encoded)]
        if not held or not held[-1].is_signed_by(self.key):
            size = f" of size {held[-1].size}" if held else ""
            raise IntegrityError(
                "the history does not hold",
                why=f"the newest checkpoint{size} of {self.writer} is not signed with its key",
                hint="`freehold audit verify` names the first bad entry",
                code="audit.broken",
            )
        return held[-1]


def held_logs(site: Site) -> tuple[Log, ...]:
    """The own one first. Raises IntegrityError `audit.unknown-key`."""
    own = site.ledger.writer
    found = [Log(site, own, site.signer.public)]
    for held in site.ledger.logs():
        if held.writer != own and held.size:
            found.append(Log(site, held.writer, key_of(site, held.writer)))
    return tuple(found)


def key_of(site: Site, writer: str) -> PublicKey:
    key = site.keyring.of(writer)
    if key is None:
        raise IntegrityError(
            f"the public key of the log {writer} is not known here",
            why="it is kept under keys/known, and is not there",
            hint="`freehold sync` brings it again with the log",
            code="audit.unknown-key",
        )
    return key
