"""Budgets pay what bills say as well, once."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from freehold.app.costs.budgets import budgets, objections, standings
from freehold.app.site.opening import open_site
from freehold.catalog.spending import bills as kept_bills
from freehold.costs.budget import Charge
from freehold.domain.artifact import object_key
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Draft
from tests.focus import bills

PROJECT = """\
project: acme
pipelines: {}
site: racks
sites:
  racks: {store: {at: "file:///nowhere/racks"}}
  cloud: {store: {at: "file:///nowhere/cloud"}, provider: aws, region: eu-central-1}
tags: {team: risk, environment: production}
budgets:
  all: {limit: 40}
  risk: {limit: 40, team: risk}
  other: {limit: 40, tag: {environment: production}}
"""
OURS = {"project": "acme", "team": "risk"}
FIFTH_AT_NOON = int(datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp() * 1e6)


@pytest.fixture
def acme(office: Any) -> Iterator[Any]:
    (office.folder / "freehold.yaml").write_text(PROJECT)
    office.site.close()
    with open_site(office.folder, count(FIFTH_AT_NOON, 1000).__next__) as office.site:
        yield office


def billed(tags: Mapping[str, str], price: float = 0.5, **more: Any) -> bytes:
    """Two days of a machine: 12 USD each, unless another price of its hours is said."""
    return bills.csv([bills.charge(day, 24.0, price, Tags=dict(tags), **more) for day in (1, 2)])


def metered(office: Any, money: float, site: str = "cloud") -> None:
    """On the second of January."""
    spent = {
        "day": "2026-01-02", "site": site, "kind": "step", "model": "", "version": "",
        "pipeline": "", "run": "", "currency": "USD", "money": money, "carbon": None,
        "rows": 1, "unpriced": 0,
    }  # fmt: skip
    body = {
        "until": FIFTH_AT_NOON, "rows": 1, "spent": [spent], "tags": {"team": "risk"},
        "storage": {}, "replicas": {}, "moved": {},
    }  # fmt: skip
    office.site.ledger.append([Draft("usage.metered", body, actor=office.site.actor)])


def spent(office: Any) -> dict[str, float]:
    return {one.name: one.spent for one in standings(office.site)}


def test_what_nobody_metered_is_paid_by_its_tags(acme: Any) -> None:
    acme.bring(a__csv=billed(OURS))
    assert spent(acme) == pytest.approx({"all": 24.0, "risk": 24.0, "other": 0.0})


@pytest.mark.parametrize("prefix", ["user:", "freehold:"])
def test_tags_are_known_behind_what_providers_put_before_them(acme: Any, prefix: str) -> None:
    acme.bring(a__csv=billed({f"{prefix}{name}": value for name, value in OURS.items()}))
    assert spent(acme) == pytest.approx({"all": 24.0, "risk": 24.0, "other": 0.0})


@pytest.mark.parametrize("tags", [{}, {"team": "risk"}, {"project": "another", "team": "risk"}])
def test_what_others_of_the_account_spent_is_not_paid(acme: Any, tags: dict[str, str]) -> None:
    acme.bring(a__csv=billed(tags))
    assert set(spent(acme).values()) == {0.0}


def test_of_a_day_at_a_provider_the_larger_of_both_counts(acme: Any) -> None:
    """Never both; and what is metered at racks of one's own is no part of a bill."""
    metered(acme, 20.0)
    metered(acme, 3.0, site="racks")
    assert spent(acme)["all"] == pytest.approx(23.0)
    acme.bring(a__csv=billed(OURS))
    assert spent(acme)["all"] == pytest.approx(20.0 + 3.0 + 12.0)
    acme.bring(replace=True, b__csv=billed(OURS, 1.0))
    assert spent(acme)["all"] == pytest.approx(24.0 + 3.0 + 24.0)


def test_a_bill_without_tags_takes_nothing_from_what_was_metered(acme: Any) -> None:
    metered(acme, 20.0)
    acme.bring(a__csv=billed({}))
    assert spent(acme)["all"] == pytest.approx(20.0)


def test_a_plan_that_passes_what_a_bill_left_is_refused(acme: Any) -> None:
    charge = [Charge(OURS, 20.0)]
    assert objections(acme.site, charge, "sha256:1") == []
    acme.bring(a__csv=billed(OURS))
    said = objections(acme.site, charge, "sha256:1")
    assert {one.code for one in said} == {"budget.exceeded"}
    assert [one.where for one in said] == ["budgets.all", "budgets.risk"]
    assert "24.00 spent, 0.00 committed, and this would add 20.00 USD" in said[0].what


def test_rows_in_another_currency_are_told_and_not_counted(acme: Any) -> None:
    acme.bring(a__csv=billed(OURS, BillingCurrency="EUR"))
    found = {one["budget"]: one for one in budgets(acme.site)["budgets"]}
    assert found["all"]["spent"] == 0.0
    assert (found["all"]["other_currency_rows"], found["other"]["other_currency_rows"]) == (2, 0)


def test_a_bill_of_this_site_that_is_gone_is_no_bill_of_nothing(acme: Any) -> None:
    acme.bring(a__csv=billed(OURS))
    (bill,) = kept_bills(acme.site.state)
    acme.site.objects.delete(object_key(bill.artifact))
    with pytest.raises(IntegrityError):
        standings(acme.site)
