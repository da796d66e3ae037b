"""Plans that were carried out.

Facts
  plan.applied {pipeline, plan, assumed, currency, money, carbon, seconds, steps, lowered}
    plan: digest of the plan; money, carbon, seconds: the estimate, or null where nothing was
    placed; steps: by step, action, place and estimate (null where it was not placed); lowered: by
    step, the labels that a policy consented to lower. The run follows from it. Its parameters are
    the run's: some are text and so stand in no fact.

Tables: `applied_plans`, by pipeline: the latest in the common order, with the fact's name;
`applied_estimates`, by fact: assumed, pipeline, plan, currency, money, carbon, seconds of each,
and the site where it was applied.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from freehold.domain.fact import Fact, site_of
from freehold.domain.projection import Change, Projection, State

APPLIED = "plan.applied"
TABLE = "applied_plans"
ESTIMATES = "applied_estimates"
_ESTIMATE = ("assumed", "carbon", "currency", "money", "pipeline", "plan", "seconds")


def _fold(fact: Fact, _: State) -> Iterable[Change]:
    yield Change(TABLE, str(fact.body["pipeline"]), {**fact.body, "fact": fact.name})
    row = {name: fact.body[name] for name in _ESTIMATE}
    yield Change(ESTIMATES, fact.name, {**row, "site": site_of(fact.writer)})


projection = Projection(name="applied_plans", version=3, types=frozenset({APPLIED}), fold=_fold)


def last_applied(state: State, pipeline: str) -> dict[str, Any] | None:
    row: dict[str, Any] | None = state.get(TABLE, pipeline)
    return row


def as_plan(row: Mapping[str, Any]) -> dict[str, Any]:
    """What `comparison.compare` asks of a plan's JSON."""
    totals = {name: row[name] for name in ("money", "carbon", "seconds")}
    return {
        "assumed": row["assumed"],
        "placement": None if row["money"] is None else totals,
        "steps": [{"step": step, **one} for step, one in row["steps"].items()],
    }


def estimate_of(state: State, causes: Iterable[str]) -> dict[str, Any] | None:
    """What the plan that is among the causes of a run said; None if none is."""
    for name in causes:
        row: dict[str, Any] | None = state.get(ESTIMATES, name)
        if row is not None:
            return row
    return None
