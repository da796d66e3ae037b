"""What sites keep of a registered model is counted, wherever it is made."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from freehold.domain.errors import PlacementImpossible
from freehold.domain.graph import Graph, Reference
from freehold.domain.offer import Figure, Offer
from freehold.planning.ground import Ground, Laws, Way
from freehold.planning.placed import Placed
from freehold.planning.problem import Limits, Reading
from tests.unit.planning.test_placing import FREE, planned, where

MODEL = Reference("train")
REGISTERS = Reading({"registration": frozenset({MODEL})}, frozenset({MODEL}))
ALIASES = frozenset({"aliases"})


def price(value: float) -> Figure:
    return Figure(value, "USD/GB", "a test's")


@pytest.fixture
def of_two(
    draw: Callable[..., Graph], offer: Callable[..., Offer], ground: Callable[..., Ground]
) -> Callable[..., Placed]:
    """Planned at `home`, where a machine costs 1 an hour; a GB to `far` costs 0.1, back 0.5. A
    month of it costs 0.02 at home and 0.03 there. The model has 10 GB."""

    def made(laws: Laws = FREE, limits: Limits | None = None, **more: Any) -> Placed:
        stands = ground(
            offer("home"),
            offer("far", price=9.0),
            storage={"home": price(0.02), "far": price(0.03)},
            **{"replicas": {"far": ALIASES}, **more},
        )
        back = replace(stands.ways["far", "home"], money=price(0.5))
        out = replace(stands.ways["home", "far"], carbon=Figure(0.2, "kgCO2e/GB", "a test's"))
        ways: dict[tuple[str, str], Way] = {("home", "far"): out, ("far", "home"): back}
        stands = replace(stands, ways=ways)
        graph = draw({"train": []}, train={"labels": {"pii": ""}})
        return planned(
            graph, stands, laws, gigabytes={"train": 10.0}, reading=REGISTERS, limits=limits
        )

    return made


def test_a_copy_where_aliases_are_kept_is_fetched_and_kept(of_two: Callable[..., Placed]) -> None:
    placed = of_two()
    (copy,) = placed.kept
    assert (copy.site, copy.outputs) == ("far", ("train.0",))
    assert copy.money == pytest.approx(10 * 0.1 + 10 * 0.03)
    assert copy.carbon == pytest.approx(2.0)
    assert copy.when == "when the version has an alias"
    assert copy.formula == ("10 GB × 0.1 USD/GB + 10 GB × 0.03 USD/GB a month × 30 days / 30")
    assert set(copy.figures) == {"size of train.0", "storage", "kept", "price", "carbon"}
    assert placed.cost.money == pytest.approx(1.0 + 10 * 0.02 + copy.money)
    assert placed.cost.carbon == pytest.approx(2.0)


def test_it_comes_from_where_it_is_registered_wherever_it_is_made(
    of_two: Callable[..., Placed],
) -> None:
    placed = of_two(down={"home": "no work there"})
    assert where(placed) == {"train": "far"}
    (copy,) = placed.kept
    assert copy.money == pytest.approx(10 * 0.1 + 10 * 0.03)
    # The machine, and the model's way home, where it is registered; far keeps it as its copy.
    assert placed.cost.money == pytest.approx(9.0 + 10 * 0.5 + copy.money)


def test_every_site_that_keeps_it_has_its_own_copy(of_two: Callable[..., Placed]) -> None:
    placed = of_two(replicas={"home": ALIASES, "far": frozenset({"models", "aliases"})})
    home, far = placed.kept
    assert (home.site, home.money) == ("home", pytest.approx(10 * 0.02))
    assert (far.site, far.when) == ("far", "when policy allows the version")
    assert placed.cost.money == pytest.approx(1.0 + home.money + far.money)


@pytest.mark.parametrize("barred", ["site", "way"])
def test_no_copy_is_counted_where_labels_forbid_it(
    of_two: Callable[..., Placed], barred: str
) -> None:
    at_far = Laws(
        lambda labels, site: "no" if barred == "site" and "pii" in labels and site == "far" else "",
        lambda labels, _, to: "no" if barred == "way" and "pii" in labels and to == "far" else "",
    )
    placed = of_two(at_far)
    assert (where(placed), placed.kept) == ({"train": "home"}, ())
    assert placed.cost.money == pytest.approx(1.0 + 10 * 0.02)


def test_none_is_counted_at_a_site_that_is_down(of_two: Callable[..., Placed]) -> None:
    assert of_two(down={"far": "it burns"}).kept == ()


def test_a_budget_pays_for_copies_too(of_two: Callable[..., Placed]) -> None:
    assert of_two(limits=Limits(budget=2.6)).cost.money == pytest.approx(2.5)
    with pytest.raises(PlacementImpossible):
        of_two(limits=Limits(budget=2.4))
