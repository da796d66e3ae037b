"""Every provider's export, of every version, becomes the same rows of FOCUS 1.2; and every bad one
is refused with its rows and columns."""

import gzip
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from focus import bills, rules

from freehold.app.costs.reading import ReadAs
from freehold.domain.errors import NotFound, Refused

TOTAL = pytest.approx(71.4)
EXPORTS: Mapping[str, tuple[Callable[[Any], bytes], str, str, tuple[str, ...]]] = {
    "plain__csv": (bills.csv, "1.2", "AWS", ()),
    "plain__parquet": (
        lambda rows: bills.parquet([{**r, "Tags": bills.json.dumps(r["Tags"])} for r in rows]),
        "1.2",
        "AWS",
        (),
    ),
    "aws__csv_gz": (bills.aws_1_0, "1.0", "AWS", ()),
    "aws__parquet": (bills.aws_1_2, "1.2", "AWS", ()),
    # What Microsoft does not tell stays unknown; what it tells as 0 stays 0.
    "azure__csv": (
        bills.azure_1_0r2,
        "1.0",
        "Microsoft",
        ("SkuPriceId is null", "times PricingQuantity"),
    ),
    "preview__csv": (
        bills.azure_preview,
        "1.0-preview",
        "Microsoft",
        ("SkuPriceId is null", "ContractedUnitPrice is null"),
    ),
    # A month of California begins eight hours after UTC's.
    "google__parquet": (
        bills.google_view,
        "1.0",
        "Google Cloud",
        ("outside its billing period",),
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_every_export_becomes_focus_1_2(office: Any, name: str) -> None:
    made, version, provider, gaps = EXPORTS[name]
    read = office.read(**{name: made(bills.january())})
    [bill] = read.bills
    assert list(read.versions.values()) == [version]
    assert (bill.provider, bill.currency, bill.count) == (provider, "USD", 6)
    assert bill.cost == TOTAL
    frame = bill.rows.collect()
    left = [f for f in rules.faults_of(frame) if not any(gap in f for gap in gaps)]
    assert left == []
    assert frame["x_Team"].to_list() == ["risk"] * 6
    assert frame["x_Model"].to_list() == ["delay"] * 6
    assert frame["x_Source"].unique().to_list() == ["bill"]
    assert frame["x_RowId"].n_unique() == 6
    assert frame["Tags"][0] == '{"model": "delay", "team": "risk"}'


def test_a_habit_is_not_forgiven_to_a_stranger(office: Any) -> None:
    rows = [{**row, "ProviderName": "Cloudy"} for row in bills.january(1)]
    naive = {"ChargePeriodStart": rows[0]["ChargePeriodStart"].replace(tzinfo=None)}
    with pytest.raises(Refused) as refused:
        office.read(strange__csv=bills.csv([{**row, "PublisherName": None} for row in rows]))
    assert codes(refused.value) == {"bill.missing"}
    with pytest.raises(Refused) as refused:
        office.read(strange__parquet=bills.parquet([{**rows[0], **naive, "Tags": None}]))
    assert codes(refused.value) == {"bill.times"}


def test_sites_are_known_by_region_or_tag(office: Any) -> None:
    rows = [bills.charge(0, 1, 1), bills.charge(1, 1, 1, Tags={"site": "edge"})]
    read = office.read(ReadAs(regions={"eu-central-1": "cloud"}), a__csv=bills.csv(rows))
    frame = read.bills[0].rows.collect().sort("ChargePeriodStart")
    assert frame["x_Site"].to_list() == ["cloud", "edge"]


def test_several_accounts_and_months_are_several_bills(office: Any) -> None:
    later = bills.charge(35, 1, 1, BillingPeriodStart=bills.JANUARY[1])
    later["BillingPeriodEnd"] = bills.JANUARY[1] + timedelta(days=28)
    other = bills.charge(0, 1, 1, BillingAccountId="9", BillingCurrency="EUR")
    read = office.read(a__csv=bills.csv([*bills.january(), later]), b__csv=bills.csv([other]))
    told = {(bill.account, bill.period[:7], bill.currency): bill.count for bill in read.bills}
    assert told == {
        ("123456789012", "2026-01", "USD"): 6,
        ("123456789012", "2026-02", "USD"): 1,
        ("9", "2026-01", "EUR"): 1,
    }


def test_a_copy_of_a_file_is_read_once(office: Any) -> None:
    data = bills.csv(bills.january())
    read = office.read(a__csv=data, b__csv=data, c__csv=data)
    assert [bill.count for bill in read.bills] == [6]


def codes(error: Refused) -> set[str]:
    assert error.code == "bill.invalid"
    return {fault.code for fault in error.faults}


def one(**wrong: Any) -> bytes:
    """Three days, the second of them wrong."""
    rows = [bills.charge(day, 24.0, 0.5) for day in range(3)]
    return bills.csv([rows[0], {**rows[1], **wrong}, rows[2]])


DAY = timedelta(days=1)
START = bills.charge(1, 24.0, 0.5)["ChargePeriodStart"]
WRONG: list[tuple[dict[str, Any], str, str, str]] = [
    ({"BilledCost": "12,50"}, "bill.numbers", "BilledCost", "12,50"),
    ({"EffectiveCost": "NaN"}, "bill.numbers", "EffectiveCost", "NaN"),
    ({"ListCost": None}, "bill.missing", "ListCost", ""),
    ({"ChargePeriodStart": "2026-01-02T00:00:00"}, "bill.times", "ChargePeriodStart", "02T00"),
    ({"ChargePeriodEnd": START}, "bill.periods", "ChargePeriodEnd", "ends before it begins"),
    ({"BillingPeriodEnd": bills.JANUARY[0]}, "bill.periods", "BillingPeriodEnd", "ends before"),
    ({"ChargePeriodStart": START - 40 * DAY}, "bill.periods", "ChargePeriodStart", "outside"),
    ({"BillingCurrency": "US Dollar"}, "bill.currency", "BillingCurrency", "US Dollar"),
    ({"ChargeCategory": "Fee"}, "bill.values", "ChargeCategory", "Fee"),
    ({"Tags": "team=risk"}, "bill.tags", "Tags", "team=risk"),
    ({"Tags": '{"a": {"b": 1}}'}, "bill.tags", "Tags", '"b"'),
    ({"ServiceCategory": "Compuet"}, "bill.values", "ServiceCategory", "Compuet"),
    ({"BillingAccountId": " "}, "bill.missing", "BillingAccountId", ""),
]


@pytest.mark.parametrize(("wrong", "code", "column", "told"), WRONG)
def test_a_bad_row_is_named(
    office: Any, wrong: dict[str, Any], code: str, column: str, told: str
) -> None:
    rows = {name: str(value) if name == "BilledCost" else value for name, value in wrong.items()}
    if column == "ListCost":
        rows["ProviderName"] = "Cloudy"
        data = bills.csv([{**bills.charge(1, 1, 1), **rows, "ContractedCost": 1.0}])
    else:
        data = one(**rows)
    with pytest.raises(Refused) as refused:
        office.read(january__csv=data)
    found = [f for f in refused.value.faults if f.code == code and f.where.endswith(column)]
    assert found, refused.value
    assert told in found[0].what
    assert found[0].where.startswith(f"january.csv row {1 if column == 'ListCost' else 2}, ")
    assert found[0].hint
    others = {f.code for f in refused.value.faults} - {code, "bill.periods", "bill.missing"}
    assert others == set()
    assert office.facts() == 1


def test_a_correction_may_lie_outside_its_period(office: Any) -> None:
    row = bills.charge(0, 1, 1, ChargeClass="Correction")
    row["ChargePeriodStart"] -= 40 * DAY
    assert office.read(a__csv=bills.csv([row])).bills[0].count == 1


def test_all_faults_of_all_files_at_once(office: Any) -> None:
    rows = [bills.charge(day, 24.0, 0.5) for day in range(6)]
    bad = [{**row, "BilledCost": "many", "BillingCurrency": "?"} for row in rows]
    missing = bills.csv([{k: v for k, v in rows[0].items() if k != "EffectiveCost"}])
    with pytest.raises(Refused) as refused:
        office.read(bad__csv=bills.csv(bad), short__csv=missing)
    assert codes(refused.value) == {"bill.numbers", "bill.currency", "bill.columns"}
    told = str(refused.value)
    assert "bad.csv row 1, 2, 3, …, BilledCost: no number: 'many' (6 rows)" in told
    assert "short.csv, EffectiveCost: there is no column 'EffectiveCost'" in told


def test_copies_of_rows_are_named_with_their_rows(office: Any) -> None:
    rows = bills.january()
    with pytest.raises(Refused, match=r"the same row stands at a\.csv row 2 and a\.csv row 7"):
        office.read(a__csv=bills.csv([*rows, rows[1]]))
    with pytest.raises(Refused, match=r"at a\.csv row 1 and b\.csv row 1"):
        office.read(a__csv=bills.csv(rows), b__csv=bills.csv(rows[:2]))


def test_rows_that_differ_in_a_column_of_the_provider_are_no_copies(office: Any) -> None:
    rows = [{**bills.charge(0, 1, 1), "x_Operation": name} for name in ("Run", "Stop")]
    assert office.read(a__csv=bills.csv(rows)).bills[0].count == 2


def test_two_currencies_of_one_account(office: Any) -> None:
    with pytest.raises(Refused, match="is billed in EUR and USD for one period") as refused:
        office.read(a__csv=one(BillingCurrency="EUR"))
    assert codes(refused.value) == {"bill.currencies"}


CUT: list[tuple[str, bytes, str]] = [
    ("a__csv_gz", bills.aws_1_0(bills.january())[:-20], "the gzip file ends too early"),
    ("a__parquet", bills.aws_1_2(bills.january())[:-20], "the Parquet file has no end"),
    ("a__csv", bills.csv(bills.january())[:-150], "columns"),
    ("a__csv", b"", "it is empty"),
    ("a__csv", bills.csv(bills.january())[:-3], "is not closed"),
    ("a__json", bills.opencost(bills.allocation("a"))[:-9], "it is no JSON"),
    ("a__csv", bills.csv(bills.january()).splitlines(True)[0], "it has no rows"),
    ("a__csv", b"\x00\x01\x02,\xff\n1,2\n", "there is no column"),
]


@pytest.mark.parametrize(("name", "data", "told"), CUT)
def test_a_file_that_is_cut_off(office: Any, name: str, data: bytes, told: str) -> None:
    with pytest.raises(Refused, match=told) as refused:
        office.read(**{name: data})
    assert refused.value.code == "bill.invalid"


def test_a_file_that_is_not_there(office: Any) -> None:
    from freehold.app.costs.reading import read_bills

    with pytest.raises(NotFound, match=r"no file .*gone\.csv") as missing:
        read_bills([office.folder / "gone.csv"], ReadAs(), office.folder)
    assert missing.value.code == "bill.no-file"


def test_what_is_in_gzip_is_known_by_its_bytes(office: Any) -> None:
    data = gzip.compress(bills.aws_1_2(bills.january()))
    assert office.read(a__csv=data).bills[0].cost == TOTAL
