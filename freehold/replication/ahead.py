"""Work of a pool whose answers are taken in order, some of it ahead."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def ahead(
    pool: ThreadPoolExecutor, work: Callable[[Item], Answer], items: Iterable[Item], count: int
) -> Iterator[Answer]:
    """Of each of `items`, of which `count` are begun before the answer that is due is waited for:
    so many items and answers are in memory. Raises what `work` raises; then what was not begun
    never is."""
    under_way: deque[Future[Answer]] = deque()
    try:
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) > count:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for one in under_way:
            one.cancel()
