"""Ways that labels bar are limits of the one optimum, and are told."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from freehold.domain.errors import PlacementImpossible
from freehold.domain.graph import Graph, Reference
from freehold.domain.offer import Offer
from freehold.planning.ground import Ground, Laws
from freehold.planning.labelling import Labels
from freehold.planning.placed import Placed
from freehold.planning.problem import Reading
from tests.unit.planning.test_placing import planned, where

RULE = "pii: the store does not accept it"


def barring(*ways: tuple[str, str]) -> Laws:
    def way(labels: Labels, origin: str, destination: str) -> str:
        return RULE if "pii" in labels and (origin, destination) in ways else ""

    return Laws(lambda *_: "", way)


@pytest.fixture
def chain(draw: Callable[..., Graph]) -> Graph:
    return draw({"make": [], "read": ["make"]}, make={"labels": {"pii": ""}})


@pytest.fixture
def three(offer: Callable[..., Offer], ground: Callable[..., Ground]) -> Ground:
    """Made and read at `near` costs 6; made there and read `far` costs 4, or 5 made at `other`."""
    return ground(
        offer("near", price=3.0), offer("other", price=4.0), offer("far", price=1.0),
        per_gigabyte=0.0,
    )  # fmt: skip


def read_far(graph: Graph, stands: Ground, laws: Laws, **more: Any) -> Placed:
    """The first step cannot run where the second is cheapest."""
    never_far = Laws(laws.barred, laws.barred_way, lambda step, _, site: made_not_far(step, site))
    return planned(graph, stands, never_far, **more)


def made_not_far(step: str, site: str) -> list[str]:
    return ["policy p/r: not there"] if (step, site) == ("make", "far") else []


def test_without_a_label_the_way_is_open(chain: Graph, three: Ground) -> None:
    placed = read_far(chain, three, barring())
    assert where(placed) == {"make": "near", "read": "far"}
    assert placed.cost.money == pytest.approx(4.0)


def test_the_maker_moves_where_that_is_better_than_to_move_the_reader(
    chain: Graph, three: Ground
) -> None:
    """The best under the law, not the best repaired: both at `near` would cost 6."""
    placed = read_far(chain, three, barring(("near", "far")))
    assert where(placed) == {"make": "other", "read": "far"}
    assert placed.cost.money == pytest.approx(5.0)
    assert placed.solution.gap == 0.0


def test_each_place_that_a_way_shuts_is_refused_with_its_rule(chain: Graph, three: Ground) -> None:
    placed = read_far(chain, three, barring(("near", "far"), ("other", "far")))
    assert where(placed) == {"make": "near", "read": "near"}
    (refusal,) = [one for one in placed.step("read").refused if one.rule == "way"]
    assert (refusal.site, refusal.why) == ("far", f"from near to far: {RULE}")
    assert placed.step("read").runner_up is not None
    placed = read_far(chain, three, barring(("near", "far")))
    (refusal,) = [one for one in placed.step("make").refused if one.rule == "way"]
    assert (refusal.site, refusal.why) == ("near", f"from near to far: {RULE}")


def test_another_artifact_takes_the_way_that_is_barred_to_one(
    draw: Callable[..., Graph], three: Ground
) -> None:
    graph = draw({"make": [], "read": ["make"], "plain": [], "too": ["plain"]},
                 make={"labels": {"pii": ""}}, plain={"labels": {}})  # fmt: skip
    placed = read_far(graph, three, barring(("near", "far"), ("other", "far")))
    assert where(placed)["read"] == "near"
    assert (where(placed)["plain"], where(placed)["too"]) == ("far", "far")


def test_where_no_way_is_left_every_one_is_told(chain: Graph, three: Ground) -> None:
    """What is read at home has to come there."""
    reading = Reading({"registration": frozenset({Reference("make")})})
    stands = replace(three, here="far")
    laws = barring(("near", "far"), ("other", "far"))
    with pytest.raises(PlacementImpossible) as raised:
        read_far(chain, stands, laws, reading=reading)
    assert raised.value.code == "plan.no-site"
    (fault,) = raised.value.faults
    assert fault.what == (
        f"what 'make' makes may not go from near to far: {RULE}; from other to far: {RULE}"
    )


def test_a_copy_that_cannot_come_moves_no_step(chain: Graph, three: Ground) -> None:
    """`keeps: results` is what a site likes to have."""
    stands = replace(three, replicas={"other": frozenset({"results"})})
    placed = planned(chain, stands, barring(("far", "other"), ("near", "other")))
    assert where(placed) == {"make": "far", "read": "far"}
    assert placed.kept == ()
