"""Where steps are placed, why not elsewhere, and that labels are law."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.adapters.exhaustive.solver import ExhaustiveSolver
from freehold.domain.errors import PlacementImpossible
from freehold.domain.graph import Graph, Node, Reference
from freehold.domain.labels import inherited, lowered
from freehold.domain.offer import Figure, Hardware, Offer
from freehold.domain.placement import Objective, Problem, Solution
from freehold.domain.project import SiteSpec, StoreSpec
from freehold.domain.step import Needs, Parameter, StepDefinition
from freehold.planning.estimate import Estimate
from freehold.planning.ground import Ground, Laws, Way
from freehold.planning.labelling import Labels, labels_of
from freehold.planning.options import Question, situations
from freehold.planning.placed import Placed
from freehold.planning.placing import Wish, place
from freehold.planning.problem import Limits, Reading
from freehold.replication.travel import barred, barred_from_store

GIB = 2**30
FREE = Laws(lambda _labels, _site: "", lambda _labels, _origin, _destination: "")


def solve(problem: Problem) -> Solution:
    return ExhaustiveSolver().solve(problem, 60.0, 0.0)


def planned(
    graph: Graph,
    ground: Ground,
    laws: Laws = FREE,
    *,
    seconds: Mapping[str, float] | None = None,
    gigabytes: Mapping[str, float] | None = None,
    reading: Reading | None = None,
    limits: Limits | None = None,
    objective: Objective | None = None,
) -> Placed:
    labels, registered = labels_of(graph), (reading or Reading()).registered
    sizes = {
        Reference(node.name): Figure(1e9 * (gigabytes or {}).get(node.name, 0.0), "B", "a test's")
        for node in graph.nodes
    }
    estimates = {
        node.name: Estimate(
            Figure((seconds or {}).get(node.name, 3600.0), "s", "a test's"),
            {},
            (sizes[Reference(node.name)],),
            registered=frozenset(one.output for one in registered if one.node == node.name),
        )
        for node in graph.nodes
    }
    question = Question(ground, laws, objective or Objective())
    found = situations(graph.nodes, labels, estimates, question)
    wish = Wish(graph, labels, sizes, reading or Reading(), limits or Limits())
    return place(wish, found, question, solve)


def where(placed: Placed) -> dict[str, str]:
    return {one.step: one.place.site for one in placed.steps}


def test_the_cheaper_site_wins_and_the_other_is_runner_up(
    draw: Callable[..., Graph], offer: Callable[..., Offer], ground: Callable[..., Ground]
) -> None:
    placed = planned(draw({"a": []}), ground(offer("dear", price=3.0), offer("cheap", price=1.0)))
    (step,) = placed.steps
    assert step.place.site == "cheap"
    assert step.runner_up is not None
    assert step.runner_up.place.site == "dear"
    assert step.runner_up.money == pytest.approx(2.0)
    assert placed.cost.money == pytest.approx(1.0)
    assert placed.solution.gap == 0.0


def test_a_large_input_keeps_its_reader_beside_it(
    draw: Callable[..., Graph], offer: Callable[..., Offer], ground: Callable[..., Ground]
) -> None:
    """The maker can only be at one site; moving its 100 GB costs more than the dearer machine."""
    graph = draw({"a": [], "b": ["a"]}, a={"needs": Needs(accelerators=1)})
    stands = ground(
        offer("gpu", price=2.0, hardware=Hardware(4, GIB, 1, "t4")), offer("cheap", price=1.0)
    )
    assert where(planned(graph, stands, gigabytes={"a": 100.0})) == {"a": "gpu", "b": "gpu"}
    moved = planned(graph, stands, gigabytes={"a": 1.0})
    assert where(moved) == {"a": "gpu", "b": "cheap"}
    (crossing,) = moved.crossings
    assert (crossing.origin, crossing.destination) == ("gpu", "cheap")
    assert crossing.money == pytest.approx(0.1)
    runner_up = moved.step("b").runner_up
    assert runner_up is not None
    assert runner_up.money == pytest.approx(2.0 - 1.0 - 0.1)


def test_each_refusal_says_its_rule(
    draw: Callable[..., Graph], offer: Callable[..., Offer], ground: Callable[..., Ground]
) -> None:
    graph = draw({"a": []}, a={"needs": Needs(8, 32 * GIB, 1), "labels": {"pii": ""}})
    big = Hardware(16, 64 * GIB, 1, "t4")
    stands = replace(
        ground(
            offer("here", hardware=big),
            offer("small"),
            offer("barred", hardware=big),
            offer("denied", hardware=big),
            offer("full", hardware=big, pools={"full cpus": 16.0}),
            offer("spotty", hardware=big, spot=True),
            offer("gone", hardware=big),
            sites=("empty",),
            quotas={"full cpus": 8.0},
        ),
        down={"gone": "it burns"},
    )
    laws = Laws(
        lambda labels, site: "pii: no" if site == "barred" and "pii" in labels else "",
        lambda *_: "",
        lambda _step, _labels, site: ["policy p/r: not there"] if site == "denied" else [],
    )
    (step,) = planned(graph, stands, laws).steps
    assert {(one.site, one.rule) for one in step.refused} == {
        ("small", "hardware"),
        ("barred", "label"),
        ("denied", "policy"),
        ("full", "quota"),
        ("spotty", "spot"),
        ("gone", "down"),
        ("empty", "machines"),
    }
    told = next(one.why for one in step.refused if one.site == "small")
    assert "needs 8 cpus, has 4" in told
    assert "needs 1 accelerators, has 0" in told


def test_accelerators_are_of_the_kind_that_a_step_names(
    draw: Callable[..., Graph], offer: Callable[..., Offer], ground: Callable[..., Ground]
) -> None:
    """The cheaper ones will not do; where no kind is named, they do."""
    large = offer("large", price=9.0, hardware=Hardware(4, GIB, 2, "a100-80gb"))
    stands = ground(large, offer("small", hardware=Hardware(4, GIB, 2, "t4")))
    named = draw({"a": []}, a={"needs": Needs(accelerators=1, accelerator="a100-80gb")})
    (step,) = planned(named, stands).steps
    assert step.place.site == "large"
    assert [one.why for one in step.refused] == ["needs accelerators of a100-80gb, has t4"]
    of_any = draw({"a": []}, a={"needs": Needs(accelerators=1)})
    assert where(planned(of_any, stands)) == {"a": "small"}


def test_a_step_with_no_site_is_an_error_that_lists_them_all(
    draw: Callable[..., Graph], offer: Callable[..., Offer], ground: Callable[..., Ground]
) -> None:
    graph = draw({"a": [], "b": ["a"]}, b={"needs": Needs(accelerators=1)})
    with pytest.raises(PlacementImpossible) as raised:
        planned(graph, ground(offer("x"), offer("y"), sites=("z",)))
    assert raised.value.code == "plan.no-site"
    (fault,) = raised.value.faults
    assert all(site in fault.what for site in ("x", "y", "z"))


def test_spot_is_for_steps_that_resume_and_counts_what_is_redone(
    draw: Callable[..., Graph], offer: Callable[..., Offer], ground: Callable[..., Ground]
) -> None:
    often = Figure(2.0, "1/h", "a test's")
    stands = ground(
        offer("a", price=1.0, boot=60.0), offer("a", price=0.4, spot=True, interruptions=often)
    )
    plain, resuming = draw({"s": []}), draw({"s": []}, s={"resumes": True})
    assert not planned(plain, stands).steps[0].place.spot
    step = planned(resuming, stands).steps[0]
    assert step.place.spot
    assert step.seconds == pytest.approx(3600 + 2.0 * 300)


def test_what_the_driver_reads_comes_to_it_or_nothing_runs(
    draw: Callable[..., Graph], offer: Callable[..., Offer], ground: Callable[..., Ground]
) -> None:
    graph = draw({"a": []}, a={"labels": {"residency": "EU"}})
    stands = ground(offer("us", price=5.0), offer("eu", price=1.0), here="us")
    reading = Reading({"registration": frozenset({Reference("a")})})
    laws = Laws(
        lambda labels, site: "residency=EU: no" if labels and site == "us" else "", lambda *_: ""
    )
    placed = planned(graph, stands, reading=reading)
    assert where(placed) == {"a": "eu"}
    with pytest.raises(PlacementImpossible, match="cannot be driven from us"):
        planned(graph, stands, laws, reading=reading)
    assert where(planned(graph, replace(stands, here="eu"), laws, reading=reading)) == {"a": "eu"}


def test_copies_that_are_kept_unasked_are_counted(
    draw: Callable[..., Graph], offer: Callable[..., Offer], ground: Callable[..., Ground]
) -> None:
    stands = ground(
        offer("a"),
        sites=("b",),
        replicas={"b": frozenset({"results"})},
        storage={"a": Figure(0.02, "USD/GB", "t"), "b": Figure(0.03, "USD/GB", "t")},
    )
    placed = planned(draw({"s": []}), stands, gigabytes={"s": 10.0})
    assert placed.copies == pytest.approx(0.3)
    assert [one.destination for one in placed.crossings] == ["b"]
    assert placed.cost.money == pytest.approx(1.0 + 0.2 + 0.3 + 1.0)


def test_carbon_that_is_unknown_is_not_taken_for_none(
    draw: Callable[..., Graph], offer: Callable[..., Offer], ground: Callable[..., Ground]
) -> None:
    clean = Figure(0.5, "kgCO2e/h", "t")
    stands = ground(offer("unknown", price=0.1), offer("known", price=9.0, carbon=clean))
    placed = planned(draw({"s": []}), stands, objective=Objective(0.0, 1.0))
    assert where(placed) == {"s": "known"}
    assert [one.rule for one in placed.steps[0].refused] == ["carbon"]


# Labels are law, whatever is generated.

SITES = ("eu-a", "eu-b", "us", "free")
JURISDICTIONS = {"eu-a": "EU", "eu-b": "EU", "us": "US", "free": ""}
LABELS = st.dictionaries(
    st.sampled_from(["residency", "pii"]), st.sampled_from(["EU", "US"]), max_size=2
).map(lambda found: {name: "" if name == "pii" else value for name, value in found.items()})


@st.composite
def projects(draw: st.DrawFn) -> tuple[Graph, dict[str, SiteSpec], dict[str, float]]:
    count = draw(st.integers(1, 5))
    nodes = []
    for number in range(count):
        reads = draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
        parameters = tuple(Parameter(f"p{one}", Any) for one in reads)
        lowers = draw(st.sampled_from([(), (), (), ("pii",), ("residency=EU",)]))
        step = StepDefinition(
            f"s{number}", "m", lambda: None, parameters, labels=draw(LABELS), lowers=lowers
        )
        nodes.append(Node(f"s{number}", step, {f"p{one}": Reference(f"s{one}") for one in reads}))
    shared = draw(st.booleans())
    sites = {
        site: SiteSpec(
            StoreSpec("file:///shared" if shared and site in ("eu-b", "us") else f"file:///{site}"),
            private=draw(st.booleans()) and site == "eu-a",
            jurisdiction=JURISDICTIONS[site],
            accepts=("pii",) if draw(st.booleans()) else (),
        )
        for site in SITES
    }
    prices = {site: draw(st.sampled_from([1.0, 2.0, 5.0])) for site in SITES}
    return Graph("p", tuple(nodes), Reference(f"s{count - 1}")), sites, prices


def allowed(labels: Labels, site: SiteSpec) -> bool:
    """By the law's own words, written down again."""
    for name, value in labels.items():
        for one in value.split(","):
            if name == "residency" and site.jurisdiction != one:
                return False
            if name != "residency" and name not in site.accepts:
                return False
    return True


@settings(max_examples=300, deadline=None)
@given(projects(), st.sampled_from(SITES))
def test_no_plan_moves_anything_to_where_its_labels_forbid(
    project: tuple[Graph, dict[str, SiteSpec], dict[str, float]], here: str
) -> None:
    graph, sites, prices = project

    def barred_way(labels: Labels, origin: str, destination: str) -> str:
        stores = [sites[one].store for one in (origin, destination) if not sites[one].private]
        rules = [barred_from_store(labels, store, sites) for store in stores]
        return "" if "" in rules else "; ".join(rules) or "both are private"

    way = Way(Figure(0.01, "USD/GB", "t"), Figure(0.0, "kg/GB", "t"), Figure(1.0, "s/GB", "t"))
    stands = Ground(
        here=here,
        sites=SITES,
        offers={
            site: (Offer(site, "m", Hardware(4, GIB), Figure(prices[site], "USD/h", "t")),)
            for site in SITES
        },
        ways={(a, b): way for a in SITES for b in SITES if a != b},
        storage={},
        quotas={},
        currency="USD",
        keep_days=1.0,
        replicas={"us": frozenset({"results"})},
    )
    laws = Laws(lambda labels, site: barred(labels, sites[site]), barred_way)
    last = graph.nodes[-1].name
    reading = Reading({"registration": frozenset({Reference(last)})})
    sizes = {node.name: 1.0 for node in graph.nodes}
    try:
        placed = planned(graph, stands, laws, gigabytes=sizes, reading=reading)
    except PlacementImpossible:
        return
    made: dict[str, dict[str, str]] = {}
    places = where(placed)
    for node in graph.nodes:
        handled = inherited([*(made[r.node] for _, r in node.references()), node.step.labels])
        made[node.name] = lowered(handled, node.step.lowers)
        assert allowed(handled, sites[places[node.name]]), node.name
    for crossing in placed.crossings:
        labels = made[crossing.output.partition(".")[0]]
        assert allowed(labels, sites[crossing.destination])
        ends = [sites[one] for one in (crossing.origin, crossing.destination)]
        stores = {one.store.at for one in ends if not one.private}
        assert any(
            all(allowed(labels, one) for one in sites.values() if one.store.at == store)
            for store in stores
        ), crossing
    assert allowed(made[last], sites[here])
