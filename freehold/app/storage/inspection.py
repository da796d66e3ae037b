"""What a survey says, in figures; and why one object stays or goes."""

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from freehold.app.model.naming import resolve
from freehold.app.site.opening import Site
from freehold.app.storage.survey import Survey, survey
from freehold.catalog.retention.judgement import Judged as Judged
from freehold.catalog.retention.law import REASONS
from freehold.domain.errors import NotFound, WrongUsage

_DIGEST = re.compile(r"sha256:[0-9a-f]{8,64}")
Row = tuple[str, int, int]
"""What, how many, bytes."""


def going(seen: Survey) -> list[Row]:
    """By kind, what a collection would remove now."""
    rows = [(one.kind, one.bytes) for one in seen.going]
    return _summed([*rows, *(("request log", part.bytes) for part in seen.parts_going)])


def kept(seen: Survey) -> list[Row]:
    """By reason, in the order of the law; attachments last."""
    rows = [(one.reason or "", one.bytes) for one in seen.objects if one.verdict == "kept"]
    rows += [(p.standing.reason, p.bytes) for p in seen.parts if p.standing.reason is not None]
    order = {reason: rank for rank, reason in enumerate(REASONS)}
    found = sorted(_summed(rows), key=lambda row: order[row[0]])  # type: ignore[index]
    return [*found, ("attachment", *seen.attachments)] if seen.attachments[0] else found


def waiting(seen: Survey) -> list[Row]:
    """By kind, what nothing refers to, and was noted too recently."""
    return _summed((one.kind, one.bytes) for one in seen.objects if one.verdict == "waits")


def as_json(seen: Survey) -> dict[str, Any]:
    return {
        "goes": [_row("kind", row) for row in going(seen)],
        "waits": [_row("kind", row) for row in waiting(seen)],
        "kept": [_row("reason", row) for row in kept(seen)],
        "under_way": list(seen.under_way),
    }


def explain(site: Site, digest: str) -> Judged:
    """Of one artifact, by its digest or the beginning of it, or of a version's package by its
    name. Raises WrongUsage, NotFound."""
    if "@" in digest:
        digest = resolve(site, digest).package
    return find(survey(site).objects, digest)


def find(objects: Iterable[Judged], digest: str) -> Judged:
    """Raises WrongUsage `usage.digest`, NotFound `storage.unknown-digest`."""
    if not _DIGEST.fullmatch(digest):
        raise WrongUsage(
            f"'{digest}' is no digest",
            why="a digest is sha256: and at least the first 8 of its 64 hexadecimal digits",
            hint="`freehold models` and `freehold why` show digests",
            code="usage.digest",
        )
    found = [one for one in objects if one.digest.startswith(digest) and one.kind != "result"]
    if not found:
        raise NotFound(
            f"no object {digest} is in this site's store",
            why="it was never here, or it has gone",
            hint="`freehold gc --dry-run` shows what is here",
            code="storage.unknown-digest",
        )
    if len(found) > 1:
        raise WrongUsage(
            f"{len(found)} digests begin with {digest}",
            why="which of them is meant?",
            hint="write more of its digits",
            code="usage.digest",
        )
    return found[0]


def spoken(what: str) -> str:
    """A reason with what it means; a kind as it is."""
    for reason, meaning in REASONS.items():
        if reason == what:
            return f"{reason}: {meaning}"
    return {"attachment": "attachment: `audit erase` is the way for it to go"}.get(what, what)


def sentence(one: Judged) -> str:
    """Why it stays or goes, for people."""
    if one.verdict == "goes":
        return "goes with the next `freehold gc`: nothing refers to it"
    by = f" ({one.by})" if one.by else ""
    if one.verdict == "waits":
        return f"waits: {REASONS['noted too recently']}"
    return f"stays: {REASONS[one.reason] if one.reason else ''}{by}"


def object_as_json(one: Judged) -> dict[str, Any]:
    return {
        "shape": 1,
        "digest": one.digest,
        "key": one.key,
        "bytes": one.bytes,
        "kind": one.kind,
        "verdict": one.verdict,
        "reason": one.reason,
        "by": one.by,
        "noted": None
        if one.noted is None
        else datetime.fromtimestamp(one.noted / 1e6, UTC).isoformat(timespec="seconds"),
    }


def _summed(rows: Iterable[tuple[str, int]]) -> list[Row]:
    found: dict[str, list[int]] = defaultdict(list)
    for name, size in rows:
        found[name].append(size)
    return [(name, len(sizes), sum(sizes)) for name, sizes in sorted(found.items())]


def _row(name: str, row: Row) -> dict[str, Any]:
    return {name: row[0], "objects": row[1], "bytes": row[2]}
