"""Every log that this site's ledger holds: its own, and those of other writers."""

from collections.abc import Iterator

from freehold.app.history.facts import facts_among
from freehold.app.site.opening import Site
from freehold.domain.fact import Fact, site_of
from freehold.domain.signature import PublicKey
from freehold.replication.trust import fitting


def writers(site: Site) -> tuple[str, ...]:
    """The own writer first."""
    own = site.ledger.writer
    return (own, *(log.writer for log in site.ledger.logs() if log.writer != own))


def lines_of(site: Site, writer: str) -> Iterator[bytes]:
    """Canonical bytes of a log's entries, in order."""
    return (encoded for _, encoded in site.ledger.log_lines(writer))


def all_facts(site: Site, *types: str) -> Iterator[Fact]:
    """Of every log, log after log, oldest first within each."""
    for writer in writers(site):
        yield from facts_among(lines_of(site, writer), *types)


def is_own(site: Site, writer: str) -> bool:
    """Whether this site wrote that log, be it under another key or before it went on in a new
    one."""
    return site_of(writer) == site.name


def key_of(site: Site, writer: str) -> PublicKey | None:
    """The key that signed a log, or None if it is not known here."""
    return site.keyring.of(writer) or next(fitting(writer, [site.signer.public]), None)
