"""A large object goes up as parts, which the service composes."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from freehold.adapters.gcs.bucket import Bucket
from freehold.ports.object_store import Moved
from freehold.ports.remote_store import PART, PARTS_AT_ONCE

_COMPOSED = 32
"""Objects that one call may compose; twice in a row, 1024."""
_FOLDER = "~arriving"
"""No key has a tilde."""


def upload_by_parts(bucket: Bucket, key: str, path: Path, moved: Moved) -> None:
    """The object appears whole; the parts are gone afterwards, unless the process was killed."""
    size = path.stat().st_size
    step = max(PART, -(-size // _COMPOSED**2))
    folder = f"{_FOLDER}/{uuid.uuid4().hex}"
    parts = [f"{folder}/{number:04d}" for number in range(-(-size // step))]
    groups = [parts[at : at + _COMPOSED] for at in range(0, len(parts), _COMPOSED)]
    joined = [f"{folder}/joined-{number:02d}" for number in range(len(groups))]

    def send(number: int) -> int:
        with path.open("rb") as file:
            file.seek(number * step)
            data = file.read(step)
        bucket.put(parts[number], data)
        return len(data)

    try:
        with ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
            for count in pool.map(send, range(len(parts))):
                moved(count)
        if len(groups) == 1:
            bucket.compose(key, parts)
        else:
            for name, group in zip(joined, groups, strict=True):
                bucket.compose(name, group)
            bucket.compose(key, joined)
    finally:
        for name in [*parts, *(joined if len(groups) > 1 else [])]:
            bucket.drop(name)
