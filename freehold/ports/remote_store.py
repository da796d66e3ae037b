"""What every store beyond a network does alike, so that all adapters do it in one way.

Laws
- Tried again: what never reached the store, what the store did not answer, an answer cut short,
  and HTTP 408, 429, 500, 502, 503, 504. Nothing else.
- Pauses grow and are drawn at random below a limit ("full jitter"), so that many sites that lost
  a store at the same moment do not come back at the same moment.
- No attempt begins after two thirds of the time limit, and none lasts longer than one third:
  together they keep the limit.
- A part that was fetched belongs to the version that was asked for.
"""

import errno
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from freehold.domain.errors import FreeholdError, StorageFailed, Unreachable
from freehold.ports.object_store import Moved

T = TypeVar("T")

TRIED_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses after which a request may be sent again."""
PART = 8 * 2**20
"""Bytes of one part of a large object."""
PARTS_AT_ONCE = 4
_SHORTEST, _LONGEST = 0.05, 5.0
"""Seconds below which the first pause is drawn, and the last."""


class Interrupted(Exception):
    """One attempt failed in a way that may be tried again."""

    def __init__(self, why: str, *, in_doubt: bool = True) -> None:
        super().__init__(why)
        self.in_doubt = in_doubt
        """Whether the store may have done it all the same."""


def part_size(size: int) -> int:
    """Bytes of a part, so that an object of `size` bytes has at most 9,000 parts."""
    return max(PART, -(-size // 9000))


def attempt_seconds(timeout: float) -> float:
    """How long one attempt may wait for an answer."""
    return timeout / 3


def persist(
    attempt: Callable[[], T],
    where: str,
    timeout: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] = random.random,
) -> T:
    """The answer of the first attempt that is not Interrupted. Raises Unreachable when time is up,
    and at once whatever else the attempt raises."""
    last = clock() + timeout * 2 / 3
    longest = _SHORTEST
    count = 1
    while True:
        try:
            return attempt()
        except Interrupted as exc:
            seconds = chance() * longest
            if clock() + seconds >= last:
                raise unreachable(where, f"{exc}; tried {count} times") from None
            pause(seconds)
            longest = min(longest * 2, _LONGEST)
            count += 1


def unreachable(where: str, why: str) -> Unreachable:
    return Unreachable(
        f"the store {where} does not answer",
        why=why,
        hint="work goes on at this site; see that the network and the store work, and repeat",
        code="storage.unreachable",
    )


def in_doubt(where: str, key: str) -> Unreachable:
    """Of a conditional write whose answer was lost."""
    return Unreachable(
        f"the store {where} did not say whether it took {key}",
        why="the answer was lost, and somebody has written there since",
        hint="read the object and decide again",
        code="storage.in-doubt",
    )


def changing(where: str, key: str) -> StorageFailed:
    return StorageFailed(
        f"{key} in {where} was replaced again and again while it was read",
        why="parts of two versions make no object",
        hint="repeat when its writer has ended",
        code="storage.changing",
    )


def refusal(where: str, status: int, why: str) -> FreeholdError:
    """What a final answer of the store means, by its HTTP status."""
    if status in (401, 403):
        return StorageFailed(
            f"the store {where} denies it",
            why=why,
            hint="check the site's credentials and what they may do: read, write, delete and list "
            "(without list, an absent object looks denied)",
            code="storage.denied",
        )
    if status in (301, 307, 308):
        return StorageFailed(
            f"the store {where} is somewhere else",
            why=why,
            hint="set the store's region or endpoint in freehold.yaml",
            code="storage.elsewhere",
        )
    if status == 507:
        return StorageFailed(
            f"the store {where} is full",
            why=why,
            hint="make room there and repeat the command",
            code="storage.full",
        )
    return StorageFailed(
        f"the store {where} refused",
        why=why,
        hint="what the store says tells what it does not accept; "
        "`freehold doctor` shows what it can do",
        code="storage.refused",
    )


def no_bucket(where: str) -> StorageFailed:
    return StorageFailed(
        f"there is no bucket or container for {where}",
        why="the store answers, and does not know the name",
        hint="make it, or correct the store's address in freehold.yaml",
        code="storage.no-bucket",
    )


def unsorted(where: str) -> StorageFailed:
    return StorageFailed(
        f"the store {where} lists its keys in no order",
        why="whoever reads on from a key would miss some",
        hint="use a store that lists in order; an Azure account must not have a hierarchical "
        "namespace",
        code="storage.unsorted",
    )


@contextmanager
def arriving(path: Path) -> Iterator[int]:
    """A descriptor to write to; the file stands at `path`, synced, once the block has ended well,
    and leaves nothing behind if it has not."""
    name = ""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            yield descriptor
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        Path(name).replace(path)
        _sync_folder(path.parent)
    except BaseException as exc:
        if name:
            Path(name).unlink(missing_ok=True)
        if isinstance(exc, OSError):
            raise _local(path, exc) from exc
        raise


def fetch_by_parts(path: Path, size: int, fetch: Callable[[int, int], bytes], moved: Moved) -> None:
    """Writes what `fetch(start, stop)` gives to `path`, several parts at a time."""
    step = part_size(size)

    def part(start: int) -> int:
        stop = min(start + step, size)
        data = fetch(start, stop)
        if len(data) != stop - start:
            raise StorageFailed(
                f"a part of {path.name} has {len(data)} bytes, not {stop - start}",
                why="the object was replaced by a shorter one while it was read",
                hint="repeat the command",
                code="storage.changing",
            )
        os.pwrite(descriptor, data, start)
        return len(data)

    with arriving(path) as descriptor, ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
        try:
            for count in pool.map(part, range(0, size, step)):
                moved(count)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _local(path: Path, exc: OSError) -> StorageFailed:
    full = exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return StorageFailed(
        f"{path.name} could not be written",
        why=str(exc),
        hint="make room on the disk and repeat the command"
        if full
        else "make sure that the folder is there and that you may write to it, and repeat",
        code="storage.full" if full else "storage.failed",
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
