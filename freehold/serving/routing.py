"""Which variant answers a key.

Laws
- Sticky: a key's variant depends on the salt, the key and the weights, on nothing else.
- Monotone: while one variant grows at the champion's cost, keys move from the champion to it and
  in no other direction.
"""

from collections.abc import Sequence
from hashlib import blake2b

from freehold.domain.routing import RoutingTable, Variant

_SPAN = 1 << 64
_SHADOW = b"shadow\0"
"""Before the salt: a shadow's keys must not depend on how keys are divided."""


class Division:
    """The interval of hashes of each variant of one table; built once, asked for every row.

    Variants lie in the table's order from zero up, the champion last, wherever the table names
    it: what the others gain is taken from the near end of its interval.
    """

    def __init__(self, table: RoutingTable) -> None:
        self._salt = table.salt.encode() + b"\0"
        order = sorted(
            range(len(table.variants)), key=lambda index: table.variants[index].alias == "champion"
        )
        self._bounds: list[tuple[int, int]] = []
        reached = 0.0
        for index in order:
            reached += table.variants[index].weight
            self._bounds.append((round(min(reached, 100.0) / 100 * _SPAN), index))
        whole = [index for index in order if table.variants[index].weight > 0]
        self._last = whole[-1]
        self._only = whole[0] if len(whole) == 1 else None
        share = 0.0 if table.shadow is None else table.shadow.share
        self._shadow_bound = round(share / 100 * _SPAN)

    def shadowed(self, keys: Sequence[str]) -> list[int]:
        """Places of the keys whose rows the table's shadow scores, too: the same ones each time,
        whatever variant answers them."""
        found, bound = [], self._shadow_bound
        if bound:
            salt = _SHADOW + self._salt
            found = [place for place, key in enumerate(keys) if position(salt, key) < bound]
        return found

    def index(self, key: str) -> int:
        """Position, in the table's `variants`, of the one that answers `key`."""
        if self._only is not None:
            return self._only
        place = position(self._salt, key)
        for bound, index in self._bounds:
            if place < bound:
                return index
        return self._last

    def groups(self, keys: Sequence[str]) -> dict[int, list[int] | None]:
        """Rows by the variant that answers them; None for all of them."""
        if self._only is not None:
            return {self._only: None}
        rows: dict[int, list[int]] = {}
        for row, key in enumerate(keys):
            rows.setdefault(self.index(key), []).append(row)
        if len(rows) == 1:
            return dict.fromkeys(rows)
        return {**rows}


def position(salt: bytes, key: str) -> int:
    """A hash of `key`, even over [0, 2**64): BLAKE2b, RFC 7693, of eight bytes."""
    return int.from_bytes(blake2b(salt + key.encode(), digest_size=8).digest(), "big")


def choose(table: RoutingTable, key: str) -> Variant:
    """The variant that answers `key`."""
    return table.variants[Division(table).index(key)]
