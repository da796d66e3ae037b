"""Which rows the request log keeps, where it keeps a share of them.

Law. Whether a key's rows are kept depends on the model, the key and the share, on nothing else: a
label can be joined to whatever was kept of its key, at every site. A greater share keeps what a
smaller one does.

The key is the row's `id`, or, where the rows of a request have none, the request's own: such rows
are kept or left out together, by one hash.
"""

from collections.abc import Sequence
from hashlib import blake2b

_SPAN = 1 << 64
_LOG = b"log\0"
"""Before the model's name: what is kept must not depend on who answers."""


class Sampling:
    def __init__(self, model: str, share: float) -> None:
        """`share`: of the keys, above 0 and below 1."""
        self.share = share
        self._bound = round(share * _SPAN).to_bytes(8, "big")
        self._begun = blake2b(_LOG + model.encode() + b"\0", digest_size=8)

    def keeps(self, key: str) -> bool:
        """The hash is that of `routing.position`."""
        one = self._begun.copy()
        one.update(key.encode())
        return one.digest() < self._bound

    def kept(self, keys: Sequence[str]) -> list[int]:
        """Places of those whose rows are kept. Asks as `keeps` does, without a call for each."""
        begun, bound, found = self._begun, self._bound, []
        for place, key in enumerate(keys):
            one = begun.copy()
            one.update(key.encode())
            if one.digest() < bound:
                found.append(place)
        return found
