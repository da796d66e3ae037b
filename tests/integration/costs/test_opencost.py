"""OpenCost's answers as rows of FOCUS."""

import json
from typing import Any

import pytest
from focus import bills, rules

from freehold.app.costs.reading import ReadAs
from freehold.domain.errors import Refused

ACME = ReadAs(organisation="Acme", currency="EUR", sites=frozenset({"racks"}))


def test_each_resource_of_an_allocation_is_a_row(office: Any) -> None:
    read = office.read(ACME, a__json=bills.opencost(bills.allocation("train")))
    [bill] = read.bills
    frame = bill.rows.collect()
    assert rules.faults_of(frame) == []
    assert (bill.provider, bill.account, bill.currency) == ("Acme", "racks", "EUR")
    assert bill.period == "2026-01-10T00:00:00Z/2026-01-11T00:00:00Z"
    assert bill.cost == pytest.approx(4.51)
    told = {
        row["SkuMeter"]: (row["PricingQuantity"], row["PricingUnit"])
        for row in frame.iter_rows(named=True)
    }
    assert told == {
        "CPU": (12.0, "Core-Hours"),
        "GPU": (6.0, "GPU-Hours"),
        "Memory": (48.0, "GiB-Hours"),
        "Volumes": (pytest.approx(55.879, rel=1e-4), "GiB-Hours"),
    }
    assert frame["x_Site"].unique().to_list() == ["racks"]
    assert frame["x_Team"].unique().to_list() == ["risk"]
    assert frame["x_Estimated"].all()
    assert json.loads(frame["Tags"][0])["cost"] == "12"


def test_a_night_an_adjustment_and_what_is_not_itemised(office: Any) -> None:
    odd = bills.allocation(
        "odd",
        start="2026-01-10T18:00:00Z",
        end="2026-01-11T06:00:00Z",
        cpuCostAdjustment=-0.5,
        totalCost=5.01,
    )
    odd["window"] = {"start": "2026-01-10T00:00:00Z", "end": "2026-01-12T00:00:00Z"}
    read = office.read(ACME, a__json=bills.opencost(odd))
    frame = read.bills[0].rows.collect()
    assert rules.faults_of(frame) == []
    assert frame["EffectiveCost"].sum() == pytest.approx(5.01)
    assert set(frame["ChargeCategory"]) == {"Usage", "Adjustment"}
    assert "Not itemised" in frame["SkuMeter"].to_list()
    assert frame["ChargePeriodStart"].dt.date().n_unique() == 2


WRONG: list[tuple[Any, str]] = [
    ({"code": 500, "message": "no"}, "OpenCost answered 500"),
    ({"code": 200, "data": {}}, "no `data`"),
    ({"code": 200, "data": [[]]}, "not allocations by name"),
    ({"code": 200, "data": [{"a": 1}]}, "it is no allocation"),
    ({"code": 200, "data": [{}, None]}, "no allocation that cost anything"),
    ([{"a": bills.allocation("a", cpuCost="4")}], "cpuCost is no number"),
    ([{"a": bills.allocation("a", ramCost=float("nan"))}], "ramCost is no number"),
    ([{"a": bills.allocation("a", end="2026-01-10T06:00:00Z")}], "ends before it begins"),
    ([{"a": bills.allocation("a", start="2026-01-10T06:00:00")}], "no zone"),
    ([{"a": bills.allocation("a", start="soon")}], "no times"),
    ([{"a": bills.allocation("a")}, {"a": bills.allocation("a")}], "stands twice"),
    ([{"a": {k: v for k, v in bills.allocation("a").items() if k != "totalCost"}}], "totalCost"),
]


@pytest.mark.parametrize(("document", "told"), WRONG)
def test_a_bad_answer_is_named(office: Any, document: Any, told: str) -> None:
    with pytest.raises(Refused, match=told) as refused:
        office.read(ACME, a__json=json.dumps(document).encode())
    assert refused.value.code == "bill.invalid"
    assert all(fault.hint and "a.json" in fault.where for fault in refused.value.faults)


def test_focus_in_json_is_refused_and_said(office: Any) -> None:
    with pytest.raises(Refused, match="it is JSON: of FOCUS, Parquet and CSV are read"):
        office.read(ReadAs(format="focus"), a__json=b"[]")
