"""How a budget stands, and whether a plan passes it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from freehold.costs.forecast import Forecast
from freehold.domain.project import BudgetSpec

State = Literal["within", "warned", "passed"]
Answer = Literal["fits", "refused", "ask"]


@dataclass(frozen=True)
class Standing:
    """A budget in one calendar month."""

    name: str
    spec: BudgetSpec
    currency: str
    month: str
    """`2026-11`."""
    spent: float
    committed: float
    """What plans that are under way are still expected to spend."""
    forecast: Forecast
    unpriced: int = 0
    """Rows whose price is not known: they count as nothing, and so the figures are too low."""
    elsewhere: int = 0
    """Rows in another currency: they are not counted."""
    absent: int = 0
    """Bills that lie at other sites: they are not counted."""

    @property
    def used(self) -> float:
        return self.spent + self.committed

    @property
    def state(self) -> State:
        if self.used >= self.spec.limit:
            return "passed"
        return "warned" if self.used >= self.spec.warn * self.spec.limit else "within"

    @property
    def will_pass(self) -> bool | None:
        """Whether the month's forecast is above the limit; None where there is none."""
        expected = self.forecast.expected
        return None if expected is None else expected > self.spec.limit

    def as_json(self) -> dict[str, Any]:
        return {
            "absent_bills": self.absent,
            "budget": self.name,
            "committed": self.committed,
            "currency": self.currency,
            "filters": filters_of(self.spec),
            "forecast": self.forecast.as_json(),
            "limit": self.spec.limit,
            "month": self.month,
            "other_currency_rows": self.elsewhere,
            "spent": self.spent,
            "state": self.state,
            "then": self.spec.then,
            "unpriced_rows": self.unpriced,
            "warn": self.spec.warn,
            "will_pass": self.will_pass,
        }


def filters_of(spec: BudgetSpec) -> dict[str, str]:
    """Tags that a budget asks for; of none, it is the whole project's."""
    named = {"model": spec.model, "team": spec.team}
    return {**spec.tag, **{name: value for name, value in named.items() if value}}


def covers(spec: BudgetSpec, tags: Mapping[str, str]) -> bool:
    """Whether what has these tags is spent from this budget."""
    return all(tags.get(name) == value for name, value in filters_of(spec).items())


@dataclass(frozen=True)
class Charge:
    """What something to be done is expected to cost."""

    tags: Mapping[str, str]
    money: float | None
    """None where nobody knows."""


def share_of(spec: BudgetSpec, charges: Iterable[Charge]) -> float | None:
    """Money of those that this budget pays; None if it pays one whose cost is not known."""
    paid = [one.money for one in charges if covers(spec, one.tags)]
    known = [money for money in paid if money is not None]
    return sum(known) if len(known) == len(paid) else None


def question(standing: Standing, charges: Sequence[Charge]) -> dict[str, Any]:
    """What policies are asked about a plan that would pass a limit: whether a person may be asked
    to allow it (`budgets.NAME.policies`). What is denied is refused.

    Version 1 (`freehold: 1`). `filters`: tag → value, what the budget pays; `adds`: money that the
    plan adds to it, null where nobody knows; `charges`: all that the plan would spend;
    `budget.forecast`: of the whole month, null while there is none.
    """
    return {
        "freehold": 1,
        "question": "budget",
        "budget": {
            "name": standing.name,
            "limit": standing.spec.limit,
            "currency": standing.currency,
            "month": standing.month,
            "spent": standing.spent,
            "committed": standing.committed,
            "forecast": standing.forecast.expected,
        },
        "filters": filters_of(standing.spec),
        "adds": share_of(standing.spec, charges),
        "charges": [{"tags": dict(one.tags), "money": one.money} for one in charges],
    }


def answer(standing: Standing, charges: Iterable[Charge]) -> Answer:
    """What a budget says to a plan: `ask` where a person's word, or a policy's, is wanted first.

    It fits where the limit is not passed with it. What costs nothing fits always. Where the cost is
    not known it fits as long as the limit is not reached.
    """
    share = share_of(standing.spec, charges)
    if share is None:
        fits = standing.used < standing.spec.limit
    else:
        fits = share == 0 or standing.used + share <= standing.spec.limit
    if fits:
        return "fits"
    return "ask" if standing.spec.then == "approve" else "refused"
