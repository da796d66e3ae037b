"""Which rows may have been written: a Bloom filter (Bloom, 1970), each row's bits in one word.

Always as large, and at two million rows wrong in one of three thousand questions about a row that
was not written: each of those waits for SQLite.
"""

from array import array
from itertools import combinations

_WORDS = 1 << 22
"""Of 32 bits: 16 MiB."""
_PAIRS = [1 << one | 1 << other for one, other in combinations(range(32), 2)]


_COUNT = len(_PAIRS)


class Marks:
    def __init__(self) -> None:
        self._words = array("I", bytes(4 * _WORDS))

    def add(self, table: str, key: str) -> None:
        place = hash(table) ^ hash(key)
        bits = _PAIRS[(place >> 22) % _COUNT] | _PAIRS[(place >> 33) % _COUNT]
        self._words[place & (_WORDS - 1)] |= bits

    def may_have(self, table: str, key: str) -> bool:
        """True for each row that was added."""
        place = hash(table) ^ hash(key)
        bits = _PAIRS[(place >> 22) % _COUNT] | _PAIRS[(place >> 33) % _COUNT]
        return self._words[place & (_WORDS - 1)] & bits == bits
