"""Plans that would pass a budget, and people's words about them.

Facts
  budget.asked    {budget, plan, month, currency, limit, used, share}   share: what the plan would
                  spend of it, or null where that is not known
  budget.approved {request, month}
  budget.rejected {request, month}
A request's name is `budget/NAME/` and the first digits of the plan's digest. A word holds for that
plan in that month; the first one holds.

Table `budget_requests`, by month and request.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from freehold.domain.errors import Conflict
from freehold.domain.fact import Draft, Fact
from freehold.domain.projection import Change, Projection, State

TABLE = "budget_requests"
_DIGITS = 12
Standing = Literal["asked", "approved", "rejected"]


@dataclass(frozen=True)
class BudgetRequest:
    budget: str
    plan: str
    """Digest."""
    month: str
    """`2026-11`."""
    currency: str
    limit: float
    used: float
    """Spent and committed when it was asked."""
    share: float | None
    standing: Standing = "asked"
    fact: str = ""
    """Name of the fact that asked."""
    word: str = ""
    """Name of the fact that approved or rejected."""

    @property
    def name(self) -> str:
        return request_name(self.budget, self.plan)

    @property
    def asking(self) -> Draft:
        told = asdict(self)
        body = {name: told[name] for name in told if name not in ("standing", "fact", "word")}
        return Draft("budget.asked", body)


def request_name(budget: str, plan: str) -> str:
    return f"budget/{budget}/{plan.removeprefix('sha256:')[:_DIGITS]}"


def request_of(state: State, month: str, name: str) -> BudgetRequest | None:
    row = state.get(TABLE, f"{month}/{name}")
    return None if row is None else BudgetRequest(**row)


def requests_of(state: State, month: str = "") -> Iterator[BudgetRequest]:
    """By month and name."""
    return (BudgetRequest(**row) for _, row in state.scan(TABLE, f"{month}/" if month else ""))


def word(request: BudgetRequest, standing: Literal["approved", "rejected"], actor: str) -> Draft:
    """A person's. Raises Conflict `budget.not-open`."""
    if request.standing != "asked":
        raise Conflict(
            f"{request.name} is {request.standing} already",
            why="the first word about a plan holds for the month",
            hint="`freehold budgets` lists what waits",
            code="budget.not-open",
        )
    body = {"request": request.name, "month": request.month}
    return Draft(f"budget.{standing}", body, cause=(request.fact,), actor=actor)


def _fold(fact: Fact, state: State) -> Iterable[Change]:
    body: dict[str, Any] = dict(fact.body)
    if fact.type == "budget.asked":
        asked = BudgetRequest(**body, fact=fact.name)
        if request_of(state, asked.month, asked.name) is None:
            yield Change(TABLE, f"{asked.month}/{asked.name}", asdict(asked))
        return
    known = request_of(state, body["month"], body["request"])
    if known is not None and known.standing == "asked":
        said: Standing = "approved" if fact.type == "budget.approved" else "rejected"
        row = asdict(replace(known, standing=said, word=fact.name))
        yield Change(TABLE, f"{known.month}/{known.name}", row)


projection = Projection(
    name="budgets",
    version=1,
    types=frozenset({"budget.asked", "budget.approved", "budget.rejected"}),
    fold=_fold,
)
