"""The question that policies are asked about a plan that would pass a budget's limit.

May a person be asked to allow it (`budgets.NAME.policies`), version 1 (`freehold: 1`); what is
denied is refused:

    question    "budget"
    budget      {name, limit, currency, month, spent, committed, forecast}
                forecast: of the whole month, null while there is none
    filters     tag → value: what the budget pays
    adds        money that the plan adds to it, null where nobody knows
    charges     [{tags, money}]: all that the plan would spend, each with its tags
"""

from collections.abc import Iterable, Mapping
from typing import Any

SHAPE = 1


def budget_input(
    budget: Mapping[str, Any],
    filters: Mapping[str, str],
    adds: float | None,
    charges: Iterable[tuple[Mapping[str, str], float | None]],
) -> dict[str, Any]:
    return {
        "freehold": SHAPE,
        "question": "budget",
        "budget": dict(budget),
        "filters": dict(filters),
        "adds": adds,
        "charges": [{"tags": dict(tags), "money": money} for tags, money in charges],
    }
