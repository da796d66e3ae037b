"""What is made bears the labels of all that it was made from, until a step lowers them."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.labels import inherited, lowered, values_of
from freehold.planning.labelling import labels_of

LABELS = st.dictionaries(
    st.sampled_from(["pii", "residency", "team"]), st.sampled_from(["", "EU", "US", "EU,US"])
)


def test_labels_are_inherited_along_every_way(draw: Callable[..., Any]) -> None:
    graph = draw(
        {"people": [], "weather": [], "join": ["people", "weather"], "report": ["weather"]},
        people={"labels": {"pii": "", "residency": "EU"}},
        weather={"labels": {"residency": "US"}},
    )
    found = labels_of(graph)
    assert found["join"].makes == {"pii": "", "residency": "EU,US"}
    assert found["report"].makes == {"residency": "US"}


def test_a_feature_view_bears_what_its_events_and_tables_do(draw: Callable[..., Any]) -> None:
    """A view is what a step makes by joining at a time; so is what is learnt from it."""
    graph = draw(
        {"events": [], "profiles": [], "view": ["events", "profiles"], "model": ["view"]},
        profiles={"labels": {"pii": "", "residency": "EU"}},
    )
    found = labels_of(graph)
    assert found["view"].makes == found["model"].makes == {"pii": "", "residency": "EU"}


def test_a_step_that_lowers_handles_what_it_makes_no_longer_bear(draw: Callable[..., Any]) -> None:
    graph = draw(
        {"people": [], "count": ["people"], "after": ["count"]},
        people={"labels": {"pii": "", "residency": "EU"}},
        count={"lowers": ("pii",)},
    )
    found = labels_of(graph)
    assert found["count"].bears == {"pii": "", "residency": "EU"}
    assert found["count"].lowers == {"pii": ""}
    assert found["after"].bears == {"residency": "EU"}


def test_one_value_of_several_may_go(draw: Callable[..., Any]) -> None:
    graph = draw(
        {"a": [], "b": ["a"]}, a={"labels": {"residency": "EU,US"}}, b={"lowers": ("residency=US",)}
    )
    found = labels_of(graph)["b"]
    assert found.makes == {"residency": "EU"}
    assert found.lowers == {"residency": "US"}


def test_what_was_recorded_of_bytes_stays(draw: Callable[..., Any]) -> None:
    graph = draw({"a": [], "b": ["a"]})
    assert labels_of(graph, {"a": {"pii": ""}})["b"].makes == {"pii": ""}


def test_a_label_may_be_left_out_to_see_what_that_changes(draw: Callable[..., Any]) -> None:
    graph = draw({"a": [], "b": ["a"]}, a={"labels": {"pii": "", "team": "x"}})
    assert labels_of(graph, ignored={"a": {"pii"}})["b"].makes == {"team": "x"}


@given(several=st.lists(LABELS, max_size=4))
def test_lowering_nothing_changes_nothing_and_lowering_all_leaves_none(
    several: list[dict[str, str]],
) -> None:
    found = inherited(several)
    assert lowered(found, []) == found
    assert lowered(found, list(found)) == {}


@given(
    labels=LABELS,
    name=st.sampled_from(["pii", "residency", "team"]),
    value=st.text("EUS", max_size=2),
)
def test_lowering_one_value_takes_that_one_only(
    labels: dict[str, str], name: str, value: str
) -> None:
    left = lowered(labels, [f"{name}={value}"])
    for one, values in labels.items():
        gone = {value} if one == name else set()
        kept = set(values_of(values)) - gone
        assert set(values_of(left[one])) == kept if kept else one not in left
