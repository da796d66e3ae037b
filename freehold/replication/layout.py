"""Names in a meeting store. What is no name of ours is passed over, never an error.

logs/WRITER/site.pub                            the public key, PEM
logs/WRITER/segments/FIRST-STOP-DIGEST.jsonl.gz entries FIRST to before STOP, one line each
logs/WRITER/heads/SIZE-DIGEST.json              a signed checkpoint, canonical JSON
packs/DIGEST.zip, packs/DIGEST.parquet          small artifacts and where each lies
artifacts/sha256/ab/DIGEST                      an artifact by itself

Numbers have 16 digits, so that names sort as numbers do. DIGEST is the SHA-256 of the stored bytes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from freehold.ports.object_store import ObjectStore

LOGS = "logs/"
PACKS = "packs/"
ARTIFACTS = "artifacts/sha256/"
_WRITER = r"(?P<writer>(?!\.{1,2}/)[A-Za-z0-9._=-]{1,200})"
_DIGEST = r"(?P<digest>[0-9a-f]{64})"
_SEGMENT = re.compile(
    rf"logs/{_WRITER}/segments/(?P<first>[0-9]{{16}})-(?P<stop>[0-9]{{16}})-{_DIGEST}\.jsonl\.gz"
)
_HEAD = re.compile(rf"logs/{_WRITER}/heads/(?P<size>[0-9]{{16}})-{_DIGEST}\.json")
_OF_LOG = re.compile(rf"logs/{_WRITER}/")
_PACK = re.compile(rf"packs/{_DIGEST}\.zip")


@dataclass(frozen=True, order=True)
class SegmentName:
    writer: str
    first: int
    """Sequence of the first entry."""
    stop: int
    """Sequence after the last entry."""
    digest: str
    """Hexadecimal SHA-256 of the stored, compressed bytes."""

    @property
    def key(self) -> str:
        folder = segments_folder(self.writer)
        return f"{folder}{self.first:016d}-{self.stop:016d}-{self.digest}.jsonl.gz"

    @property
    def count(self) -> int:
        return self.stop - self.first

    @classmethod
    def parse(cls, key: str) -> "SegmentName | None":
        found = _SEGMENT.fullmatch(key)
        if found is None or int(found["first"]) >= int(found["stop"]):
            return None
        return cls(found["writer"], int(found["first"]), int(found["stop"]), found["digest"])


@dataclass(frozen=True, order=True)
class HeadName:
    writer: str
    size: int
    digest: str

    @property
    def key(self) -> str:
        return f"{heads_folder(self.writer)}{self.size:016d}-{self.digest}.json"

    @classmethod
    def parse(cls, key: str) -> "HeadName | None":
        found = _HEAD.fullmatch(key)
        return found and cls(found["writer"], int(found["size"]), found["digest"])


def log_folder(writer: str) -> str:
    return f"{LOGS}{writer}/"


def segments_folder(writer: str) -> str:
    return f"{LOGS}{writer}/segments/"


def heads_folder(writer: str) -> str:
    return f"{LOGS}{writer}/heads/"


def public_key_name(writer: str) -> str:
    return f"{LOGS}{writer}/site.pub"


def heads_above(writer: str, size: int) -> str:
    """What to list after, for heads of more than `size` entries: `.` sorts after `-`."""
    return f"{heads_folder(writer)}{size:016d}."


def pack_key(digest: str) -> str:
    return f"{PACKS}{digest}.zip"


def pack_index_key(digest: str) -> str:
    return f"{PACKS}{digest}.parquet"


def pack_of(key: str) -> str | None:
    """The digest in a pack's name."""
    found = _PACK.fullmatch(key)
    return found and found["digest"]


def writers(store: ObjectStore) -> Iterator[str]:
    """Of all logs in a store, in the order of their keys; one listing for each."""
    after = ""
    while (key := next(iter(store.keys(LOGS, after)), None)) is not None:
        found = _OF_LOG.match(key)
        if found is None:
            after = key
            continue
        yield found["writer"]
        after = f"{LOGS}{found['writer']}0"  # the character that follows the slash
