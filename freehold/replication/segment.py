"""A stretch of a log as one immutable object: gzip (RFC 1952) of lines, an entry each.

Whoever can write to a store can put anything there, so reading is bounded by what the name claims
before anything is unpacked.
"""

import zlib
from collections.abc import Sequence
from hashlib import sha256

import orjson

from freehold.domain.errors import Refused
from freehold.domain.fact import Fact
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.ordering import seen_size
from freehold.replication.fault import NotBelieved
from freehold.replication.layout import SegmentName

SEGMENT_TARGET = 8 * 1024 * 1024
"""Bytes before compression at which a segment is full."""
ENTRY_LIMIT = 16 * 1024 * 1024
"""Bytes of one entry."""
SEGMENT_LIMIT = SEGMENT_TARGET + ENTRY_LIMIT
"""Bytes of a segment, before and after compression."""
_SHORTEST_ENTRY = 64
"""Bytes; the envelope alone has more."""
_GZIP = 16 + zlib.MAX_WBITS
_FAST = 1


def pack_lines(writer: str, first: int, lines: Sequence[bytes]) -> tuple[SegmentName, bytes]:
    """Raises Refused `log.entry-too-large`."""
    for sequence, line in enumerate(lines, first):
        if len(line) > ENTRY_LIMIT:
            raise Refused(
                f"entry {writer}/{sequence} is too large to travel",
                why=f"it has {len(line)} bytes, and {ENTRY_LIMIT} are the limit",
                hint="record large values as artifacts, and their digests in facts",
                code="log.entry-too-large",
            )
    deflater = zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP)
    data = deflater.compress(b"\n".join(lines) + b"\n") + deflater.flush()
    return SegmentName(writer, first, first + len(lines), sha256(data).hexdigest()), data


def unpack_lines(name: SegmentName, data: bytes) -> list[bytes]:
    """The lines of a segment whose bytes are those that its name claims. Raises NotBelieved."""
    if sha256(data).hexdigest() != name.digest:
        raise NotBelieved("segment.corrupt", "its bytes have another digest than its name says")
    limit = min(name.count * (ENTRY_LIMIT + 1), SEGMENT_LIMIT)
    inflater = zlib.decompressobj(_GZIP)
    try:
        raw = inflater.decompress(data, limit + 1)
    except zlib.error as exc:
        raise NotBelieved("segment.corrupt", f"it is not gzip: {exc}") from exc
    if len(raw) > limit:
        raise NotBelieved("segment.too-large", f"it unpacks to more than {limit} bytes")
    if not inflater.eof or inflater.unused_data:
        raise NotBelieved("segment.corrupt", "it is cut off, or something follows it")
    if raw.count(b"\n") != name.count or not raw.endswith(b"\n"):
        raise NotBelieved("segment.corrupt", f"it does not have {name.count} lines")
    if len(raw) < name.count * _SHORTEST_ENTRY:
        raise NotBelieved("segment.corrupt", "its lines are too short for entries")
    lines = raw.split(b"\n")
    lines.pop()
    return lines


def check_entry(line: bytes, writer: str, sequence: int, after: HybridTime | None) -> HybridTime:
    """The time of an entry that is a canonical fact in its place. Raises NotBelieved."""
    try:
        fact = Fact.from_json(orjson.loads(line))
        encoded = fact.encoded()
        for head in fact.seen.values():
            seen_size(head)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as exc:
        raise NotBelieved("entry.wrong", f"entry {sequence} is not a fact: {exc}") from exc
    if encoded != line:
        raise NotBelieved("entry.wrong", f"entry {sequence} is not in canonical form")
    if fact.writer != writer or fact.sequence != sequence:
        raise NotBelieved("entry.wrong", f"where {writer}/{sequence} should be, {fact.name} is")
    if writer in fact.seen or any(type(name) is not str for name in fact.cause):
        raise NotBelieved("entry.wrong", f"entry {sequence} has a wrong cause or saw itself")
    if after is not None and fact.time <= after:
        raise NotBelieved("entry.wrong", f"entry {sequence} is not later than the one before it")
    return fact.time
