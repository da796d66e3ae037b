"""Which release of Freehold each log's writer runs.

Facts
  site.opened  {site, key, freehold}   the first of a log; without `freehold` from releases that did
               not say it
  site.updated {freehold}              another release writes this log from here on

Table `installed`, by writer: the release, as its package is numbered.
"""

from collections.abc import Iterable

from freehold.domain.fact import Draft, Fact
from freehold.domain.projection import Change, Projection, State

INSTALLED = "installed"


def told(state: State, writer: str, running: str) -> list[Draft]:
    """What `writer` has to record so that others know which release it runs; empty if they do."""
    if state.get(INSTALLED, writer) == running:
        return []
    return [Draft("site.updated", {"freehold": running})]


def installed(state: State) -> dict[str, str]:
    """Writer → release, of all that say it."""
    return dict(state.scan(INSTALLED))


def _fold(fact: Fact, _: State) -> Iterable[Change]:
    if "freehold" in fact.body:
        yield Change(INSTALLED, fact.writer, str(fact.body["freehold"]))


projection = Projection(
    name="installed",
    version=1,
    types=frozenset({"site.opened", "site.updated"}),
    fold=_fold,
)
