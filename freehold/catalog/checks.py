"""Which data was held against which contract.

Fact
  contract.checked {contract, name, artifact, passed, report, rows}
`contract`, `artifact` and `report` are digests; the report is a JSON artifact without samples.
`name` is the suite's, and is left out when it is more than a plain code.
"""

from collections.abc import Iterable
from typing import Any

from freehold.domain.fact import Fact
from freehold.domain.projection import Change, Projection, State

TABLE = "checks"


def check_of(state: State, contract: str, artifact: str) -> dict[str, Any] | None:
    """Body of the latest fact about these two digests, with the fact's name."""
    row: dict[str, Any] | None = state.get(TABLE, f"{artifact}/{contract}")
    return row


def _fold(fact: Fact, _: State) -> Iterable[Change]:
    key = f"{fact.body['artifact']}/{fact.body['contract']}"
    return [Change(TABLE, key, {**fact.body, "fact": fact.name})]


projection = Projection(name="checks", version=1, types=frozenset({"contract.checked"}), fold=_fold)
