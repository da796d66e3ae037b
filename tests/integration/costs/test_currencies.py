"""Racks that are paid in EUR, tables in USD, and a bill in USD: plans and one sum."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from freehold.app.costs.costs import asked, costs
from freehold.app.costs.rows import usage_draft
from freehold.app.run.placement.ground import ground_of
from freehold.app.run.plan import plan_run
from freehold.app.site.opening import Site, open_site
from freehold.cli.main import run
from freehold.costs.usage import Usage, frame_of_usage
from freehold.domain.errors import Refused, WrongUsage
from tests.focus import bills

PROJECT = """\
project: acme
pipelines: {count: steps:count}
currency: EUR
prices: prices.yaml
site: racks
sites:
  racks:
    store: {at: "file:///nowhere/racks"}
    storage_price: 0.008
    machines: {box: {cpus: 2, memory: 8 GiB, price: 100}}
  aws:
    store: {at: "file:///nowhere/aws"}
    provider: aws
    region: eu-north-1
    machines: {m5.xlarge: {spot: true}}
"""
CODE = """\
from freehold import pipeline, step


@step(seconds=3600, output="2GB")
def load(rows: int) -> list:
    return list(range(rows))


@pipeline
def count(rows: int = 10) -> list:
    return load(rows)
"""


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 1, day, hour, tzinfo=UTC)


@pytest.fixture
def acme(office: Any) -> Iterator[Any]:
    (office.folder / "freehold.yaml").write_text(PROJECT)
    (office.folder / "prices.yaml").write_text("currency: EUR\nusd: 1.25\n")
    (office.folder / "steps.py").write_text(CODE)
    office.site.close()
    with open_site(office.folder) as office.site:
        yield office


def metered(site: Site, day: int, money: float) -> None:
    usage = Usage(
        kind="step", site="racks", provider="own", sku="box", quantity=1.0, unit="Hours",
        unit_price=money, currency="EUR", start=at(day), end=at(day, 1),
    )  # fmt: skip
    site.ledger.append([usage_draft(site, frame_of_usage([usage]), "step")])


def test_a_project_in_euros_plans_with_tables_in_dollars(acme: Any) -> None:
    """Machines, spot, storage and ways: nothing is refused, and nothing is left uncounted."""
    dollars = PROJECT.replace("currency: EUR\nprices: prices.yaml\n", "")
    ground = ground_of(acme.site.project)
    (acme.folder / "freehold.yaml").write_text(dollars)
    with open_site(acme.folder) as site:
        told = ground_of(site.project)
    for euro, dollar in zip(ground.offers["aws"], told.offers["aws"], strict=True):
        assert euro.price.unit == "EUR/h" and dollar.price.unit == "USD/h"
        assert euro.price.value == pytest.approx(dollar.price.value / 1.25)
        assert dollar.price.source in euro.price.source and "1.25 USD/EUR" in euro.price.source
    assert ground.storage["aws"].value == pytest.approx(told.storage["aws"].value / 1.25)
    out = ground.ways["aws", "racks"].money, told.ways["aws", "racks"].money
    assert out[0].value == pytest.approx(out[1].value / 1.25) and out[0].unit == "EUR/GB"
    assert not [one for one in ground.missing if "GB" in one]


def test_the_plan_itself_is_in_euros(acme: Any, monkeypatch: Any, capsys: Any) -> None:
    plan = plan_run(acme.site).plan.as_json()
    assert plan["placement"]["money"] > 0
    monkeypatch.chdir(acme.folder)
    assert run(["plan", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (step,) = told["placement"]["steps"]
    assert step["figures"]["price"]["unit"] == "EUR/h"
    assert "1.25 USD/EUR" in step["figures"]["price"]["source"]


def test_one_query_sums_racks_in_euros_and_a_bill_in_dollars(acme: Any) -> None:
    """Each day's money by that day's rate, whoever wrote the row; the file's own rate, which says
    no day, holds until then."""
    acme.bring(january__csv=bills.csv(bills.january()))
    for day in (1, 20):
        metered(acme.site, day, 10.0)
    apart = costs(acme.site, asked(["source"]))
    assert {row["currency"] for row in apart["totals"]} == {"EUR", "USD"}
    assert apart["in"] is None and apart["rates"] == []
    whole = {row["currency"]: row["effective"] for row in apart["totals"]}
    found = costs(acme.site, asked([], into="eur"))
    assert {row["currency"] for row in found["days"]} == {"EUR"} == {found["in"]}
    assert sum(row["effective"] for row in found["totals"]) == pytest.approx(
        whole["EUR"] + whole["USD"] / 1.25
    )
    sources = {row["source"]: row["effective"] for row in found["sources"]}
    assert sources["bill"] == pytest.approx(whole["USD"] / 1.25)
    assert sources["metered"] == pytest.approx(20.0)
    (rate,) = found["rates"]
    assert (rate["currency"], rate["value"], rate["since"]) == ("USD", pytest.approx(0.8), None)
    assert "prices.yaml" in rate["source"]


def test_from_the_day_of_a_rate_on_it_is_that(acme: Any) -> None:
    (acme.folder / "prices.yaml").write_text(
        "currency: EUR\nusd: 1.25\nrates: [{currency: EUR, usd: 2, since: 2026-01-10}]\n"
    )
    for day in (9, 10):
        metered(acme.site, day, 10.0)
    found = costs(acme.site, asked(["day"], into="USD"))
    told = [(row["day"], row["effective"]) for row in found["totals"]]
    assert told == [("2026-01-09", pytest.approx(12.5)), ("2026-01-10", pytest.approx(20.0))]


def test_a_sum_in_a_currency_without_a_rate_is_refused_with_the_day(acme: Any) -> None:
    metered(acme.site, 5, 10.0)
    with pytest.raises(Refused) as refused:
        costs(acme.site, asked(["site"], into="GBP"))
    assert refused.value.code == "costs.no-rate"
    (fault,) = refused.value.faults
    assert "EUR to GBP" in fault.what and "2026-01-05" in fault.what and fault.hint
    with pytest.raises(WrongUsage) as wrong:
        asked(["site"], into="euro")
    assert wrong.value.code == "usage.currency" and "EUR" in wrong.value.why


def test_the_command_tells_one_sum_and_its_rates(acme: Any, monkeypatch: Any, capsys: Any) -> None:
    acme.bring(january__csv=bills.csv(bills.january()))
    metered(acme.site, 2, 10.0)
    monkeypatch.chdir(acme.folder)
    assert run(["costs", "--by", "source", "--in", "EUR"]) == 0
    told = capsys.readouterr()
    assert "USD" not in told.out and "EUR" in told.out
    assert "one USD is 0.8 EUR" in told.err
