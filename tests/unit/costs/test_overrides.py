"""A project's own figures in front of the tables."""

import datetime
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.costs.overrides import overridden
from freehold.domain.errors import NotFound, ProjectInvalid
from freehold.domain.offer import Figure, Hardware
from freehold.ports.price_source import PriceSource
from tests.one_region import BIG, OneRegion


def place(path: tuple[str, ...]) -> str:
    return f"prices.yaml {'.'.join(path)}"


def own(document: dict[str, Any]) -> PriceSource:
    return overridden(OneRegion(), document, place)


def refused(document: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ProjectInvalid) as caught:
        own(document)
    assert caught.value.code == "prices.invalid"
    assert all(fault.what for fault in caught.value.faults)
    return [(fault.code, fault.where.removeprefix("prices.yaml ")) for fault in caught.value.faults]


def machine(**figures: Any) -> dict[str, Any]:
    return {"machines": [{"provider": "cloud", "region": "here", "name": "big", **figures}]}


class TestMachines:
    def test_a_price_stands_in_place_of_the_tables_and_says_so(self) -> None:
        source = own(machine(price=0.8, source="contract 7", date=datetime.date(2026, 11, 1)))
        found = source.machine("cloud", "here", "big")
        assert found.on_demand == Figure(
            0.8,
            "USD/h",
            "the project's own, prices.yaml machines.0, contract 7, in place of 1 USD/h",
            "2026-11-01",
        )
        assert found.spot == BIG.spot
        assert found.watts == BIG.watts
        assert found.hardware == BIG.hardware

    def test_a_spot_price_that_is_no_longer_cheaper_is_not_believed(self) -> None:
        assert own(machine(price=0.4)).machine("cloud", "here", "big").spot is None
        found = own(machine(price=0.4, spot=0.1)).machine("cloud", "here", "big")
        assert found.spot is not None
        assert found.spot.value == 0.1

    def test_a_discount_makes_the_spot_prices_of_a_provider(self) -> None:
        discount = {"spot": [{"provider": "cloud", "discount": 0.75}]}
        spot = own(discount).machine("cloud", "here", "big").spot
        assert spot is not None
        assert spot.value == 0.25
        assert spot.source == (
            "75% under on demand (1 USD/h); the project's own, prices.yaml spot.0"
        )
        said = own(machine(spot=0.3) | discount).machine("cloud", "here", "big").spot
        assert said is not None
        assert said.value == 0.3

    def test_a_type_of_the_projects_own_says_its_size(self) -> None:
        row = {"provider": "rent", "region": "attic", "name": "box", "price": 0.5}
        size = {"cpus": 16, "memory": 64, "accelerators": 2, "accelerator": "l4"}
        found = own({"machines": [row | size]}).machine("rent", "attic", "box")
        assert found.hardware == Hardware(16, 64 * 2**30, 2, "l4")
        assert found.on_demand is not None
        assert found.spot is None
        assert refused({"machines": [row]}) == [("prices.no-size", "machines.0")]

    def test_other_currencies_become_dollars_and_show_it(self) -> None:
        found = own(machine(price=0.5) | {"currency": "EUR", "usd": 1.2})
        price = found.machine("cloud", "here", "big").on_demand
        assert price is not None
        assert (price.value, price.unit) == (0.6, "USD/h")
        assert "0.5 EUR × 1.2 USD/EUR" in price.source

    def test_the_projects_own_names_are_near_too(self) -> None:
        row = {"provider": "cloud", "region": "here", "name": "huge", "price": 9}
        source = own({"machines": [row | {"cpus": 64, "memory": 256}]})
        with pytest.raises(NotFound) as caught:
            source.machine("cloud", "here", "hug")
        assert caught.value.code == "price.unknown-machine"
        assert "nearest: big" in caught.value.why
        assert "huge" in caught.value.why


class TestPlaces:
    def test_grid_overhead_storage_and_transfer(self) -> None:
        source = own(
            {
                "grid": [{"provider": "cloud", "region": "here", "grams_per_kwh": 20}],
                "overhead": [{"provider": "cloud", "ratio": 1.5}],
                "storage": [{"provider": "cloud", "region": "here", "price": 0.02}],
                "transfer": [{"from": "cloud/here", "to": "own", "price": 0.05}],
            }
        )
        grid, storage = source.grid_carbon("cloud", "here"), source.storage("cloud", "here")
        transfer = source.transfer(("cloud", "here"), ("", "attic"))
        assert grid == Figure(
            20, "g/kWh", "the project's own, prices.yaml grid.0, in place of 300 g/kWh"
        )
        assert source.overhead("cloud").value == 1.5
        assert storage == Figure(0.02, "USD/GB/month", "the project's own, prices.yaml storage.0")
        assert transfer is not None
        assert transfer.value == 0.05
        assert "in place of 0.09 USD/GB" in transfer.source

    def test_the_nearer_rule_for_a_transfer_holds(self) -> None:
        rules = [
            {"from": "cloud", "to": "own", "price": 0.03},
            {"from": "cloud/here", "to": "own", "price": 0},
        ]
        for order in (rules, rules[::-1]):
            found = own({"transfer": order}).transfer(("cloud", "here"), ("", ""))
            assert found is not None
            assert found.value == 0
            assert found.source.startswith("the project's own")

    def test_what_a_project_does_not_say_of_its_own_provider_is_unknown(self) -> None:
        source = own({"grid": [{"provider": "rent", "region": "attic", "grams_per_kwh": 40}]})
        attic = ("rent", "attic")
        assert source.storage(*attic) is None
        assert source.transfer(attic, ("cloud", "here")) is None
        staying = source.transfer(attic, attic)
        assert staying is not None
        assert staying.value == 0
        assert source.overhead("rent").source.startswith("assumed")
        for pair in ((("rent", "cellar"), attic), (attic, ("rent", "cellar"))):
            with pytest.raises(NotFound):
                source.transfer(*pair)

    def test_nothing_said_changes_nothing(self) -> None:
        source, base = own({}), OneRegion()
        assert source.machine("cloud", "here", "big") == BIG
        assert source.grid_carbon("cloud", "here") == base.grid_carbon("cloud", "here")
        assert source.overhead("cloud") == base.overhead("cloud")


class TestDigest:
    def test_it_is_of_the_base_and_of_what_the_file_says(self) -> None:
        first = own(machine(price=0.8, date=datetime.date(2026, 11, 1)))
        assert first.digest() == own(machine(price=0.8, date="2026-11-01")).digest()
        assert first.digest() != own(machine(price=0.81, date="2026-11-01")).digest()
        assert first.digest() != own({}).digest() != OneRegion().digest()

    def test_the_order_and_place_of_rows_say_nothing(self) -> None:
        rows = [
            {"provider": "cloud", "region": "here", "grams_per_kwh": 1},
            {"provider": "rent", "region": "attic", "grams_per_kwh": 2},
        ]
        moved = overridden(OneRegion(), {"grid": rows[::-1]}, lambda path: "elsewhere:9")
        assert own({"grid": rows}).digest() == moved.digest()


class TestFaults:
    @pytest.mark.parametrize(
        ("value", "code"),
        [
            (0, "prices.not-positive"),
            (-0.1, "prices.not-positive"),
            ("0.1", "prices.not-a-number"),
            ("0.1 USD", "prices.not-a-number"),
            (True, "prices.not-a-number"),
            (math.nan, "prices.not-a-number"),
            (math.inf, "prices.not-a-number"),
            (10**400, "prices.not-a-number"),
            ([1], "prices.not-a-number"),
        ],
    )
    def test_a_price_is_a_number_above_nothing(self, value: Any, code: str) -> None:
        assert refused(machine(price=value)) == [(code, "machines.0.price")]
        assert refused(machine(spot=value)) == [(code, "machines.0.spot")]
        grid = {"provider": "cloud", "region": "here", "grams_per_kwh": value}
        assert refused({"grid": [grid]}) == [(code, "grid.0.grams_per_kwh")]

    def test_an_unknown_key_has_the_nearest(self) -> None:
        with pytest.raises(ProjectInvalid) as caught:
            own(machine(prize=0.2, price=0.2) | {"machine": []})
        found = {fault.where: fault for fault in caught.value.faults}
        assert found["prices.yaml machine"].hint == "did you mean machines?"
        assert found["prices.yaml machines.0.prize"].hint == "did you mean price?"
        assert {fault.code for fault in caught.value.faults} == {"prices.unknown-key"}

    @pytest.mark.parametrize(
        ("document", "expected"),
        [
            ({"currency": "EURO", "usd": 1.1}, ("prices.currency", "currency")),
            ({"currency": 7}, ("prices.not-text", "currency")),
            ({"currency": "EUR"}, ("prices.rate", "currency")),
            ({"usd": 1.1}, ("prices.rate", "usd")),
            ({"machines": {}}, ("prices.not-a-list", "machines")),
            ({"grid": "none"}, ("prices.not-a-list", "grid")),
            ({"grid": [3]}, ("prices.not-a-row", "grid.0")),
            (machine(), ("prices.missing-key", "machines.0")),
            (machine(price=1, spot=1), ("prices.spot", "machines.0.spot")),
            (machine(price=1, date="soon"), ("prices.not-a-date", "machines.0.date")),
            (machine(price=1, source=3), ("prices.not-text", "machines.0.source")),
            (machine(price=1, cpus=4), ("prices.missing-key", "machines.0")),
            (machine(price=1, accelerator="t4"), ("prices.missing-key", "machines.0")),
            (
                machine(price=1, cpus=4, memory=8, accelerators=1.5, accelerator="t4"),
                ("prices.not-whole", "machines.0.accelerators"),
            ),
            ({"machines": machine(price=1)["machines"] * 2}, ("prices.twice", "machines.1")),
            (
                {"overhead": [{"provider": "cloud", "ratio": 0.9}]},
                ("prices.too-small", "overhead.0.ratio"),
            ),
            (
                {"spot": [{"provider": "cloud", "discount": 65}]},
                ("prices.too-large", "spot.0.discount"),
            ),
            (
                {"storage": [{"provider": "cloud", "region": "here", "price": 0}]},
                ("prices.not-positive", "storage.0.price"),
            ),
            (
                {"transfer": [{"from": "cloud", "to": "own", "price": -1}]},
                ("prices.not-positive", "transfer.0.price"),
            ),
            (
                {"transfer": [{"from": "cloud", "price": 1}]},
                ("prices.missing-key", "transfer.0"),
            ),
        ],
    )
    def test_each_fault_has_a_code_and_its_place(
        self, document: dict[str, Any], expected: tuple[str, str]
    ) -> None:
        assert refused(document) == [expected]

    def test_all_are_told_at_once(self) -> None:
        found = refused(
            machine(price=-1)
            | {"currency": "XXX", "grid": [{"provider": "cloud"}], "overhead": [{"ratio": 0}]}
        )
        assert len(found) == 6

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["currency", "usd", "machines", "grid", "price", "provider", "spot", "from"]
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        )
    )
    def test_no_document_does_worse_than_be_refused(self, value: Any) -> None:
        document = value if isinstance(value, dict) else {"machines": value, "spot": value}
        try:
            source = own(document)
        except ProjectInvalid as refusal:
            assert refusal.faults
        else:
            assert source.digest().startswith("sha256:")
