"""Who signed two histories. A writer's own signatures are the proof; nobody's word is needed.

A site records the heads of others that it received, so that whoever rewrites its past contradicts
what it signed before, at every site that had seen it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from freehold.domain.checkpoint import Checkpoint
from freehold.domain.fact import Fact
from freehold.domain.ordering import seen_size
from freehold.domain.signature import PublicKey
from freehold.ports.ledger import KeepsLogs
from freehold.ports.object_store import ObjectStore
from freehold.replication.head import signed_heads
from freehold.replication.own_log import agreed_entries, roots_at


@dataclass(frozen=True)
class Sighting:
    """A head of one log as a fact of another says that it was seen."""

    writer: str
    size: int
    root: str
    """Hexadecimal."""
    by: str
    """Name of the fact."""


@dataclass(frozen=True)
class Accusation:
    """Two statements about one log of which one must be false."""

    writer: str
    """Whose log it is."""
    code: str
    """`log.rewritten`: the writer signed both, they are `earlier` and `later`.
    `log.withdrawn`: the newest signed head is smaller than one that was the newest before; a
    restored backup looks the same.
    `log.disputed`: another writer's fact says that it saw a head that is none of this log."""
    what: str
    earlier: Checkpoint | None
    later: Checkpoint | None
    sighting: Sighting | None = None


def accusations(
    held: Iterable[Checkpoint],
    found: Iterable[Checkpoint],
    *,
    roots: Mapping[tuple[str, int], str] | None = None,
    sightings: Iterable[Sighting] = (),
) -> tuple[Accusation, ...]:
    """Name the writers that signed what cannot be true together.

    `held`: checkpoints that were recorded with the entries that the ledger holds. `found`: heads
    from anywhere, their signatures verified. `roots`: by writer and size, the root over the first
    entries that the ledger holds, for sizes of `found` and `sightings` of which no checkpoint is
    held: a smaller tree with another root is no prefix of the log.
    """
    known = {(one.writer, one.size): one for one in held}
    newest: dict[str, Checkpoint] = {}
    for one in known.values():
        newest[one.writer] = max(one, newest.get(one.writer, one), key=lambda it: it.size)
    roots, accused = roots or {}, []
    for head in sorted(set(found), key=lambda it: (it.writer, it.size, it.root, it.signature)):
        place = head.writer, head.size
        earlier = known.setdefault(place, head)
        if earlier.root != head.root:
            what = f"{head.writer} signed two different histories of {head.size} entries"
            accused.append(Accusation(head.writer, "log.rewritten", what, earlier, head))
        elif roots.get(place, head.root) != head.root and head.writer in newest:
            last = newest[head.writer]
            what = f"the {head.size} entries that {head.writer} signed do not begin its log"
            accused.append(Accusation(head.writer, "log.rewritten", what, last, head))
    for seen in sightings:
        statement = known.get((seen.writer, seen.size))
        root = statement.root if statement else roots.get((seen.writer, seen.size), seen.root)
        if root != seen.root:
            what = f"{seen.by} saw another history of {seen.writer} with {seen.size} entries"
            accused.append(
                Accusation(seen.writer, "log.disputed", what, statement, None, sighting=seen)
            )
    return tuple(dict.fromkeys(accused))


def examine(
    writer: str,
    ledger: KeepsLogs,
    stores: Sequence[ObjectStore],
    public: PublicKey,
    sightings: Iterable[Sighting] = (),
) -> tuple[Accusation, ...]:
    """`accusations` over all that the ledger recorded of a log and all heads of it in the stores.

    Reads every head, and the whole log where a head has a size of which no checkpoint is held: for
    audits, not for each exchange. `public`: the believed key. Raises what the stores raise.
    """
    found = [head for store in stores for head in signed_heads(writer, store, public)]
    return contradictions(writer, ledger, stores, found, sightings)


def contradictions(
    writer: str,
    ledger: KeepsLogs,
    stores: Sequence[ObjectStore],
    found: Sequence[Checkpoint],
    sightings: Iterable[Sighting] = (),
) -> tuple[Accusation, ...]:
    """`examine` for whoever has read the heads: `found`, of all stores, validly signed."""
    held = list(ledger.log_checkpoints(writer))
    seen = [sighting for sighting in sightings if sighting.writer == writer]
    sizes = {head.size for head in found} | {sighting.size for sighting in seen}
    sizes -= {checkpoint.size for checkpoint in held}
    roots = {(writer, size): root for size, root in roots_at(ledger, writer, sizes).items()}
    accused = accusations(held, found, roots=roots, sightings=seen)
    if accused or not held:
        return accused
    return tuple(_grown_from_another(ledger, stores, held[-1], found))


def _grown_from_another(
    ledger: KeepsLogs,
    stores: Sequence[ObjectStore],
    last: Checkpoint,
    found: Sequence[Checkpoint],
) -> Iterator[Accusation]:
    """A greater head, whose entries lie in a store, and which does not begin with what is held."""
    greater = [head for head in found if head.size > last.size]
    if not greater:
        return
    head = max(greater, key=lambda one: one.size)
    by_name = {str(number): store for number, store in enumerate(stores)}
    agreed = agreed_entries(ledger, last.writer, by_name, head)
    if agreed is not None and agreed < last.size:
        what = f"the {head.size} entries that {head.writer} signed leave its log at entry {agreed}"
        yield Accusation(head.writer, "log.rewritten", what, last, head)


def withdrawal(before: Checkpoint, now: Checkpoint | None) -> Accusation | None:
    """Whether the newest signed head of a log in one store is smaller than it was before."""
    if now is not None and now.size >= before.size:
        return None
    left = now.size if now else 0
    what = f"{before.writer} had {before.size} signed entries in the store, now it has {left}"
    return Accusation(before.writer, "log.withdrawn", what, before, now)


def sightings_of(fact: Fact) -> tuple[Sighting, ...]:
    """What a fact says that its writer had seen; what is no head is left out."""
    found = []
    for writer, head in fact.seen.items():
        try:
            size = seen_size(head)
        except ValueError:
            continue
        found.append(Sighting(writer, size, head.partition(":")[2], fact.name))
    return tuple(found)
