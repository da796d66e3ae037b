"""Whether a store knows the own log otherwise than the own ledger does."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from freehold.domain.checkpoint import Checkpoint
from freehold.domain.merkle import Frontier, leaf_hash
from freehold.domain.signature import PublicKey
from freehold.ports.ledger import KeepsLogs
from freehold.ports.object_store import ObjectStore
from freehold.replication.fault import LogConflict, LogFault, NotBelieved
from freehold.replication.head import encode_head, read_head
from freehold.replication.layout import HeadName, heads_folder
from freehold.replication.reading import LogReader


def find_conflict(
    ledger: KeepsLogs,
    writer: str,
    public: PublicKey,
    stores: Mapping[str, ObjectStore],
    name: str,
) -> LogConflict | None:
    """Whether the store of this name knows the own log otherwise. All are to be asked before
    anything is published to one of them: one that missed what the others know would take another
    history, and the log would have forked. `stores` complete each other. Raises what they raise.
    """
    store = stores[name]
    heads = [head for head in map(HeadName.parse, store.keys(heads_folder(writer))) if head]
    try:
        refuse_conflict(ledger, writer, public, store, heads, name)
    except LogConflict as conflict:
        if conflict.agreed is None:
            conflict.agreed = agreed_entries(ledger, writer, stores, conflict.theirs)
        return conflict
    return None


def refuse_conflict(
    ledger: KeepsLogs,
    writer: str,
    public: PublicKey,
    store: ObjectStore,
    heads: Sequence[HeadName],
    name: str,
) -> list[LogFault]:
    """Raises LogConflict if a head in the store, signed with the own key, is not one of this log.

    `heads` must have been listed before the ledger is looked at, or an append between the two
    would look like a store that knows more. Reads only heads that the ledger does not hold.
    Returns what is corrupt among these.
    """
    faults, strange, signed = [], [], 0
    for head in heads:
        if holds_head(ledger, head):
            signed = max(signed, head.size)
            continue
        try:
            strange.append(read_head(store, head, public))
        except KeyError:
            continue
        except NotBelieved as exc:
            faults.append(LogFault(writer, name, exc.kind, exc.what, size=head.size))
    if strange:
        ours = next(log.size for log in ledger.logs() if log.writer == writer)
        roots = roots_at(ledger, writer, [head.size for head in strange])
        wrong = [head for head in strange if roots.get(head.size) != head.root]
        if wrong:
            theirs = max(wrong, key=lambda head: head.size)
            raise LogConflict(
                ours=ours,
                theirs=theirs,
                agreed=agreed_entries(ledger, writer, {name: store}, theirs),
                signed=signed,
            )
    return faults


def holds_head(ledger: KeepsLogs, head: HeadName) -> bool:
    """Whether it is the very checkpoint that the ledger has of this size."""
    held = next(ledger.log_checkpoints(head.writer, head.size - 1), None)
    return held is not None and encode_head(held)[0] == head


def roots_at(ledger: KeepsLogs, writer: str, sizes: Iterable[int]) -> dict[int, str]:
    """Hexadecimal roots over the first entries, for those sizes that the ledger holds."""
    wanted, frontier = sorted(set(sizes)), Frontier()
    found = {0: frontier.root().hex()} if 0 in wanted else {}
    if wanted:
        due = set(wanted)
        for _, line in ledger.log_lines(writer, 0, wanted[-1]):
            frontier.add(leaf_hash(line))
            if frontier.size in due:
                found[frontier.size] = frontier.root().hex()
    return found


def agreed_entries(
    ledger: KeepsLogs, writer: str, stores: Mapping[str, ObjectStore], theirs: Checkpoint
) -> int | None:
    """How many first entries the ledger and the store's log have in common; None if the store's
    copy does not lead to the root of `theirs`."""
    with ThreadPoolExecutor(2) as pool:
        reader = LogReader(writer, stores, pool)
        reader.list_segments()
        while True:
            reader.used.clear()
            ours = ledger.log_lines(writer, 0, theirs.size)
            frontier, agreed, same = Frontier(), 0, True
            for line in reader.lines(0, theirs.size, None):
                same = same and (held := next(ours, None)) is not None and held[1] == line
                agreed += same
                frontier.add(leaf_hash(line))
            if frontier.size == theirs.size and frontier.root().hex() == theirs.root:
                return agreed
            if not reader.distrust_used():  # both histories may lie there, over each other
                return None
