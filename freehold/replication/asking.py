"""What people asked to have at a site.

Fact
  artifact.wanted {site, digests}

Table `wanted`, by `site/digest`: the fact's name. What was asked for stays asked for, so that it
comes back when it was lost; retention decides when it goes.
"""

from collections.abc import Iterable

from freehold.domain.fact import Fact
from freehold.domain.projection import Change, Projection, State

WANTED = "wanted"


def asked_for(state: State, site: str) -> set[str]:
    """Digests."""
    return {key.partition("/")[2] for key, _ in state.scan(WANTED, f"{site}/")}


def _fold(fact: Fact, _: State) -> Iterable[Change]:
    site = fact.body["site"]
    return [Change(WANTED, f"{site}/{one}", {"fact": fact.name}) for one in fact.body["digests"]]


projection = Projection(name="asking", version=1, types=frozenset({"artifact.wanted"}), fold=_fold)
