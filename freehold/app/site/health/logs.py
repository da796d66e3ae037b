"""Each log that this site holds or that lies in a store: how far it is known, and believed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Literal

import orjson

from freehold.app.site.health.waiting import Patience, together, within
from freehold.app.site.opening import Site
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import FreeholdError
from freehold.domain.fact import Fact, site_of
from freehold.domain.ordering import seen_size
from freehold.domain.signature import PublicKey
from freehold.ports.ledger import HeldLog
from freehold.ports.object_store import ObjectStore
from freehold.replication.fault import NotBelieved
from freehold.replication.head import offered_keys, read_head
from freehold.replication.layout import HeadName, heads_folder, writers
from freehold.replication.trust import HANDED_OVER, TRUSTED, accused, fitting

Belief = Literal["own", "pinned", "trusted", "handed over", "not believed"]
_TRIES = 16
"""Heads of one log in one store that are read until one is true."""


@dataclass(frozen=True)
class LogStanding:
    writer: str
    site: str
    key: str
    """Fingerprint; empty if neither this site nor a store has one that fits."""
    belief: Belief
    held: int = 0
    """Entries that are here."""
    folded: int = 0
    """Of these, entries that count: the others wait for logs that are not here."""
    known: int | None = None
    """Entries under the newest signed head in any store that answered; None if none has one."""
    behind_seconds: float | None = None
    """By its writer's clock: age of the newest head that is held, at the newest there is."""
    missing_seconds: float | None = None
    """By this site's clock: how long ago the first of the missing entries were signed."""
    unpublished_seconds: float | None = None
    """By its writer's clock against this one: how long ago the first entries that are in no store
    were signed."""
    waits_for: Mapping[str, int] = field(default_factory=dict)
    """Writer → entries of its log that are not here and must come first."""
    accusations: Sequence[str] = ()
    stores: Sequence[str] = ()
    """Sites in whose stores it lies, of those that answered."""

    @property
    def behind(self) -> int:
        """Entries that are in a store and not here."""
        return max(0, (self.known or 0) - self.held)

    @property
    def unpublished(self) -> int:
        """Entries that are here and in no store that answered."""
        return max(0, self.held - (self.known or 0))

    @property
    def lag(self) -> dict[str, float | None]:
        """In entries, and in seconds; None where nothing lags."""
        return {
            "behind": self.behind,
            "unpublished": self.unpublished,
            "behind_seconds": self.behind_seconds,
            "missing_seconds": self.missing_seconds,
            "unpublished_seconds": self.unpublished_seconds,
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "writer": self.writer,
            "site": self.site,
            "key": self.key,
            "belief": self.belief,
            "held": self.held,
            "folded": self.folded,
            "known": self.known,
            **self.lag,
            "waits_for": dict(self.waits_for),
            "accusations": list(self.accusations),
            "stores": list(self.stores),
        }


@dataclass(frozen=True)
class _InStore:
    """What one store has of a log."""

    writer: str
    store: str
    key: PublicKey | None
    newest: Checkpoint | None
    """The greatest head that is signed with this key."""
    missing: Checkpoint | None
    """The smallest such head beyond what is held."""


def survey_logs(
    site: Site, stores: Mapping[str, ObjectStore], patience: Patience
) -> tuple[list[LogStanding], dict[str, FreeholdError]]:
    """By writer, the own one first; and what went wrong, by store."""
    held = {log.writer: log for log in _held(site)}
    failed: dict[str, FreeholdError] = {}

    def of_store(name: str) -> list[_InStore]:
        def ask() -> list[_InStore]:
            return list(_in_store(site, name, stores[name], held))

        try:
            return within(patience.whole, f"the store of {name}", ask)
        except FreeholdError as error:
            failed[name] = error
            return []

    found: dict[str, list[_InStore]] = {writer: [] for writer in held}
    for answer in together([partial(of_store, name) for name in stores]):
        for one in answer:
            found.setdefault(one.writer, []).append(one)
    own = site.ledger.writer
    order = sorted(found, key=lambda writer: (writer != own, writer))
    return [_standing(site, writer, held, found[writer]) for writer in order], failed


def belief_of(site: Site, writer: str, key: PublicKey) -> Belief:
    """Why this site believes a log that is signed with this key, or that it does not."""
    name, own = site_of(writer), site.signer.public.fingerprint
    known_before = site.keyring.of(writer)
    if name == site.name and key.fingerprint in (own, known_before and known_before.fingerprint):
        return "own"
    spec = site.project.spec.sites.get(name)
    if spec is None:
        return "not believed"
    if key.fingerprint in spec.keys:
        return "pinned"
    if site.state.get(TRUSTED, f"{site.name}/{name}/{key.fingerprint}") is not None:
        return "trusted"
    if site.state.get(HANDED_OVER, f"{name}/{key.fingerprint}") is not None:
        return "handed over"
    return "not believed"


def _held(site: Site) -> Sequence[HeldLog]:
    return site.ledger.logs()


def _key_of(site: Site, writer: str, offered: Iterable[PublicKey] = ()) -> PublicKey | None:
    """One that is believed before one that only fits."""
    here = [site.signer.public, *filter(None, [site.keyring.of(writer)])]
    fit = list(fitting(writer, [*here, *offered]))
    sure = (key for key in fit if belief_of(site, writer, key) != "not believed")
    return next(sure, fit[0] if fit else None)


def _in_store(
    site: Site, name: str, store: ObjectStore, held: Mapping[str, HeldLog]
) -> Iterator[_InStore]:
    for writer in writers(store):
        key = _key_of(site, writer, offered_keys(writer, {name: store}))
        heads = sorted(filter(None, map(HeadName.parse, store.keys(heads_folder(writer)))))
        here = held[writer].size if writer in held else 0
        beyond = [head for head in heads if head.size > here]
        if key is None:
            yield _InStore(writer, name, None, None, None)
            continue
        newest = _first_true(store, reversed(heads), key)
        yield _InStore(writer, name, key, newest, _first_true(store, beyond, key))


def _first_true(store: ObjectStore, heads: Iterable[HeadName], key: PublicKey) -> Checkpoint | None:
    for head in islice(heads, _TRIES):
        with suppress(KeyError, NotBelieved):
            return read_head(store, head, key)
    return None


def _standing(
    site: Site, writer: str, held: Mapping[str, HeldLog], found: Sequence[_InStore]
) -> LogStanding:
    log = held.get(writer)
    key = _key_of(site, writer, [one.key for one in found if one.key])
    signed = [one for one in found if one.key and key and one.key.pem == key.pem]
    newest = max((one.newest for one in signed if one.newest), key=_size, default=None)
    missing = min((one.missing for one in signed if one.missing), key=_size, default=None)
    last = log.checkpoint if log else None
    behind = missing_for = None
    if newest is not None and missing is not None:
        behind = (newest.wall - (last or missing).wall) / 1e6
        missing_for = max(0.0, (site.clock() - missing.wall) / 1e6)
    return LogStanding(
        writer=writer,
        site=site_of(writer),
        key=key.fingerprint if key else "",
        belief=belief_of(site, writer, key) if key else "not believed",
        held=log.size if log else 0,
        folded=log.folded if log else 0,
        behind_seconds=behind,
        known=newest.size if newest else None,
        missing_seconds=missing_for,
        unpublished_seconds=_kept_back(site, log, newest.size if newest else 0),
        waits_for=_waits_for(site, log, held) if log else {},
        accusations=[_words(row) for row in accused(site.state) if row["writer"] == writer],
        stores=[one.store for one in found],
    )


def _kept_back(site: Site, log: HeldLog | None, known: int) -> float | None:
    if log is None or log.size <= known:
        return None
    first = next(site.ledger.log_checkpoints(log.writer, known), None)
    return max(0.0, (site.clock() - first.wall) / 1e6) if first else None


def _size(checkpoint: Checkpoint) -> int:
    return checkpoint.size


def _waits_for(site: Site, log: HeldLog, held: Mapping[str, HeldLog]) -> dict[str, int]:
    """What the first entry that does not count yet had seen and this site has not."""
    if log.folded >= log.size:
        return {}
    _, line = next(site.ledger.log_lines(log.writer, log.folded, log.folded + 1))
    fact = Fact.from_json(orjson.loads(line))
    missing = {}
    for writer, head in fact.seen.items():
        here = held[writer].folded if writer in held else 0
        if seen_size(head) > here:
            missing[writer] = seen_size(head) - here
    return missing


def _words(row: Mapping[str, Any]) -> str:
    """Of a `log.accused` fact."""
    signed = [_statement(row[name]) for name in ("earlier", "later") if row[name] is not None]
    said = f"it signed {' and '.join(signed)}" if signed else "another history of it is held here"
    seen = f", and {row['seen_by']} saw another one" if row["seen_by"] else ""
    return f"[{row['code']}] {said}{seen}, recorded by {', '.join(sorted(set(row['by'])))}"


def _statement(checkpoint: Mapping[str, Any]) -> str:
    return f"{checkpoint['size']:,} entries of root {checkpoint['root'][:12]}"
