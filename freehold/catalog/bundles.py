"""Bundles that were made for places without a network, and what came back from there.

Facts
  bundle.made {site, model, version, package, number, manifest}
  bundle.told {site, model, digest, kind, about}

`site` is the place that a bundle is for, not who made it; `manifest` the digest of its signed list
of files. `digest` is that of the file that came back, by which it is known again; `kind` is
`event`, `replica` or `state`, and `about` has numbers and codes:
  event    what an endpoint spools, with its `type`
  replica  {name, start, beat, ended, seconds}
  state    {box, number, files, bytes, at}: what a box has dropped so far for want of room

Tables: `bundles`, by site, model and number: the body; `bundle_numbers`, by site and model: the
greatest; `bundle_manifests`, by digest; `bundle_told`, by site, model and digest; `bundle_states`,
by site, model and box: the newest.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from freehold.domain.fact import Fact
from freehold.domain.numbering import ALONE, Numbering
from freehold.domain.projection import Change, Projection, State

TABLE = "bundles"
NUMBERS = "bundle_numbers"
MANIFESTS = "bundle_manifests"
TOLD = "bundle_told"
STATES = "bundle_states"


@dataclass(frozen=True)
class MadeBundle:
    site: str
    model: str
    version: int
    package: str
    """Digest of the payload."""
    number: int
    manifest: str
    """Digest."""


def bundles_of(state: State, site: str = "", model: str = "") -> Iterator[MadeBundle]:
    """By site, model and number; of every model and site if none is named."""
    prefix = f"{site}/{model}/" if site and model else f"{site}/" if site else ""
    for _, row in state.scan(TABLE, prefix):
        yield MadeBundle(**row)


def next_number(state: State, site: str, model: str, numbering: Numbering = ALONE) -> int:
    """Another site's key may number bundles for the same place: the numbers never meet."""
    row = state.get(NUMBERS, f"{site}/{model}")
    return numbering.after(0 if row is None else int(row["number"]))


def is_made(state: State, manifest: str) -> bool:
    """Whether a manifest of this digest was made by somebody whose history is known here."""
    return state.get(MANIFESTS, manifest) is not None


def is_told(state: State, site: str, model: str, digest: str) -> bool:
    return state.get(TOLD, f"{site}/{model}/{digest}") is not None


def states_of(state: State, site: str, model: str) -> Iterator[Mapping[str, Any]]:
    """What each box said last of itself."""
    for _, row in state.scan(STATES, f"{site}/{model}/"):
        yield row


def _fold(fact: Fact, state: State) -> Iterable[Change]:
    body = fact.body
    place = f"{body['site']}/{body['model']}"
    if fact.type == "bundle.made":
        number = int(body["number"])
        before = state.get(NUMBERS, place) or {"number": 0}
        yield Change(TABLE, f"{place}/{number:08d}", dict(body))
        yield Change(NUMBERS, place, {"number": max(number, before["number"])})
        yield Change(MANIFESTS, body["manifest"], {"fact": fact.name})
        return
    yield Change(TOLD, f"{place}/{body['digest']}", {"fact": fact.name})
    if body["kind"] == "state":
        about = body["about"]
        key = f"{place}/{about['box']}"
        before = state.get(STATES, key)
        if before is None or before["at"] <= about["at"]:
            yield Change(STATES, key, dict(about))


projection = Projection(
    name="bundles",
    version=1,
    types=frozenset({"bundle.made", "bundle.told"}),
    fold=_fold,
)
