"""Which rows may be there, in the same memory for few and for many."""

_BITS = 27
_PLACES = (1 << _BITS) - 1


class Marks:
    """Says of every row that was added that it may be there, and of most others that they are not:
    where ten million were added, one in fifty is taken for one of them (Bloom, 1970; 16 MB)."""

    def __init__(self) -> None:
        self._marks = bytearray(1 << _BITS - 3)

    def add(self, name: tuple[str, str]) -> None:
        at = hash(name)
        one, other = at & _PLACES, at >> _BITS & _PLACES
        self._marks[one >> 3] |= 1 << (one & 7)
        self._marks[other >> 3] |= 1 << (other & 7)

    def __contains__(self, name: tuple[str, str]) -> bool:
        at = hash(name)
        one = at & _PLACES
        if not self._marks[one >> 3] & 1 << (one & 7):
            return False
        other = at >> _BITS & _PLACES
        return bool(self._marks[other >> 3] & 1 << (other & 7))
