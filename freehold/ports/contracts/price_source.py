"""What every price source must do."""

import pytest

from freehold.domain.errors import NotFound
from freehold.domain.offer import Figure
from freehold.ports.price_source import MachineType, PriceSource

Asked = tuple[str, str, str]
"""Provider, region and name of a machine type whose on-demand price is known."""


def sound(figure: Figure | None, unit: str) -> None:
    """What holds for any figure that is given, except for what costs nothing."""
    if figure is not None:
        assert figure.value > 0
        assert figure.unit == unit
        assert figure.source.strip()


class PriceSourceContract:
    """Give the fixtures `source` and `asked`."""

    @pytest.fixture
    def machine(self, source: PriceSource, asked: Asked) -> MachineType:
        return source.machine(*asked)

    def test_a_machine_is_what_it_is_called_and_has_a_size(
        self, machine: MachineType, asked: Asked
    ) -> None:
        assert machine.name == asked[2]
        assert machine.hardware.cpus > 0
        assert machine.hardware.memory > 0
        assert bool(machine.hardware.accelerators) == bool(machine.hardware.accelerator)

    def test_every_figure_of_a_machine_is_above_nothing_and_says_its_source(
        self, machine: MachineType
    ) -> None:
        assert machine.on_demand is not None
        sound(machine.on_demand, "USD/h")
        sound(machine.spot, "USD/h")
        sound(machine.watts, "W")

    def test_spot_is_cheaper(self, machine: MachineType) -> None:
        if machine.spot is not None and machine.on_demand is not None:
            assert machine.spot.value < machine.on_demand.value

    def test_a_place_has_carbon_overhead_and_storage_with_sources_where_known(
        self, source: PriceSource, asked: Asked
    ) -> None:
        provider, region, _ = asked
        sound(source.grid_carbon(provider, region), "g/kWh")
        sound(source.storage(provider, region), "USD/GB/month")
        sound(source.overhead(provider), "1")
        assert source.overhead(provider).value >= 1

    def test_what_crosses_has_a_price_or_none_and_staying_costs_nothing(
        self, source: PriceSource, asked: Asked
    ) -> None:
        place, own = asked[:2], ("", "")
        for pair in ((place, own), (own, place), (own, own)):
            crossing = source.transfer(*pair)
            if crossing is not None:
                assert crossing.value >= 0
                assert crossing.unit == "USD/GB"
                assert crossing.source.strip()
        staying = source.transfer(place, place)
        assert staying is not None
        assert staying.value == 0

    def test_the_same_question_has_the_same_answer(
        self, source: PriceSource, asked: Asked, machine: MachineType
    ) -> None:
        place = asked[:2]
        assert source.machine(*asked) == machine
        assert source.grid_carbon(*place) == source.grid_carbon(*place)
        assert source.storage(*place) == source.storage(*place)
        assert source.transfer(place, ("", "")) == source.transfer(place, ("", ""))
        assert source.digest() == source.digest()
        assert source.digest().startswith("sha256:")

    def test_an_unknown_provider_is_refused_everywhere(
        self, source: PriceSource, asked: Asked
    ) -> None:
        _, region, name = asked
        for question in (
            lambda: source.machine("nimbus", region, name),
            lambda: source.grid_carbon("nimbus", region),
            lambda: source.overhead("nimbus"),
            lambda: source.storage("nimbus", region),
            lambda: source.transfer(("nimbus", region), ("", "")),
            lambda: source.transfer(("", ""), ("nimbus", region)),
        ):
            with pytest.raises(NotFound) as caught:
                question()
            assert caught.value.code == "price.unknown-provider"

    def test_an_unknown_region_is_refused_with_the_nearest(
        self, source: PriceSource, asked: Asked
    ) -> None:
        provider, region, name = asked
        wrong = region[:-1] + "x"
        for question in (
            lambda: source.machine(provider, wrong, name),
            lambda: source.grid_carbon(provider, wrong),
            lambda: source.storage(provider, wrong),
            lambda: source.transfer((provider, wrong), (provider, region)),
        ):
            with pytest.raises(NotFound) as caught:
                question()
            assert caught.value.code == "price.unknown-region"
            assert region in caught.value.why

    def test_an_unknown_machine_is_refused_with_the_nearest(
        self, source: PriceSource, asked: Asked
    ) -> None:
        provider, region, name = asked
        with pytest.raises(NotFound) as caught:
            source.machine(provider, region, name[:-1])
        assert caught.value.code == "price.unknown-machine"
        assert name in caught.value.why
