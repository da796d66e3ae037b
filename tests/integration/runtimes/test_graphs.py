"""What a graph answers is the composition done by hand, wherever it answers; what its functions do
costs the call that they did it in."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from platform import python_version
from typing import Any, TypedDict

import lightgbm
import numpy as np
import polars as pl
import pytest
import xgboost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from freehold import (
    Category,
    Column,
    Columns,
    ModelGraph,
    Number,
    Scores,
    cascade,
    ensemble,
    post,
    trained,
    transformer,
)
from freehold.adapters.auto.runtime import AutoRuntime
from freehold.adapters.graph.codec import GraphCodec
from freehold.adapters.graph.framework import GraphFramework
from freehold.adapters.graph.loader import Evaluation, GraphFailed, as_scores
from freehold.adapters.graph.runtime import GraphPredictor, GraphRuntime
from freehold.adapters.isolation.runtime import IsolatedRuntime, PyfuncRuntime
from freehold.adapters.isolation.settings import ProcessSettings
from freehold.catalog.package import PackageContents, payload_files
from freehold.domain.errors import Failed, IntegrityError
from freehold.ports.model_runtime import Elsewhere

CARRIERS = ("AA", "UA", "DL", "é 😀", "")
HOURS = ("late", "early", "unknown")
COLUMNS = Columns(
    (
        Column("distance", "number"),
        Column("carrier", "category", CARRIERS),
        Column("hour", "number"),
    )
)
PACED = Columns(
    (
        Column("part", "category", HOURS),
        Column("pace", "number"),
        Column("carrier", "category", CARRIERS[::-1]),
    )
)
SHORT = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
Hand = Callable[[dict[str, Any]], Any]


class Flight(TypedDict):
    distance: Number
    hour: Number


class Paced(TypedDict):
    pace: Number
    part: Category


class Carried(TypedDict):
    carrier: Category


NOON = 12.0


def paced(flight: Flight) -> Paced:
    late = np.where(flight["hour"] > NOON, "late", "early").astype(object)
    late[np.isnan(flight["hour"])] = None
    return {"pace": flight["distance"] / (np.abs(flight["hour"]) + 1.0), "part": late}


def calmed(scores: Scores) -> Scores:
    return 0.05 + 0.9 * scores


def ruled(scores: Scores, flight: Carried) -> Scores:
    return np.where(flight["carrier"] == "UA", scores / 2, scores)


@dataclass(frozen=True)
class Library:
    models: dict[str, tuple[Any, Columns, Hand]]
    """Each with its columns and its own predict, of a table."""


def _table(rows: int, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    carrier = random.choice(np.array([*CARRIERS, None], dtype=object), rows)
    distance = random.uniform(0, 3000, rows).astype(np.float32).astype(np.float64)
    hour = np.floor(random.uniform(0, 24, rows))
    hour[random.random(rows) < 0.1] = np.nan
    return {"distance": distance, "carrier": carrier, "hour": hour}


def by_hand(table: dict[str, Any], columns: Columns) -> Any:
    """Written out, so that it does not share a fault with what is tested."""
    matrix = np.full((len(table["hour"]), len(columns.columns)), np.nan)
    for place, column in enumerate(columns.columns):
        for row, value in enumerate(table[column.name]):
            if column.kind == "number":
                matrix[row, place] = value
            elif value in column.values:
                matrix[row, place] = column.values.index(value)
    with np.errstate(over="ignore"):
        return matrix.astype(np.float32)


@pytest.fixture(scope="module")
def library() -> Library:
    table = _table(700, 3)
    labels = table["distance"] / 1500 + (table["carrier"] == "DL") > 1.2
    whole = by_hand(table, COLUMNS)
    made = by_hand({**table, **paced(table)}, PACED)
    rows = lightgbm.Dataset(whole, labels, categorical_feature=[1], params={"verbose": -1})
    given = {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_per_group": 5}
    light = lightgbm.train(given, rows, 12)

    def matrix(rows: Any, labels: Any = None) -> Any:
        kinds = ["c", "q", "c"]
        return xgboost.DMatrix(rows, labels, feature_types=kinds, enable_categorical=True)

    boost = xgboost.train({"objective": "binary:logistic", "nthread": 1}, matrix(made, labels), 12)
    forest = RandomForestClassifier(8, random_state=1).fit(whole, labels)
    return Library(
        {
            "lightgbm": (light, COLUMNS, lambda t: light.predict(by_hand(t, COLUMNS))),
            "xgboost": (
                boost,
                PACED,
                lambda t: boost.predict(matrix(by_hand(t, PACED))).astype(np.float64),
            ),
            "forest": (forest, COLUMNS, lambda t: forest.predict_proba(by_hand(t, COLUMNS))[:, 1]),
        }
    )


def model(library: Library, name: str) -> tuple[Any, Hand]:
    found, columns, own = library.models[name]
    if name != "xgboost":
        return trained(found, columns), own
    return transformer(paced) >> trained(found, columns), lambda t: own({**t, **paced(t)})


def mean(parts: list[tuple[float, Hand]]) -> Hand:
    def scores(table: dict[str, Any]) -> Any:
        total, weights = 0.0, 0.0
        for weight, hand in parts:
            total = total + weight * hand(table)
            weights += weight
        return total / weights

    return scores


def asked_in_turn(first: Hand, second: Hand, low: float, high: float) -> Hand:
    def scores(table: dict[str, Any]) -> Any:
        found = np.asarray(first(table), dtype=np.float64).copy()
        # Row by row: what the second says of a row does not depend on which others it is asked of.
        for row, score in enumerate(found):
            if low <= score <= high:
                alone = {name: values[row : row + 1] for name, values in table.items()}
                found[row] = second(alone)[0]
        return found

    return scores


@st.composite
def graphs(draw: Any, library: Library, depth: int = 2) -> tuple[Any, Hand]:
    kind = draw(st.sampled_from(["model", "ensemble", "cascade"])) if depth else "model"
    part, hand = model(library, draw(st.sampled_from(sorted(library.models))))
    if kind == "ensemble":
        inner = draw(st.lists(graphs(library, depth - 1), min_size=1, max_size=3))
        weights = draw(st.lists(st.floats(0.01, 100), min_size=len(inner), max_size=len(inner)))
        names = [f"m{place}" for place in range(len(inner))]
        part = ensemble(
            {name: one for name, (one, _) in zip(names, inner, strict=True)},
            weights=dict(zip(names, weights, strict=True)),
        )
        hand = mean([(w, one) for w, (_, one) in zip(weights, inner, strict=True)])
    elif kind == "cascade":
        (first, one), (second, two) = (
            draw(graphs(library, depth - 1)),
            draw(graphs(library, depth - 1)),
        )
        low, high = draw(
            st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).filter(lambda b: b[0] < b[1])
        )
        part = cascade(first, second, unsure=(low, high))
        hand = asked_in_turn(one, two, low, high)
    if draw(st.booleans()):
        before = hand
        part, hand = part >> post(calmed), lambda table: calmed(before(table))
    if draw(st.booleans()):
        last = hand
        part, hand = part >> post(ruled), lambda table: ruled(last(table), table)  # type: ignore[arg-type,typeddict-item]
    return part, hand


ROWS = st.integers(1, 40).flatmap(lambda rows: st.tuples(st.just(rows), st.integers(0, 2**32 - 1)))


def package(folder: Path, part: Any) -> bytes:
    """Writes a package, and gives the graph's own bytes."""
    data = GraphCodec().encode(ModelGraph(COLUMNS, part))
    contents = PackageContents(
        model=data,
        flavor=GraphFramework().flavor(data),
        columns=COLUMNS,
        profile={},
        python=python_version(),
    )
    for name, content in payload_files(contents).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return data


def test_the_numbers_are_the_composition_by_hand_to_the_bit(
    library: Library, tmp_path: Path
) -> None:
    count = iter(range(10**6))

    @given(graphs(library), ROWS)
    @SHORT
    def same(graph: tuple[Any, Hand], rows: tuple[int, int]) -> None:
        part, hand = graph
        table = _table(*rows)
        matrix = by_hand(table, COLUMNS)
        folder = tmp_path / str(next(count))
        data = package(folder, part)
        expected = hand(table)
        assert np.array_equal(GraphFramework().predict(data, matrix), expected)
        predictor = GraphRuntime().load_within(folder)
        assert np.array_equal(predictor.predict(matrix), expected)
        alone = [predictor.predict(matrix[row : row + 1])[0] for row in range(min(rows[0], 5))]
        assert alone == expected[:5].tolist()

    same()


def whole(library: Library) -> tuple[Any, Hand]:
    light, one = model(library, "lightgbm")
    boost, two = model(library, "xgboost")
    forest, three = model(library, "forest")
    both = ensemble({"boost": boost, "forest": forest}, weights={"boost": 3, "forest": 1})
    part = cascade(light, both, unsure=(0.2, 0.8)) >> post(calmed) >> post(ruled)
    hand = asked_in_turn(one, mean([(3.0, two), (1.0, three)]), 0.2, 0.8)
    return part, lambda table: ruled(calmed(hand(table)), table)  # type: ignore[arg-type,typeddict-item]


def test_the_numbers_are_the_same_wherever_it_answers(library: Library, tmp_path: Path) -> None:
    part, hand = whole(library)
    package(tmp_path / "package", part)
    runtimes = [AutoRuntime(), GraphRuntime(), IsolatedRuntime(), PyfuncRuntime()]
    predictors = [runtime.load(tmp_path / "package") for runtime in runtimes]
    predictors.append(GraphRuntime().load_within(tmp_path / "package"))
    for rows in (1, 3, 300):
        table = _table(rows, rows)
        matrix, expected = by_hand(table, COLUMNS), hand(table)
        for predictor in predictors:
            assert np.array_equal(predictor.predict(matrix), expected), type(predictor)


def test_a_graph_waits_for_a_model_whose_library_is_not_here(
    library: Library, tmp_path: Path
) -> None:
    part, hand = model(library, "forest")
    folder = tmp_path / "package"
    package(folder, ensemble({"a": part, "b": model(library, "lightgbm")[0]}))
    manifest = folder / "models/a/MLmodel"
    manifest.write_text(manifest.read_text().replace("sklearn:", "fortran:", 1))
    predictor = AutoRuntime().load(folder)
    assert isinstance(predictor, GraphPredictor) and isinstance(predictor, Elsewhere)
    assert predictor.deadline > 0
    table = _table(30, 4)
    expected = mean([(1.0, hand), (1.0, library.models["lightgbm"][2])])(table)
    assert np.array_equal(predictor.predict(by_hand(table, COLUMNS)), expected)


_ELSEWHERE = """
import json, sys

class NoFreehold:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "freehold":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoFreehold())
import pandas, mlflow
folder, table = sys.argv[1:]
frame = pandas.read_parquet(table)
inner = mlflow.pyfunc.load_model(folder + "/models/first")
print(json.dumps({
    "answer": mlflow.pyfunc.load_model(folder).predict(frame).tolist(),
    "absent": mlflow.pyfunc.load_model(folder).predict(frame[["distance"]]).tolist(),
    "inner": inner.predict(frame).tolist(),
}))
"""


def test_mlflow_answers_the_same_where_freehold_is_not_installed(
    library: Library, tmp_path: Path
) -> None:
    part, hand = whole(library)
    folder = tmp_path / "package"
    package(folder, part)
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    table = _table(200, 8)
    pl.DataFrame(
        {**table, "carrier": pl.Series(table["carrier"].tolist(), dtype=pl.String)}
    ).write_parquet(tmp_path / "table.parquet")
    done = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE, str(folder), str(tmp_path / "table.parquet")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["answer"] == hand(table).tolist()
    nothing = {"carrier": np.full(200, None), "hour": np.full(200, np.nan)}
    assert told["absent"] == hand({**table, **nothing}).tolist()
    assert told["inner"] == library.models["lightgbm"][2](table).tolist()
    # Nothing was written into what is signed.
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
    st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
)
def test_the_second_is_asked_of_the_rows_of_the_band_and_no_others(
    scores: list[float], band: list[float]
) -> None:
    asked: list[list[float]] = []

    def second(table: Any) -> Any:
        asked.append(table.column("score").tolist())
        return np.full(len(table), 0.5)

    document = {
        "functions": {},
        "graph": {
            "cascade": {"first": {"model": "a"}, "second": {"model": "b"}, "unsure": band},
        },
    }
    columns = [{"name": "score", "kind": "number"}]
    models = {"a": lambda table: table.column("score"), "b": second}
    rows = np.array(scores, dtype=np.float32)[:, None]
    found = Evaluation(document, columns, {}, models).scores(rows)
    exact = rows[:, 0].astype(np.float64).tolist()
    unsure = [score for score in exact if band[0] <= score <= band[1]]
    assert asked == ([unsure] if unsure else [])
    assert found.tolist() == [0.5 if band[0] <= one <= band[1] else one for one in exact]


def test_a_score_that_a_library_rounded_is_kept_as_it_is() -> None:
    rounded = [1.0 + 2**-52, -1e-9, 0.5]
    assert as_scores(rounded, 3, "a model").tolist() == rounded
    for odd in (1.001, -0.001, np.nan, np.inf):
        with pytest.raises(GraphFailed) as caught:
            as_scores([0.5, odd], 2, "a model")
        assert caught.value.code == "runtime.wrong-answer" and str(odd) in caught.value.why


DEEDS = (
    *("raise", "leave", "short", "long", "scalar", "wordy", "lacking", "more", "list", "mixed"),
    *("write", "ragged", "object", "high", "nan", "post-short", "post-raise", "post-text"),
    *("exit", "sleep"),
)
DEED_COLUMNS = Columns((Column("deed", "category", DEEDS), Column("number", "number")))


class Deed(TypedDict):
    deed: Category
    number: Number


class Done(TypedDict):
    half: Number
    name: Category


def harmful(table: Deed) -> Done:
    deed, rows = table["deed"][0], len(table["deed"])
    half: Any = table["number"] / 2
    name: Any = np.full(rows, "a", dtype=object)
    if deed == "raise":
        raise ValueError("a function that raises")
    if deed == "leave":
        sys.exit(3)
    if deed == "exit":
        os._exit(7)
    if deed == "sleep":
        time.sleep(3600)
    if deed == "short":
        half = half[1:]
    if deed == "long":
        name = [*name, "b"]
    if deed == "scalar":
        half = 0.5
    if deed == "wordy":
        half = ["much"] * rows
    if deed == "mixed":
        name = [7] * rows
    if deed == "ragged":
        half = [[1.0], [1.0, 2.0]]
    if deed == "object":
        half = [None] * rows
    if deed == "write":
        table["number"][:] = 0.0
    done: Any = {"half": half, "name": name}
    if deed == "lacking":
        del done["name"]
    if deed == "more":
        done["other"] = half
    return list(done) if deed == "list" else done


def harmful_after(scores: Scores, table: Deed) -> Scores:
    deed = table["deed"][0]
    if deed == "post-raise":
        return scores + table["no such column"]  # type: ignore[typeddict-item]
    if deed == "post-short":
        return scores[:0]
    if deed == "post-text":
        return scores.astype(str)
    if deed == "nan":
        return scores * np.nan
    return scores + 1.5 if deed == "high" else scores


@pytest.fixture(scope="module")
def unruly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package whose functions do harm when they are told to."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(300, 1)).astype(np.float32)
    given = {"objective": "binary", "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(given, lightgbm.Dataset(rows, rows[:, 0] > 0), 3)
    half = Columns((Column("half", "number"),))
    part = transformer(harmful) >> trained(booster, half) >> post(harmful_after)
    data = GraphCodec().encode(ModelGraph(DEED_COLUMNS, part))
    folder = tmp_path_factory.mktemp("unruly") / "package"
    contents = PackageContents(
        model=data,
        flavor=GraphFramework().flavor(data),
        columns=DEED_COLUMNS,
        profile={},
        python=python_version(),
    )
    for name, content in payload_files(contents).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def row(deed: str = "") -> Any:
    return np.array([[DEEDS.index(deed) if deed else np.nan, 1.0]], dtype=np.float32)


def test_what_a_function_does_is_told_by_its_name_and_the_next_call_is_answered(
    unruly: Path,
) -> None:
    predictor = IsolatedRuntime(ProcessSettings(deadline=60.0)).load(unruly)
    well, pid = predictor.predict(row()), predictor.pid  # type: ignore[attr-defined]
    for deed in DEEDS[:-2]:
        with pytest.raises(Failed) as caught:
            predictor.predict(row(deed))
        raised = deed in ("raise", "leave", "write", "post-raise")
        code = "runtime.model-raised" if raised else "runtime.wrong-answer"
        assert caught.value.code == code, deed
        named = "harmful" + ("_after" if deed in ("high", "nan") or "post" in deed else "")
        assert deed == "leave" or f"'{named}'" in caught.value.what, deed
        assert np.array_equal(predictor.predict(row()), well)
    assert predictor.pid == pid  # type: ignore[attr-defined]
    with pytest.raises(Failed) as caught:
        predictor.predict(row("exit"))
    assert caught.value.code == "runtime.process-ended"
    assert np.array_equal(predictor.predict(row()), well)


def test_a_function_that_hangs_is_ended(unruly: Path) -> None:
    predictor = IsolatedRuntime(ProcessSettings(deadline=3.0)).load(unruly)
    with pytest.raises(Failed) as caught:
        predictor.predict(row("sleep"))
    assert caught.value.code == "runtime.timed-out"


def test_the_same_is_told_of_a_function_when_a_candidate_is_measured(unruly: Path) -> None:
    predictor = GraphRuntime().load_within(unruly)
    for deed in ("raise", "short", "nan"):
        with pytest.raises(Failed) as caught:
            predictor.predict(row(deed))
        assert caught.value.code.startswith("runtime.")


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"kind": "freehold.graph/2"}, {"graph.document"}),
        ({"graph": {"post": "harmful_after"}}, {"graph.document", "graph.table-into-scores"}),
        (
            {
                "graph": {
                    "chain": [
                        {"model": "model"},
                        {"transformer": "harmful"},
                        {"post": "harmful_after"},
                    ]
                }
            },
            {"graph.column-missing", "graph.scores-into-table", "graph.table-into-scores"},
        ),
        ({"functions": {}}, {"graph.document"}),
    ],
)
def test_a_package_whose_graph_does_not_fit_is_refused_when_it_is_loaded(
    unruly: Path, tmp_path: Path, change: dict[str, Any], codes: set[str]
) -> None:
    subprocess.run(["cp", "-r", str(unruly), str(tmp_path / "package")], check=True)
    path = tmp_path / "package" / "graph.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    for runtime in (AutoRuntime(), GraphRuntime()):
        with pytest.raises(IntegrityError) as caught:
            runtime.load(tmp_path / "package")
        assert caught.value.code == "package.graph"
        assert {fault.code for fault in caught.value.faults} >= codes
        assert caught.value.hint


def test_other_damage_is_told_before_any_function_is_run(unruly: Path, tmp_path: Path) -> None:
    def refused(name: str, text: str) -> list[str]:
        folder = tmp_path / name.replace("/", "-")
        subprocess.run(["cp", "-r", str(unruly), str(folder)], check=True)
        (folder / name).write_text(text)
        with pytest.raises(IntegrityError) as caught:
            GraphRuntime().load(folder)
        assert caught.value.code in ("package.graph", "package.unreadable")
        return [fault.where for fault in caught.value.faults]

    marker = tmp_path / "was-run"
    deed = f"open({str(marker)!r}, 'w')\n"
    assert refused("functions/harmful.py", deed) == ["functions/harmful.py"]
    assert refused("functions/harmful.py.py", deed) != ["functions/harmful.py"]
    assert refused("functions/harmful_after.py", deed + "def (") == ["functions/harmful_after.py"]
    assert refused("graph.json", "[" * 100_000) == []
    assert refused("graph.json", '{"graph": 1, "graph": 2}') == []
    assert refused("graph.json", '{"graph": NaN}') == []
    assert refused("models/model/columns.json", "{}") != []
    assert not marker.exists()
