"""What fits together is taken, and whatever does not is told, all of it at once."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.domain.canonical import canonical
from freehold.domain.columns import Column, Columns
from freehold.domain.errors import PipelineInvalid
from freehold.domain.model_graph import ModelGraph
from freehold.domain.model_graph_document import as_document, read_document
from freehold.domain.model_graph_part import (
    Cascade,
    Chain,
    Ensemble,
    Function,
    Member,
    Misfit,
    Part,
    Post,
    Trained,
    Transformer,
)
from freehold.domain.model_graph_types import DEEPEST, graph_faults

COLUMNS = Columns(
    (
        Column("items", "number"),
        Column("minutes", "number"),
        Column("device", "category", ("desk", "phone")),
    )
)
OTHER = {"number": "category", "category": "number"}
SOURCE = "def f(table): ...\n"


class Composer:
    """Graphs by chance, each part at a place of its own, with the faults that were put in."""

    def __init__(self, draw: Any, is_faulty: bool) -> None:
        self._draw, self._is_faulty = draw, is_faulty
        self._count = 0
        self.expected: set[tuple[str, str]] = set()

    def part(self, kinds: dict[str, str], depth: int) -> Part:
        """From a table to scores."""
        steps: list[Part] = []
        for _ in range(self._draw(st.integers(0, 2))):
            where = self._where()
            gives = self._draw(
                st.dictionaries(st.sampled_from("abcd"), st.sampled_from(sorted(OTHER)), min_size=1)
            )
            takes = self._taken(kinds, where)
            steps.append(Transformer(self._function(takes, gives), where=where))
            kinds = {**kinds, **gives}
        steps.append(self._scored(kinds, depth))
        for _ in range(self._draw(st.integers(0, 2))):
            where = self._where()
            takes = self._taken(kinds, where) if self._draw(st.booleans()) else {}
            steps.append(Post(self._function(takes, None), where=where))
        return Chain(tuple(steps)) if len(steps) > 1 else steps[0]

    def _scored(self, kinds: dict[str, str], depth: int) -> Part:
        where = self._where()
        kind = self._draw(st.sampled_from(["model", "ensemble", "cascade"])) if depth else "model"
        if kind == "ensemble":
            names = self._draw(st.lists(st.sampled_from("pqrs"), min_size=1, unique=True))
            if self._fault("graph.name-twice", where):
                names.append(names[0].upper())
            members = []
            for name in names:
                weight: Any = self._draw(st.floats(0.1, 10))
                if self._fault("graph.weight", where):
                    weight = self._draw(st.sampled_from([0, -1.0, float("nan"), 1e9, "1", True]))
                members.append(Member(name, weight, self.part(kinds, depth - 1)))
            return Ensemble(tuple(members), where=where)
        if kind == "cascade":
            band: Any = (0.25, 0.5)
            if self._fault("graph.band", where):
                band = self._draw(
                    st.sampled_from([(0.5, 0.25), (-0.1, 0.5), (0.5, 1.5), (0.5, 0.5), ("a", 1)])
                )
            first, second = self.part(kinds, depth - 1), self.part(kinds, depth - 1)
            return Cascade(first, second, band[0], band[1], where=where)
        taken = self._taken(kinds, where)
        values: dict[str, tuple[str, ...]] = {}
        if taken.get("device") == "category" and "device" in kinds and self._draw(st.booleans()):
            values["device"] = ("phone",)
            if self._fault("graph.values", where):
                values["device"] = ("phone", "tv")
        columns = tuple(
            Column(name, kind, values.get(name, ()) if kind == "category" else ())  # type: ignore[arg-type]
            for name, kind in taken.items()
        )
        return Trained(None, Columns(columns), where=where)

    def _taken(self, kinds: dict[str, str], where: str) -> dict[str, str]:
        names = self._draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, unique=True))
        taken = {name: kinds[name] for name in names}
        if self._fault("graph.column-missing", where):
            taken["nowhere"] = "number"
        if self._fault("graph.column-kind", where):
            taken[names[0]] = OTHER[taken[names[0]]]
        return taken

    def _fault(self, code: str, where: str) -> bool:
        chosen = self._is_faulty and self._draw(st.integers(0, 3)) == 0
        if chosen:
            self.expected.add((code, where))
        return bool(chosen)

    def _function(self, takes: dict[str, str], gives: dict[str, str] | None) -> Function:
        return Function(f"f{self._count}", SOURCE, takes, gives)

    def _where(self) -> str:
        self._count += 1
        return f"steps.py:{self._count}"


def models(graph: ModelGraph) -> dict[str, Trained]:
    return {name: Trained(name, one.columns) for name, one in graph.models.items()}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_what_fits_is_taken_and_its_document_says_the_same(data: Any) -> None:
    graph = ModelGraph(COLUMNS, Composer(data.draw, False).part(kinds(), 2))
    formats = dict.fromkeys(graph.models, "lightgbm")
    document = canonical(as_document(graph, formats))
    sources = {name: one.source for name, one in graph.functions.items()}
    unnamed = {name: Trained(None, one.columns) for name, one in graph.models.items()}
    part, faults = read_document(json.loads(document), sources, unnamed)
    assert faults == [] and part == graph.part
    assert canonical(as_document(ModelGraph(COLUMNS, part), formats)) == document


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_every_fault_is_told_and_no_other(data: Any) -> None:
    composer = Composer(data.draw, True)
    part = composer.part(kinds(), 2)
    found = graph_faults(COLUMNS, part)
    assert {(fault.code, fault.where) for fault in found} == composer.expected
    assert all(fault.what and fault.hint for fault in found)
    if found:
        with pytest.raises(PipelineInvalid) as caught:
            ModelGraph(COLUMNS, part)
        assert caught.value.code == "graph.invalid" and caught.value.faults == found
    else:
        ModelGraph(COLUMNS, part)


def kinds() -> dict[str, str]:
    return {column.name: str(column.kind) for column in COLUMNS.columns}


MODEL = Trained(None, Columns((Column("items", "number"),)))
PACED = Transformer(Function("paced", SOURCE, {"items": "number"}, {"pace": "number"}))
CALMED = Post(Function("calmed", SOURCE, {}, None))


@pytest.mark.parametrize(
    ("part", "codes"),
    [
        (MODEL >> PACED, ["graph.scores-into-table", "graph.no-scores"]),
        (MODEL >> MODEL, ["graph.scores-into-table"]),
        (MODEL >> Ensemble((Member("a", 1.0, MODEL),)), ["graph.scores-into-table"]),
        (MODEL >> Cascade(MODEL, MODEL, 0.1, 0.2), ["graph.scores-into-table"]),
        (CALMED >> CALMED, ["graph.table-into-scores"]),
        (PACED, ["graph.no-scores"]),
        (Cascade(PACED, MODEL >> CALMED, 0.1, 0.2), ["graph.no-scores"]),
        (Ensemble((Member("a", 1.0, PACED),)), ["graph.no-scores"]),
        (Ensemble(()), ["graph.empty"]),
        (Ensemble((Member("no/path", 1.0, MODEL),)), ["graph.name"]),
        (MODEL >> (lambda scores: scores), ["graph.part"]),
        (Misfit("Booster"), ["graph.part"]),
        (PACED >> PACED >> MODEL, []),
        (
            PACED
            >> Transformer(Function("Paced", SOURCE, {"pace": "number"}, {"b": "number"}))
            >> MODEL,
            ["graph.name-twice"],
        ),
    ],
)
def test_parts_in_a_place_where_they_do_not_belong(part: Part, codes: list[str]) -> None:
    assert [fault.code for fault in graph_faults(COLUMNS, part)] == codes


def test_a_column_that_was_replaced_has_its_new_kind_and_no_values_of_the_old() -> None:
    named = Function("named", SOURCE, {"items": "number"}, {"items": "category"})
    takes = Columns((Column("items", "category", ("few", "many")),))
    ModelGraph(COLUMNS, Transformer(named) >> Trained(None, takes))
    again = Function("again", SOURCE, {"items": "number"}, {"device": "category"})
    tv = Columns((Column("device", "category", ("tv",)),))
    ModelGraph(COLUMNS, Transformer(again) >> Trained(None, tv))
    assert [f.code for f in graph_faults(COLUMNS, Trained(None, tv))] == ["graph.values"]


def test_what_a_member_adds_is_seen_by_no_other() -> None:
    pace = Trained(None, Columns((Column("pace", "number"),)))
    both = Ensemble((Member("a", 1.0, PACED >> pace), Member("b", 1.0, pace)))
    assert [fault.code for fault in graph_faults(COLUMNS, both)] == ["graph.column-missing"]
    after = PACED >> Ensemble((Member("a", 1.0, pace), Member("b", 1.0, pace)))
    assert graph_faults(COLUMNS, after) == ()


def test_a_function_whose_types_are_not_known_hides_nothing_but_its_columns() -> None:
    fault = Function("paced", "", {}, {}, faults=graph_faults(COLUMNS, PACED))
    pace = Trained(None, Columns((Column("pace", "number"), Column("device", "number"))))
    found = [one.code for one in graph_faults(COLUMNS, Transformer(fault) >> pace)]
    assert found == ["graph.column-kind", "graph.no-scores"]


def test_parts_that_lie_too_deep() -> None:
    part: Part = MODEL
    for _ in range(DEEPEST + 1):
        part = Cascade(part, MODEL, 0.1, 0.2)
    assert [fault.code for fault in graph_faults(COLUMNS, part)] == ["graph.deep"]


def document() -> dict[str, Any]:
    graph = ModelGraph(COLUMNS, PACED >> Cascade(MODEL, MODEL >> CALMED, 0.1, 0.2))
    return as_document(graph, dict.fromkeys(graph.models, "lightgbm"))


def faults_of(value: Any) -> list[str]:
    beside = {"first": MODEL, "second": MODEL}
    part, faults = read_document(value, {"paced": SOURCE, "calmed": SOURCE}, beside)
    return [fault.code for fault in [*faults, *graph_faults(COLUMNS, part)]]


@pytest.mark.parametrize(
    "path",
    [
        ("functions", "paced", "file"),
        ("functions", "paced", "takes", "items"),
        ("functions", "calmed", "gives"),
        ("models", "first", "folder"),
        ("models",),
        ("graph", "chain", 0, "transformer"),
        ("graph", "chain", 1, "cascade", "first"),
        ("graph", "chain", 1, "cascade", "unsure"),
        ("kind",),
    ],
)
def test_a_document_that_was_altered(path: tuple[Any, ...]) -> None:
    assert faults_of(document()) == []
    for other in (None, 7, "else", [], {}, [7], {"chain": []}, {"model": "x", "post": "calmed"}):
        value = document()
        at: Any = value
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = other
        assert "graph.document" in faults_of(value), other


def test_a_document_that_is_short_of_something_or_has_too_much() -> None:
    value = document()
    value["graph"] = {"model": "first"}
    assert faults_of(value) == ["graph.document"] * 3
    value = document()
    value["graph"]["chain"].append({"transformer": "calmed"})
    assert "graph.document" in faults_of(value)
    value["graph"] = {"chain": [{"chain": [{"model": "first"}]}]}
    assert "graph.document" in faults_of(value)
    deep: Any = {"model": "first"}
    for _ in range(5000):
        deep = {"chain": [deep]}
    assert faults_of({**document(), "graph": deep}) == ["graph.deep"]


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "kind",
                        "graph",
                        "functions",
                        "models",
                        "chain",
                        "model",
                        "post",
                        "ensemble",
                        "cascade",
                        "first",
                        "second",
                        "unsure",
                        "name",
                        "weight",
                        "transformer",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_a_document_is_it_is_told(value: Any) -> None:
    assert faults_of(value)
    assert faults_of({**document(), "graph": value})
