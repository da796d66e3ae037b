"""Bills are kept once, whole, and a later one takes the place of an earlier one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from focus import bills, rules

from freehold.app.costs.bill_import import examine, keep
from freehold.app.costs.rows import usage_draft, usage_frames, usage_rows
from freehold.catalog.spending import bills as kept_bills
from freehold.costs.usage import Usage, frame_of_usage
from freehold.domain.artifact import object_key
from freehold.domain.errors import Conflict, IntegrityError, Refused
from tests.collected import collected_once

JANUARY = bills.january()


def total(office: Any) -> float:
    return float(office.rows()["EffectiveCost"].sum())


def standings(examined: list[Any]) -> list[str]:
    return [one.standing for one in examined]


def test_a_bill_lies_beside_what_was_metered(office: Any) -> None:
    usage = Usage(
        kind="step",
        site="racks",
        provider="Acme",
        sku="dl380",
        quantity=10.0,
        unit="Hours",
        unit_price=2.0,
        currency="USD",
        start=datetime(2026, 1, 1, tzinfo=UTC),
        end=datetime(2026, 1, 1, 10, tzinfo=UTC),
    )
    office.site.ledger.append([usage_draft(office.site, frame_of_usage([usage]), "step")])
    assert standings(office.bring(a__csv=bills.csv(JANUARY))) == ["new"]
    rows = office.rows()
    assert rows.height == 7
    assert rules.faults_of(rows) == []
    assert total(office) == pytest.approx(91.4)
    february = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp() * 1e6)
    assert usage_frames(office.site, february).collect().height == 6


@pytest.mark.parametrize("name", ["same__csv", "other__csv", "other__parquet", "other__csv_gz"])
def test_the_same_bill_twice_changes_nothing(office: Any, name: str) -> None:
    office.bring(same__csv=bills.csv(JANUARY))
    facts, rows = office.facts(), office.rows()
    data = {
        "same__csv": bills.csv(JANUARY),
        "other__csv": bills.csv(JANUARY[::-1]),
        "other__parquet": bills.aws_1_2(JANUARY),
        "other__csv_gz": bills.gzip.compress(bills.csv(JANUARY)),
    }[name]
    again = office.bring(**{name: data})
    assert standings(again) == ["already there"]
    assert office.facts() == facts
    assert office.rows().equals(rows)


def test_rows_that_are_all_there_change_nothing(office: Any) -> None:
    office.bring(a__csv=bills.csv(JANUARY))
    facts = office.facts()
    assert standings(office.bring(b__csv=bills.csv(JANUARY[:3]))) == ["already there"]
    assert office.facts() == facts
    assert standings(office.bring(replace=True, b__csv=bills.csv(JANUARY[:3]))) == ["replaces"]
    assert office.rows().height == 3


def test_a_later_export_takes_the_place_of_the_earlier(office: Any) -> None:
    [first] = office.bring(a__csv=bills.csv(JANUARY[:3]))
    corrected = [bills.charge(day, 24.0, 0.4) for day in range(8)]
    [second] = office.bring(b__csv=bills.csv(corrected))
    assert (second.standing, second.before.rows) == ("replaces", 3)
    assert second.cost_before == pytest.approx(first.bill.cost) == pytest.approx(36.0)
    assert office.rows().height == 8
    assert total(office) == pytest.approx(8 * 24 * 0.4)
    [kept] = kept_bills(office.site.state)
    assert kept.replaces == second.before.artifact


def test_another_part_of_an_export_does_not_push_the_first_out(office: Any) -> None:
    office.bring(part1__csv=bills.csv(JANUARY[:2]))
    facts = office.facts()
    with pytest.raises(Conflict, match="it shares no charge with the 2 rows") as conflict:
        office.bring(part2__csv=bills.csv(JANUARY[2:4]))
    assert conflict.value.code == "bill.overlaps"
    assert office.facts() == facts
    together = {"part1__csv": bills.csv(JANUARY[:2]), "part2__csv": bills.csv(JANUARY[2:4])}
    assert standings(office.bring(**together)) == ["replaces"]
    assert office.rows().height == 4


def test_windows_of_opencost_that_overlap_are_refused(office: Any) -> None:
    office.bring(a__json=bills.opencost(bills.allocation("a")))
    wider = bills.allocation("a")
    wider["window"] = {"start": "2026-01-09T00:00:00Z", "end": "2026-01-11T00:00:00Z"}
    with pytest.raises(Conflict, match="overlaps"):
        office.bring(b__json=bills.opencost(wider))
    following = bills.allocation("a", start="2026-01-11T00:00:00Z", end="2026-01-11T01:00:00Z")
    following["window"] = {"start": "2026-01-11T00:00:00Z", "end": "2026-01-12T00:00:00Z"}
    assert standings(office.bring(c__json=bills.opencost(following))) == ["new"]


def test_one_bad_file_keeps_the_good_one_out(office: Any) -> None:
    facts = office.facts()
    objects = list(office.site.objects.keys())
    bad = bills.csv([bills.charge(0, 1.0, 1.0, BillingAccountId="9", ListCost="?")])
    with pytest.raises(Refused):
        office.bring(good__csv=bills.csv(JANUARY), bad__csv=bad)
    assert office.facts() == facts
    assert list(office.site.objects.keys()) == objects
    assert office.rows().is_empty()


def test_an_import_in_between_is_noticed(office: Any) -> None:
    read = office.read(a__csv=bills.csv(JANUARY))
    examined = examine(office.site, read)
    office.bring(b__csv=bills.csv(JANUARY[:2]))
    facts = office.facts()
    with pytest.raises(Conflict) as conflict:
        keep(office.site, read, examined)
    assert conflict.value.code == "bill.changed"
    assert office.facts() == facts


def test_what_is_gone_is_said_and_not_left_out(office: Any) -> None:
    office.bring(a__csv=bills.csv(JANUARY))
    [kept] = kept_bills(office.site.state)
    office.site.objects.delete(object_key(kept.artifact))
    with pytest.raises(IntegrityError):
        usage_frames(office.site)


def test_rows_of_another_site_that_are_not_here_are_told(office: Any) -> None:
    office.bring(a__csv=bills.csv(JANUARY))
    [kept] = kept_bills(office.site.state)
    office.site.objects.delete(object_key(kept.artifact))
    elsewhere = replace(office.site.project, spec=replace(office.site.project.spec, site="other"))
    rows = usage_rows(replace(office.site, project=elsewhere))
    assert rows.absent == (kept.artifact,)
    assert rows.frame.collect().is_empty()


def test_a_bill_of_many_months(office: Any) -> None:
    rows = []
    for month in range(1, 13):
        start = datetime(2025, month, 1, tzinfo=UTC)
        end = datetime(2025 + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        charge = {"ChargePeriodStart": start, "ChargePeriodEnd": start + timedelta(days=1)}
        period = {"BillingPeriodStart": start, "BillingPeriodEnd": end}
        rows.append(bills.charge(0, 1.0, 1.0, **charge, **period))
    assert standings(office.bring(a__csv=bills.csv(rows))) == ["new"] * 12
    assert total(office) == pytest.approx(12.0)


def test_rows_that_a_collection_let_go_of_are_not_named(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between being stored and being named nothing refers to them."""
    read, facts = office.read(a__csv=bills.csv(JANUARY)), office.facts()
    examined = examine(office.site, read)
    with monkeypatch.context() as patched:
        collected_once(office.site, patched)
        with pytest.raises(Conflict) as conflict:
            keep(office.site, read, examined)
    assert conflict.value.code == "bill.collected"
    assert office.facts() == facts
    assert keep(office.site, read, examined) == len(JANUARY)
    assert total(office) == pytest.approx(71.4)
