"""Blocks of headers (HPACK, RFC 7541): those that come are read, those that go are written plainly.

A client sends the same block again and again once its names and values stand in the table that both
sides keep. So what was read is kept by its bytes, as long as that table stays as it is.
"""

from collections.abc import Iterable, Mapping
from operator import is_

from hpack import Decoder, HPACKError, OversizedHeaderListError

from freehold.endpoint.grpc.frames import COMPRESSION_ERROR, ENHANCE_YOUR_CALM, Fault

LIST_BYTES = 16 * 2**10
"""Of all names and values of a block, as RFC 9113 counts them (section 6.5.2)."""
_KEPT, _KEPT_BYTES, _KEPT_NAMES = 64, 1024, 32
"""Blocks; of each."""
OK = b"\x88"
""":status 200."""
SMALLER_TABLE = b"\x20"
"""That nothing is kept of what is written."""
_OTHER_TABLE = 0x20
"""Begins a block that changes how much is kept of what is read."""

Headers = Mapping[bytes, bytes]
"""By lower-case name; of a name that comes again, the last."""


class HeaderReader:
    """Of one connection."""

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=LIST_BYTES)
        self._known: dict[bytes, Headers] = {}

    def read(self, block: bytes) -> Headers:
        """Raises Fault: without this block the table is of no use for those that follow."""
        known = self._known.get(block)
        if known is not None:
            return known
        before = tuple(self._decoder.header_table.dynamic_entries)
        try:
            found = {
                bytes(name): bytes(value) for name, value in self._decoder.decode(block, raw=True)
            }
        except OversizedHeaderListError as exc:
            raise Fault(ENHANCE_YOUR_CALM, f"headers of more than {LIST_BYTES} bytes") from exc
        except HPACKError as exc:
            raise Fault(COMPRESSION_ERROR, "headers that cannot be read") from exc
        after = tuple(self._decoder.header_table.dynamic_entries)
        # Each by itself: one that is put in again, as it would be each time, is another. Where the
        # table's size changes, what did not go into it may do so from then on.
        is_other = len(before) != len(after) or not all(map(is_, before, after))
        if is_other or (block and block[0] & 0xE0 == _OTHER_TABLE):
            self._known.clear()
        elif len(block) <= _KEPT_BYTES and len(found) <= _KEPT_NAMES and len(self._known) < _KEPT:
            self._known[block] = found
        return found


def block_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Neither side has to remember anything of it."""
    return b"".join(
        b"\x00" + _length(name) + name + _length(value) + value for name, value in headers
    )


def _length(text: bytes) -> bytes:
    """As an integer with a prefix of seven bits (section 5.1)."""
    left = len(text)
    if left < 127:
        return bytes((left,))
    told, left = bytearray((127,)), left - 127
    while left >= 128:
        told.append(left % 128 + 128)
        left //= 128
    told.append(left)
    return bytes(told)
