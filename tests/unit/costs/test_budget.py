from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.costs.budget import Charge, Standing, answer, covers, filters_of, share_of
from freehold.costs.forecast import forecast
from freehold.domain.project import BudgetSpec

MONEY = st.floats(0, 1e6)
TAGS = st.dictionaries(st.sampled_from(["team", "model", "site"]), st.sampled_from("ab"))
NOTHING = forecast({}, date(2026, 11, 20))


def standing(spec: BudgetSpec, spent: float, committed: float = 0.0) -> Standing:
    return Standing("all", spec, "USD", "2026-11", spent, committed, NOTHING)


@given(MONEY, MONEY, MONEY, st.floats(1, 1e6), st.floats(0.01, 1))
def test_spending_more_never_makes_a_budget_better(
    spent: float, more: float, charge: float, limit: float, warn: float
) -> None:
    order = ["within", "warned", "passed"]
    spec = BudgetSpec(limit, warn=warn)
    before, after = standing(spec, spent), standing(spec, spent + more)
    assert order.index(before.state) <= order.index(after.state)
    plan = [Charge({}, charge)]
    if answer(after, plan) == "fits":
        assert answer(before, plan) == "fits"


@given(MONEY, MONEY, st.lists(st.tuples(TAGS, MONEY), max_size=5), st.floats(1, 1e6))
def test_what_fits_leaves_the_limit_kept(
    spent: float, committed: float, charges: list[tuple[dict[str, str], float]], limit: float
) -> None:
    spec = BudgetSpec(limit, team="a")
    plan = [Charge(tags, money) for tags, money in charges]
    share = share_of(spec, plan)
    assert share == pytest.approx(sum(m for tags, m in charges if tags.get("team") == "a"))
    if answer(standing(spec, spent, committed), plan) == "fits" and share:
        assert spent + committed + share <= limit


@given(TAGS, TAGS)
def test_a_narrower_budget_covers_no_more(wide: dict[str, str], tags: dict[str, str]) -> None:
    spec = BudgetSpec(1.0, tag=wide)
    narrower = replace(spec, model="a")
    assert filters_of(narrower).items() >= {"model": "a"}.items()
    if covers(narrower, tags):
        assert tags["model"] == "a"
        assert covers(BudgetSpec(1.0, tag={k: v for k, v in wide.items() if k != "model"}), tags)
    assert covers(BudgetSpec(1.0), tags)


def test_warned_at_its_share_and_passed_at_its_limit() -> None:
    spec = BudgetSpec(100.0, warn=0.8)
    assert [standing(spec, spent).state for spent in (79.9, 80.0, 99.0, 100.0, 120.0)] == [
        "within",
        "warned",
        "warned",
        "passed",
        "passed",
    ]
    assert standing(spec, 50, 30).state == "warned"


def test_what_is_free_fits_and_what_nobody_knows_fits_until_the_limit() -> None:
    spec = BudgetSpec(100.0)
    free, unknown = [Charge({}, 0.0)], [Charge({}, None), Charge({}, 1.0)]
    assert answer(standing(spec, 150), free) == "fits"
    assert answer(standing(spec, 99), unknown) == "fits"
    assert answer(standing(spec, 100), unknown) == "refused"


def test_it_asks_instead_of_refusing_only_where_it_says_so() -> None:
    plan = [Charge({}, 60.0)]
    asks, blocks = BudgetSpec(100.0, then="approve"), BudgetSpec(100.0)
    assert answer(standing(asks, 50), plan) == "ask"
    assert answer(standing(asks, 40), plan) == "fits"
    assert answer(standing(blocks, 50), plan) == "refused"
