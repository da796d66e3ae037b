"""A drill's corner of a store: below a prefix of its own, and empty when the drill is over."""

from concurrent.futures import ThreadPoolExecutor

from freehold.ports.object_store import ObjectStore

ALL_AT_ONCE = 16


def empty_corner(store: ObjectStore) -> tuple[int, int]:
    """How many objects were there and were removed, and how many are there now."""
    found = list(store.keys())
    with ThreadPoolExecutor(ALL_AT_ONCE) as pool:
        list(pool.map(store.delete, found))
    return len(found), len(list(store.keys()))
