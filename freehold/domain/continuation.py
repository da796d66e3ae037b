"""What another writer's entries must be, to continue what is held of its log."""

from collections.abc import Iterable, Iterator, Sequence

import orjson

from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Entry, Fact
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.merkle import Frontier, leaf_hash
from freehold.domain.ordering import seen_size


def continued(
    writer: str,
    frontier: Frontier,
    time: HybridTime,
    first: int,
    lines: Sequence[bytes],
    checkpoints: Iterable[Checkpoint],
) -> Iterator[Entry]:
    """What is new, one after the other; none of it is to be believed before the last was given.

    `frontier` and `time` are the end of what is held; the frontier moves along, and is of no use
    when this has raised. Lines that are held already are passed over. The signatures of the
    checkpoints are not looked at.

    Raises IntegrityError `log.does-not-continue`, `log.wrong-root`, `log.wrong-entry`.
    """
    held, last = frontier.size, first + len(lines)
    if first > held:
        raise _broken(writer, f"entries {held} to {first - 1} are missing", "does-not-continue")
    due = {one.size: one.root for one in checkpoints if held < one.size <= last}
    if last > held and last not in due:
        raise _broken(writer, f"no checkpoint covers entry {last - 1}", "does-not-continue")
    leaves: list[bytes] = []
    for sequence in range(held, last):
        encoded = lines[sequence - first]
        fact = _fact(writer, sequence, encoded)
        if sequence and fact.time <= time:
            what = f"entry {sequence} is not later than the one before it"
            raise _broken(writer, what, "wrong-entry")
        time = fact.time
        leaf = leaf_hash(encoded)
        leaves.append(leaf)
        if (root := due.get(sequence + 1)) is not None:
            frontier.extend(leaves)
            leaves.clear()
            if frontier.root().hex() != root:
                what = f"its first {sequence + 1} entries have another root than was signed"
                raise _broken(writer, what, "wrong-root")
        yield Entry(fact, encoded, leaf)


def _fact(writer: str, sequence: int, encoded: bytes) -> Fact:
    try:
        fact = Fact.from_json(orjson.loads(encoded))
        if fact.seen != {}:
            for head in fact.seen.values():
                seen_size(head)
        fits = fact.writer == writer and fact.sequence == sequence and writer not in fact.seen
        if not fits or b"\n" in encoded:
            raise ValueError("it is not this entry")
        whole = type(fact.version) is int and type(fact.sequence) is int
        if type(fact.body) is not dict or not whole:
            raise ValueError("a body is an object, a version and a sequence are integers")
        named = type(fact.type) is str and type(fact.actor) is str
        if not named or (fact.cause and any(type(name) is not str for name in fact.cause)):
            raise ValueError("type, actor and causes are texts")
    except (ValueError, TypeError, AttributeError) as exc:
        what = f"entry {sequence} cannot be read: {exc}"
        raise _broken(writer, what, "wrong-entry") from exc
    return fact


def _broken(writer: str, why: str, kind: str) -> IntegrityError:
    return IntegrityError(
        f"what came of the log of {writer} does not continue it",
        why=why,
        hint="nothing of it was taken; `freehold doctor` names the store that gave it",
        code=f"log.{kind}",
    )
