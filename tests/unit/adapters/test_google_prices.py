"""How Google Cloud's prices of a core and a GiB become prices of machine types."""

from typing import Any

import pytest

from freehold.adapters.price_tables import tables
from tools.prices import google

CORE, GIB = 0.031611, 0.004237
"""USD an hour of n1 in us-central1, as the price file has them."""
SPOT_CORE, SPOT_GIB = 0.006655, 0.000892
REGIONS = ("us-central1", "europe-west6")
KINDS = ("on_demand", "preemptible")


def part(on_demand: float, preemptible: float) -> dict[str, Any]:
    """Prices of a core, or of a GiB, in every region."""
    of_kind = {"on_demand": on_demand, "preemptible": preemptible}
    of_kind |= {"1yr_commitment": on_demand * 0.6, "3yr_commitment": on_demand * 0.4}
    regional = {
        kind: {region: {"price": price, "sku": "2E27-4F75-95CD"} for region in REGIONS}
        for kind, price in of_kind.items()
    }
    return {"description": "predefined instance core or ram", **regional}


def table() -> dict[str, Any]:
    """As the price file has it, of all families at one price; with what makes no type of ours."""
    families = ("c2", "e2", "e2_custom", "m1", "n1", "n1_custom_extended", "n2", "n2d")
    return {
        family: {"cpu": part(CORE, SPOT_CORE), "ram": part(GIB, SPOT_GIB)} for family in families
    }


def read(of: dict[str, Any]) -> dict[tuple[str, str], tuple[float | None, float | None]]:
    """Type and region → on demand and spot."""
    return {(one.machine, one.region): (one.on_demand, one.spot) for one in google.prices(of)}


@pytest.mark.parametrize(
    ("machine", "cores", "memory"),
    [
        ("n1-standard-4", 4, 15),
        ("n1-highmem-8", 8, 52),
        ("n1-highcpu-96", 96, 86.4),
        ("n2d-standard-224", 224, 896),
        ("e2-highcpu-32", 32, 32),
        ("c2-standard-30", 30, 120),
    ],
)
def test_a_type_costs_its_cores_and_its_memory(machine: str, cores: int, memory: float) -> None:
    on_demand, spot = read(table())[machine, "us-central1"]
    assert on_demand == pytest.approx(cores * CORE + memory * GIB, abs=1e-6)
    assert spot == pytest.approx(cores * SPOT_CORE + memory * SPOT_GIB, abs=1e-6)
    (size,) = [one for one in google.sizes() if one.machine == machine]
    assert (size.provider, size.cpus, size.accelerators) == ("gcp", cores, 0)
    assert size.memory == pytest.approx(memory)


def test_it_comes_to_the_list_price_that_people_know() -> None:
    on_demand, spot = read(table())["n1-standard-4", "us-central1"]
    assert on_demand == pytest.approx(0.19, abs=1e-5)
    assert spot == pytest.approx(0.04, abs=1e-5)


@pytest.mark.parametrize("what", ["cpu", "ram"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("entry", [{"price": 0, "sku": "2E27-4F75-95CD"}, {}])
def test_where_a_part_is_zero_or_not_told_the_whole_is_unknown(
    what: str, kind: str, entry: dict[str, Any]
) -> None:
    """Else a machine would cost its memory alone, or its cores. Another family is left as it is."""
    prices = table()
    prices["n2"][what][kind]["europe-west6"] = entry
    found, whole = read(prices), read(table())
    place = KINDS.index(kind)
    for machine in ("n2-standard-2", "n2-highmem-80", "n2-highcpu-8"):
        assert found[machine, "europe-west6"][place] is None
        other = 1 - place
        assert found[machine, "europe-west6"][other] == whole[machine, "europe-west6"][other]
        assert found[machine, "us-central1"] == whole[machine, "us-central1"]
    assert found["n2d-standard-2", "europe-west6"] == whole["n2d-standard-2", "europe-west6"]


def test_a_region_without_a_preemptible_entry_has_no_spot_price() -> None:
    prices = table()
    for what in ("cpu", "ram"):
        del prices["n2"][what]["preemptible"]["europe-west6"]
    on_demand, spot = read(prices)["n2-standard-2", "europe-west6"]
    assert on_demand is not None and spot is None


def test_types_are_those_that_are_listed_each_in_every_region() -> None:
    """None of memory-optimised, custom or extended machines."""
    machines = {one.machine for one in google.sizes()}
    assert len(machines) == len(google.sizes()) == 100
    found = list(google.prices(table()))
    assert {(one.machine, one.region) for one in found} == {
        (machine, region) for machine in machines for region in REGIONS
    }
    assert len(found) == len(machines) * len(REGIONS)
    assert {one.listed for one in found} == {None}


def test_every_processor_that_is_named_has_its_watts() -> None:
    known = tables.keyed("processors", "provider", "processor")
    assert {("gcp", one.processor) for one in google.sizes()} <= known.keys()
