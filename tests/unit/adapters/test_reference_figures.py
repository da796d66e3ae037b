"""The product's figures of carbon, power and egress are those of the reference data."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from freehold.adapters.price_tables import tables
from freehold.adapters.price_tables.source import PROVIDERS, ShippedPrices, regions

REFERENCE = Path(__file__).parents[3].parent / "shared" / "reference"
COUNTS = {"ccf-aws": 25, "ccf-azure": 24, "ccf-gcp": 24, "gcp-2024": 44}
"""File of regions → its rows: so that none is passed over."""
OF_PROVIDER = {"aws": "ccf-aws", "azure": "ccf-azure", "gcp": "gcp-2024"}
"""Google's own figures of 2024 go before those that Cloud Carbon Footprint has of it."""
MISPRINTED = {"finlandcentral": "000077", "germanywestcentral": "000402"}
"""Regions of Azure whose rows have lost the decimal point of a figure in metric tons."""
SOURCES = {
    "carbonfootprint.com": "cloud-carbon-footprint-country",
    "EEA": "cloud-carbon-footprint-eea",
    "EMA Singapore": "cloud-carbon-footprint-ema",
    "EPA": "cloud-carbon-footprint-epa",
}
"""Agency in the reference → a row of `sources.csv`."""
TONS = "CO2e (metric ton/kWh)"
GRAMS = "Grid carbon intensity (gCO2eq / kWh)"
PROCESSORS = {
    "EPYC 1st Gen": "epyc-1",
    "EPYC 2nd Gen": "epyc-2",
    "EPYC 3rd Gen": "epyc-3",
    "Sky Lake": "skylake",
}
"""Architectures that the product calls otherwise than in small letters with hyphens."""
NAMES = {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud"}
ELSEWHERE = {
    ("aws", "us-east-1"): ("aws", "us-west-2"),
    ("azure", "eastus"): ("azure", "westus"),
    ("gcp", "us-central1"): ("gcp", "us-west1"),
}
"""A region in North America → another of the same provider."""


def read(name: str) -> str:
    path = REFERENCE / name
    if not path.is_file():
        pytest.fail(f"{path} is not there: put the reference data at {REFERENCE}")
    return path.read_text(encoding="utf-8")


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(read(f"carbon/{name}.csv").splitlines()))


def region(row: Mapping[str, str]) -> str:
    """As its provider's interfaces call it: Azure's `East US 2` is `eastus2`."""
    return (row.get("Region") or row["Google Cloud Region"]).lower().replace(" ", "")


def grams(row: Mapping[str, str]) -> float:
    """Per kWh."""
    if GRAMS in row:
        return float(row[GRAMS])
    text = row[TONS]
    return float(f"0.{text}" if text == MISPRINTED.get(region(row)) else text) * 1e6


def referred(name: str) -> dict[str, float]:
    return {region(row): grams(row) for row in rows(name)}


def ours(provider: str) -> dict[str, float]:
    return {
        row["region"]: float(row["grams_per_kwh"])
        for row in tables.rows("grid")
        if row["provider"] == provider
    }


def egress(words: str) -> dict[str, float]:
    """Provider → USD for a GB, of the sentence of the reference that begins so."""
    text = read("README.md")
    sentence = text[text.index(words) :].partition(" USD/GB. ")[0]
    found = {
        provider: re.search(rf"{name} (\d+\.\d+)", sentence) for provider, name in NAMES.items()
    }
    return {provider: float(one.group(1)) for provider, one in found.items() if one is not None}


class TestCarbon:
    @pytest.mark.parametrize("name", COUNTS)
    def test_every_row_of_the_reference_is_read(self, name: str) -> None:
        assert len(rows(name)) == len(referred(name)) == COUNTS[name]

    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_no_region_is_missing_and_each_has_its_figure(self, provider: str) -> None:
        assert ours(provider) == pytest.approx(referred(OF_PROVIDER[provider]), rel=1e-9)

    def test_what_cloud_carbon_footprint_has_of_google_is_known_by_googles_own(self) -> None:
        """Its figures are older; its regions have newer ones."""
        assert set(referred("ccf-gcp")) <= set(ours("gcp"))

    def test_only_two_rows_have_lost_their_decimal_point(self) -> None:
        """No grid emits ten kilograms for a kWh."""
        found = {region(row): row[TONS] for row in rows("ccf-azure")}
        assert {name: text for name, text in found.items() if float(text) > 0.01} == MISPRINTED

    @pytest.mark.parametrize("provider", ["aws", "azure"])
    def test_each_names_the_agency_that_publishes_it(self, provider: str) -> None:
        named = {
            row["region"]: row["source"]
            for row in tables.rows("grid")
            if row["provider"] == provider
        }
        for row in rows(OF_PROVIDER[provider]):
            assert named[region(row)] == SOURCES[row["Source"]], row

    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_the_price_source_gives_them_and_leaves_every_other_region_unknown(
        self, provider: str
    ) -> None:
        source, expected = ShippedPrices(), referred(OF_PROVIDER[provider])
        given = {}
        for name in regions(provider):
            figure = source.grid_carbon(provider, name)
            if figure is not None:
                assert figure.unit == "g/kWh"
                given[name] = figure.value
        assert given == pytest.approx(expected, rel=1e-9)


class TestEgress:
    def test_leaving_a_cloud_towards_the_internet_costs_what_the_reference_says(self) -> None:
        expected = egress("List prices of data leaving a cloud towards the internet")
        assert expected == {"aws": 0.09, "azure": 0.087, "gcp": 0.12}
        found = {row["provider"]: row for row in tables.rows("transfer") if row["to"] == "internet"}
        assert {name: float(row["usd_per_gb"]) for name, row in found.items()} == expected
        assert "0.085 (standard tier)" in read("README.md")
        assert "0.085" in found["gcp"]["note"]

    def test_another_region_of_one_cloud_costs_what_the_reference_says(self) -> None:
        expected = egress("Between regions of one cloud in North America")
        assert expected == {"aws": 0.02, "azure": 0.02, "gcp": 0.02}
        found = {
            row["provider"]: float(row["usd_per_gb"])
            for row in tables.rows("transfer")
            if row["to"] == "region"
        }
        assert found == expected

    @pytest.mark.parametrize("place", ELSEWHERE)
    def test_the_price_source_gives_those_and_nothing_for_what_comes_in(
        self, place: tuple[str, str]
    ) -> None:
        source, nowhere = ShippedPrices(), ("", "")
        out = egress("List prices of data leaving a cloud towards the internet")
        between = egress("Between regions of one cloud in North America")
        assert "Into a cloud: free." in read("README.md")
        for destination, expected in (
            (nowhere, out[place[0]]),
            (ELSEWHERE[place], between[place[0]]),
            (place, 0.0),
        ):
            found = source.transfer(place, destination)
            assert found is not None
            assert (found.value, found.unit) == (expected, "USD/GB")
        inwards = source.transfer(nowhere, place)
        assert inwards is not None
        assert inwards.value == 0.0


class TestPower:
    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_watts_of_a_virtual_processor_are_those_measured(self, provider: str) -> None:
        """Rounded to a milliwatt."""
        known = tables.keyed("processors", "provider", "processor")
        for row in rows(f"ccf-watts-{provider}"):
            called = row["Architecture"]
            found = known[provider, PROCESSORS.get(called, called.lower().replace(" ", "-"))]
            assert found["source"] == "cloud-carbon-footprint-watts"
            told = (float(found["idle_watts"]), float(found["full_watts"]))
            measured = (float(row["Min Watts"]), float(row["Max Watts"]))
            assert told == pytest.approx(measured, abs=0.0005001), called
