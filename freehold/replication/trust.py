"""Whose history is believed.

Facts
  site.trusted  {site, key}              a person believes a key, at the writer's own site only
  key.replaced  {site, key}              the site whose log it stands in goes on with another key;
                of a log, the first one counts: whoever has the old key later gives nothing away
  log.accused   {writer, code, earlier, later, seen_by}   two signed checkpoints that contradict
                each other, or one that contradicts what a fact says it saw
  log.witnessed {}                       nothing but the heads in its envelope
  log.continued {left, kept, known}   the log that this one goes on from, how many of its entries
                were kept, and how many the world knew; what was cut off stands before this fact

Tables: `trusted`, by `site that trusts/site/key`; `handed_over`, by `site/key`; `replaced`, by
writer of the log that was handed over; `accused`, by writer and code.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from freehold.domain.fact import Fact, site_of, writer_name
from freehold.domain.projection import Change, Projection, State
from freehold.domain.signature import PublicKey

TRUSTED, HANDED_OVER, ACCUSED = "trusted", "handed_over", "accused"
REPLACED = "replaced"
_NUMBER = re.compile(r"[0-9]{1,6}")
"""Anybody who writes to a store can make up a name there; a longer number is none of ours."""
_LAST = 999_999


@dataclass(frozen=True)
class Stranger:
    """A log that is in a store and that nobody told this site to believe."""

    writer: str
    site: str
    key: str
    """Fingerprint; empty where the store offers none that fits the log's name."""


def next_writer(writer: str, known: Iterable[str]) -> str:
    """The name of the log in which this one is gone on with: `onprem-1a2b3c4d.2`."""
    stem = writer.partition(".")[0]
    numbers = {1}
    for other in (writer, *known):
        name, _, number = other.partition(".")
        if name == stem and _NUMBER.fullmatch(number):
            numbers.add(int(number))
    following = max(numbers) + 1
    if following > _LAST:  # no site gets there: somebody else left that name in a store
        following = next(one for one in range(2, _LAST + 2) if one not in numbers)
    return f"{stem}.{following}"


def believed(
    state: State,
    own_site: str,
    writer: str,
    pinned: Sequence[str],
    offered: Iterable[PublicKey],
) -> PublicKey | None:
    """The key by which a log is to be verified, or None.

    `pinned`: fingerprints that the project file lists for the site. `offered`: what the stores
    have; the name of a log says which of them it can be.
    """
    site = site_of(writer)
    for key in fitting(writer, offered):
        known = (
            key.fingerprint in pinned
            or state.get(TRUSTED, f"{own_site}/{site}/{key.fingerprint}") is not None
            or state.get(HANDED_OVER, f"{site}/{key.fingerprint}") is not None
        )
        if known:
            return key
    return None


def fitting(writer: str, offered: Iterable[PublicKey]) -> Iterator[PublicKey]:
    """Those keys that a log of this name can be signed with."""
    stem = writer.partition(".")[0]
    return (key for key in offered if writer_name(site_of(writer), key.fingerprint) == stem)


def accused(state: State) -> list[dict[str, Any]]:
    return [row for _, row in state.scan(ACCUSED)]


def _fold(fact: Fact, state: State) -> Iterable[Change]:
    body = fact.body
    match fact.type:
        case "site.trusted":
            key = f"{site_of(fact.writer)}/{body['site']}/{body['key']}"
            return [Change(TRUSTED, key, {"fact": fact.name})]
        case "key.replaced" if body["site"] == site_of(fact.writer):
            if state.get(REPLACED, fact.writer) is not None:
                return []
            key = f"{body['site']}/{body['key']}"
            return [
                Change(HANDED_OVER, key, {"fact": fact.name}),
                Change(REPLACED, fact.writer, {"key": body["key"]}),
            ]
        case "log.accused":
            key = f"{body['writer']}/{body['code']}"
            row = state.get(ACCUSED, key) or {**body, "by": []}
            return [Change(ACCUSED, key, {**row, "by": [*row["by"], site_of(fact.writer)]})]
    return []


projection = Projection(
    name="trust",
    version=2,
    types=frozenset({"key.replaced", "log.accused", "site.trusted"}),
    fold=_fold,
)
