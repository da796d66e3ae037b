"""What becomes of each object of a store: kept, waiting, or gone.

An object is looked at twice: it is noted when nothing refers to it, and goes when that is still so
a grace period later. What has been put and is not named by a fact yet is safe meanwhile.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from freehold.catalog.retention.law import Reason, Standing

HOUR = 3_600_000_000
"""Microseconds."""
ARTIFACTS, RESULTS = "artifacts/", "results/"
PREFIXES = (ARTIFACTS, RESULTS)
"""Keys that are judged. Whatever else lies in a store is none of this room's."""
_KEY = re.compile(r"(?:artifacts/(\w+)/[0-9a-f]{2}/([0-9a-f]+)|results/(\w+)/([0-9a-f]+))")
Verdict = Literal["kept", "waits", "goes"]


@dataclass(frozen=True)
class StoredObject:
    key: str
    bytes: int


@dataclass(frozen=True)
class Judged:
    key: str
    digest: str
    bytes: int
    kind: str
    """As in Standing, or `result` or `unnamed`."""
    verdict: Verdict
    reason: Reason | None
    """None if it goes."""
    by: str
    noted: int | None
    """When it was first seen that nothing refers to it; None if something does."""


@dataclass(frozen=True, kw_only=True)
class Docket:
    """What objects are judged by."""

    standings: Mapping[str, Standing]
    """By digest."""
    noted: Mapping[str, int]
    """By key, what earlier looks have noted; microseconds since 1970 UTC."""
    now: int
    grace_hours: int
    open_since: Mapping[str, int]
    """Open runs, and when each began."""


def judge(objects: Iterable[StoredObject], docket: Docket) -> Iterator[Judged]:
    """In their order. A key that does not name a digest as ours do is left out, and so stays."""
    runs = sorted((began, run) for run, began in docket.open_since.items())
    oldest = runs[0] if runs else None
    for one in objects:
        digest, is_result = digest_of(one.key)
        if digest:
            standing = None if is_result else docket.standings.get(digest)
            kind = "result" if is_result else standing.kind if standing else ""
            yield _judged(one, digest, kind or "unnamed", standing, docket, oldest)


def _judged(
    one: StoredObject,
    digest: str,
    kind: str,
    standing: Standing | None,
    docket: Docket,
    oldest: tuple[int, str] | None,
) -> Judged:
    if standing is not None and standing.reason is not None:
        told = (standing.reason, standing.by)
        return Judged(one.key, digest, one.bytes, kind, "kept", *told, None)
    # A clock that was set back must not make the past of a note longer.
    noted = min(docket.noted.get(one.key, docket.now), docket.now)
    if standing is None and oldest is not None and oldest[0] <= noted:
        reason: Reason = "may belong to an open run"
        return Judged(one.key, digest, one.bytes, kind, "kept", reason, oldest[1], noted)
    if docket.now - noted < docket.grace_hours * HOUR or one.key not in docket.noted:
        waits: Reason = "noted too recently"
        return Judged(one.key, digest, one.bytes, kind, "waits", waits, "", noted)
    return Judged(one.key, digest, one.bytes, kind, "goes", None, "", noted)


def digest_of(key: str) -> tuple[str, bool]:
    """The digest that a key names, and whether it is the result of the manifest so named; empty
    for any other key."""
    found = _KEY.fullmatch(key)
    if found is None:
        return "", False
    algorithm, hexadecimal = found[1] or found[3], found[2] or found[4]
    return f"{algorithm}:{hexadecimal}", found[1] is None
