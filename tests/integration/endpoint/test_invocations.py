"""`/invocations`: what MLflow's own server would have answered, for whatever shape rows come in."""

import io
import json
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from platform import python_version
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from traced import traced

from freehold.adapters.lightgbm.codec import BoosterCodec
from freehold.adapters.lightgbm.framework import LightGBMFramework
from freehold.adapters.lightgbm.runtime import LightGBMRuntime
from freehold.catalog.package import PackageContents, assemble, unpack
from freehold.domain.columns import Column, Columns

with warnings.catch_warnings():
    # It warns of its own type hints while it is imported.
    warnings.simplefilter("ignore")
    from mlflow.exceptions import MlflowException
    from mlflow.pyfunc import load_model, scoring_server

COLUMNS = Columns(
    (
        Column("distance", "number"),
        Column("carrier", "category", ("AA", "UA")),
        Column("hour", "number"),
    )
)
NAMES = list(COLUMNS.names)
NUMBERS = Columns(tuple(Column(f"x{n}", "number") for n in range(3)))
JSON = "application/json"
PARQUET = "application/vnd.apache.parquet"
COMPRESSIONS: list[Any] = ["snappy", "zstd", "gzip", None]
ROWS: list[list[Any]] = [[2500.0, "UA", 7], [300, "AA", 23], [None, None, None], [1.5, "??", 0]]
SHORT = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LONG = settings(SHORT, max_examples=3_000)


def package(columns: Columns) -> Any:
    """Of trees that look at every column."""
    random = np.random.default_rng(3)
    matrix = random.uniform(0, 1, (400, 3))
    matrix[:, 1] = random.integers(0, 2, 400)
    labels = matrix.sum(axis=1) + random.normal(0, 0.1, 400) > 1.4
    matrix *= (3000, 1, 24)
    rows = lightgbm.Dataset(matrix, labels, params={"verbose": -1})
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 7}
    model = BoosterCodec().encode(lightgbm.train(settings, rows, 20))
    flavor = LightGBMFramework().flavor(model)
    contents = PackageContents(
        model=model,
        flavor=flavor,
        columns=columns,
        profile={"rows": 400},
        python=python_version(),
        onnx=None,
    )
    return assemble(contents)


class Reference:
    """MLflow's scoring server on the same package, without its socket."""

    def __init__(self, folder: Path) -> None:
        self._model = load_model(str(folder))
        self._schema = self._model.metadata.get_input_schema()

    def scores(self, body: bytes, kind: str = JSON) -> Any:
        """None if it refuses."""
        try:
            answer = scoring_server.invocations(body, kind, self._model, self._schema)
        except MlflowException:
            return None
        return json.loads(answer.response)["predictions"] if answer.status == 200 else None


@pytest.fixture(scope="module")
def packages() -> dict[str, Any]:
    return {"mixed": package(COLUMNS), "numbers": package(NUMBERS)}


@pytest.fixture
def pair_of(
    packages: dict[str, Any], site: Any, client_of: Any, tmp_path: Path
) -> Iterator[Callable[[str], tuple[Any, Reference]]]:
    """Ours and MLflow's, for one of the packages."""

    def start(name: str) -> tuple[Any, Reference]:
        site.runtime = LightGBMRuntime()
        files = unpack(packages[name].data)
        site.package(1, files)
        site.route((1, 100.0, "champion"))
        return client_of(), Reference(site.payload(1))

    yield start


@pytest.fixture
def pair(pair_of: Any) -> Any:
    return pair_of("mixed")


@pytest.fixture
def ours(site: Any, client_of: Any) -> Any:
    """Ours alone, with a model that is there at once."""
    site.model(1, COLUMNS)
    site.route((1, 100.0, "champion"))
    return client_of()


def score(client: Any, body: Any, kind: str = JSON) -> Any:
    reply = send(client, body, kind)
    assert reply.status == 200, reply.body
    return reply.json["predictions"]


def send(client: Any, body: Any, kind: str = JSON) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.ask("POST", "/invocations", data, headers={"content-type": kind})


def infer(client: Any, rows: list[list[Any]]) -> Any:
    """The same rows by the Open Inference Protocol."""
    kinds = ("FP64", "BYTES", "FP64")
    inputs = [
        {"name": name, "datatype": kinds[n], "shape": [len(rows)], "data": [r[n] for r in rows]}
        for n, name in enumerate(NAMES)
    ]
    return client.infer({"inputs": inputs}).output("score")


def records(rows: list[list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(NAMES, row, strict=True)) for row in rows]


def by_column(rows: list[list[Any]]) -> dict[str, list[Any]]:
    return {name: [row[n] for row in rows] for n, name in enumerate(NAMES)}


SHAPES: dict[str, Callable[[list[list[Any]]], Any]] = {
    "split": lambda rows: {"dataframe_split": {"columns": NAMES, "data": rows}},
    "split with an index": lambda rows: {
        "dataframe_split": {"index": list(range(len(rows))), "columns": NAMES, "data": rows}
    },
    "split in another order": lambda rows: {
        "dataframe_split": {"columns": NAMES[::-1], "data": [row[::-1] for row in rows]}
    },
    "records": lambda rows: {"dataframe_records": records(rows)},
    "records with more": lambda rows: {
        "dataframe_records": [{**row, "extra": [1]} for row in records(rows)]
    },
    "instances by name": lambda rows: {"instances": records(rows)},
    "inputs by column": lambda rows: {"inputs": by_column(rows)},
    "with parameters": lambda rows: {"dataframe_records": records(rows), "params": {"depth": 3}},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_answered_as_there(pair: Any, shape: str) -> None:
    client, reference = pair
    body = json.dumps(SHAPES[shape](ROWS)).encode()
    found = score(client, body)
    assert found == infer(client, ROWS)
    assert len(set(found)) >= 3
    there = reference.scores(body)
    # It gives instances their columns' types one by one, and will not have a null among them.
    assert there == found or (there is None and shape.startswith("in"))


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_tensors_of_numbers(pair_of: Any, key: str) -> None:
    client, reference = pair_of("numbers")
    rows = [[2500.0, 1.0, 7.0], [300.0, 0.0, 23.0]]
    named = {f"x{n}": [row[n] for row in rows] for n in range(3)}
    expected = score(client, {"dataframe_split": {"columns": list(named), "data": rows}})
    for value in (named, {name: [[one] for one in values] for name, values in named.items()}):
        assert score(client, {key: value}) == expected
    assert reference.scores(json.dumps({key: named}).encode()) == expected
    assert score(client, {key: rows}) == expected
    assert score(client, {key: [dict(zip(named, row, strict=True)) for row in rows]}) == expected
    one = {name: values[0] for name, values in named.items()}
    assert score(client, {key: one}) == expected[:1]
    for columns in (None, [0, 1, 2]):
        split = {"columns": columns, "data": rows}
        assert score(client, {"dataframe_split": split}) == expected


def test_pandas_writes_nan_where_nothing_is(pair: Any) -> None:
    client, reference = pair
    frame = pd.DataFrame(ROWS, columns=NAMES)
    body = scoring_server_body(frame)
    assert b"NaN" in body
    assert score(client, body) == reference.scores(body) == infer(client, ROWS)


def scoring_server_body(frame: pd.DataFrame) -> bytes:
    return json.dumps({"dataframe_split": frame.to_dict(orient="split")}).encode()


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("kind", ["text/csv", "text/csv; charset=utf-8", "Text/CSV;charset=UTF-8"])
def test_csv(pair: Any, index: bool, kind: str) -> None:
    client, reference = pair
    body = pd.DataFrame(ROWS, columns=NAMES).to_csv(index=index).encode()
    assert score(client, body, kind) == reference.scores(body, "text/csv") == infer(client, ROWS)


def parquet(frame: pd.DataFrame, **ways: Any) -> bytes:
    written: bytes = frame.to_parquet(None, engine="pyarrow", **ways)
    return written


@pytest.mark.parametrize("index", [True, False, None])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_parquet(pair: Any, index: bool | None, compression: Any) -> None:
    client, reference = pair
    frame = pd.DataFrame(ROWS, columns=NAMES, index=list("abcd"))
    body = parquet(frame, index=index, compression=compression)
    assert score(client, body, PARQUET) == reference.scores(body, PARQUET) == infer(client, ROWS)


@pytest.mark.parametrize("kind", [f"{PARQUET}; charset=utf-8", PARQUET.upper()])
def test_parquet_by_its_type_with_parameters(ours: Any, kind: str) -> None:
    body = parquet(pd.DataFrame(ROWS, columns=NAMES))
    assert score(ours, body, kind) == infer(ours, ROWS)
    latin = send(ours, body, f"{PARQUET}; charset=latin-1")
    assert (latin.status, latin.json["code"]) == (415, "request.content-type")


def test_what_pandas_stored_as_the_index_is_no_column(pair: Any) -> None:
    client, reference = pair
    frame = pd.DataFrame(ROWS, columns=NAMES).assign(id=list("abcd"))
    answer = send(client, parquet(frame), PARQUET).json
    assert answer["prediction_ids"] == list("abcd")
    body = parquet(frame.set_index("id"))
    answer = send(client, body, PARQUET).json
    assert answer["predictions"] == reference.scores(body, PARQUET)
    assert "a" not in answer["prediction_ids"]
    body = parquet(frame.set_index(["hour", "carrier"]))
    refused = send(client, body, PARQUET)
    assert (refused.status, refused.json["code"]) == (400, "request.column-missing")
    assert [fault["where"] for fault in refused.json["faults"]] == ["carrier", "hour"]


def test_other_ways_to_write_the_same_in_parquet(pair: Any) -> None:
    client, reference = pair
    expected = infer(client, [[1.0, "UA", 1], [None, None, 0], [2.0, "AA", 1]])
    texts = ["UA", None, "AA"]
    carriers: list[Any] = [pa.array(texts, kind) for kind in (pa.string(), pa.large_string())]
    carriers += [pa.array(texts).dictionary_encode(), pa.array(texts, pa.string_view())]
    hours = [pa.array([1, 0, 1], kind) for kind in (pa.int8(), pa.uint64(), pa.float32())]
    for carrier in carriers:
        for hour in hours:
            for more in ({}, {"data_page_version": "2.0"}, {"use_dictionary": False}):
                table = pa.table(
                    {
                        "extra": pa.array([[1], [], None]),
                        "hour": hour,
                        "carrier": carrier,
                        "distance": pa.array([1.0, None, 2.0], pa.float64()),
                    }
                )
                body = written(table, row_group_size=2, **more)
                assert score(client, body, PARQUET) == expected
                assert reference.scores(body, PARQUET) in (expected, None)


def written(table: pa.Table, **ways: Any) -> bytes:
    made = io.BytesIO()
    pq.write_table(table, made, **ways)
    return made.getvalue()


@pytest.mark.parametrize("whole", [2**53 + 1, 2**62 + 1, -(2**63), 2**64 - 1])
def test_whole_numbers_of_parquet_are_those_of_json(ours: Any, whole: int) -> None:
    kind = pa.uint64() if whole > 2**63 else pa.int64()
    table = pa.table({"distance": pa.array([whole], kind), "carrier": ["UA"], "hour": [True]})
    assert score(ours, written(table), PARQUET) == score(ours, split(data=[[whole, "UA", 1]]))


def test_what_ours_adds_stands_beside(ours: Any) -> None:
    client = ours
    rows = [{**row, "id": f"flight-{n}"} for n, row in enumerate(records(ROWS))]
    answer = send(client, {"dataframe_records": rows}).json
    assert answer["model"] == "delay" and answer["versions"] == [1] * 4
    assert answer["prediction_ids"] == [f"flight-{n}" for n in range(4)]
    client.ask("POST", "/freehold/log/flush")
    assert (
        'freehold_rows_total{model="delay",version="1"} 4.0'
        in client.ask("GET", "/metrics").body.decode()
    )


def test_a_column_that_is_not_there_must_be_declared(pair: Any) -> None:
    client, reference = pair
    body = {"dataframe_records": [{"distance": 1.5, "hour": 7}]}
    refused = send(client, body)
    assert (refused.status, refused.json["code"]) == (400, "request.column-missing")
    assert "carrier" in refused.json["error"]
    allowed = score(client, {**body, "params": {"missing": "null"}})
    assert allowed == reference.scores(json.dumps(body).encode())


def test_where_it_differs_on_purpose(pair: Any) -> None:
    """As the guide to serving says."""
    client, reference = pair
    endless = (
        b'{"dataframe_split":{"columns":["distance","carrier","hour"],"data":[[Infinity,"UA",7]]}}'
    )
    assert len(reference.scores(endless)) == 1
    assert send(client, endless).json["code"] == "request.not-finite"
    unnamed = json.dumps({"inputs": [[2500.0, "UA", 7]]}).encode()
    assert reference.scores(unnamed) is None
    assert score(client, unnamed) == infer(client, ROWS[:1])


def test_ids_of_a_question_asked_before(ours: Any) -> None:
    client = ours
    body = SHAPES["split"](ROWS)
    assert send(client, {**body, "params": {"asked_at": 1_364_774_400_000_000}}).status == 200
    refused = send(client, {**body, "params": {"asked_at": "now"}})
    assert (refused.status, refused.json["code"]) == (400, "request.malformed")


def test_pings(ours: Any) -> None:
    client = ours
    for path in ("/ping", "/health"):
        assert client.ask("GET", path).status == 200
    assert client.ask("GET", "/version").body.decode() == client.ask("GET", "/v2").json["version"]
    client.endpoint.application.draining = True
    assert [client.ask("GET", path).status for path in ("/ping", "/health")] == [503, 503]


def split(**change: Any) -> dict[str, Any]:
    return {"dataframe_split": {"columns": NAMES, "data": ROWS, **change}}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "request.malformed"),
        (b"{", "request.malformed"),
        (b"\xff", "request.malformed"),
        (b"NaN", "request.malformed"),
        (b"[" * 200_000 + b"NaN", "request.malformed"),
        (b'{"inputs": [NaN, "\\ud800"]}', "request.malformed"),
        (b'{"inputs": [NaN, 1' + b"0" * 30 + b"]}", "request.malformed"),
        ([], "request.malformed"),
        ({}, "request.malformed"),
        ({"rows": ROWS}, "request.malformed"),
        ({"inputs": ROWS, "instances": ROWS}, "request.malformed"),
        ({**split(), "params": 7}, "request.malformed"),
        ({"dataframe_split": ROWS}, "request.malformed"),
        ({"dataframe_split": {"columns": NAMES}}, "request.malformed"),
        (split(more=1), "request.malformed"),
        (split(columns=7), "request.malformed"),
        (split(columns=["distance", 7, "hour"]), "request.malformed"),
        (split(columns=["distance", "carrier", "distance"]), "request.duplicate"),
        (split(columns=["a", "b", "c"]), "request.malformed"),
        (split(columns=[]), "request.wrong-shape"),
        (split(data=7), "request.malformed"),
        (split(data=[]), "request.wrong-shape"),
        (split(data=[[1, "UA"]]), "request.wrong-shape"),
        (split(data=[1, "UA", 7]), "request.wrong-shape"),
        (split(index=[1]), "request.wrong-shape"),
        (split(index=7), "request.wrong-shape"),
        (split(data=[["x", "UA", 7]]), "request.wrong-type"),
        (split(data=[[1, 7, 7]]), "request.wrong-type"),
        (split(data=[[1, "UA", [7]]]), "request.wrong-type"),
        (split(data=[[1, "UA", {}]]), "request.wrong-type"),
        (split(data=[[1, True, 7]]), "request.wrong-type"),
        (split(data=[[float("inf"), "UA", 7]]), "request.not-finite"),
        (split(data=[[1e300, "UA", 7]]), "request.number-too-large"),
        ({"dataframe_records": {}}, "request.malformed"),
        ({"dataframe_records": [7]}, "request.malformed"),
        ({"dataframe_records": [{}]}, "request.malformed"),
        ({"instances": 7}, "request.malformed"),
        ({"instances": []}, "request.wrong-shape"),
        (
            {"instances": [{"distance": 1, "carrier": "UA", "hour": 7}, {}]},
            "request.column-missing",
        ),
        ({"instances": [{"distance": 1}, 7]}, "request.malformed"),
        ({"inputs": {}}, "request.malformed"),
        (
            {"inputs": {"distance": [1], "carrier": ["UA", "AA"], "hour": [7]}},
            "request.wrong-shape",
        ),
        ({"inputs": {"distance": [1], "carrier": "UA", "hour": [7]}}, "request.wrong-shape"),
        ({"inputs": {"distance": [[1, 2]], "carrier": ["UA"], "hour": [7]}}, "request.wrong-type"),
        ({"inputs": {"distance": [], "carrier": [], "hour": []}}, "request.wrong-shape"),
        ({"dataframe_records": [{**records(ROWS)[0], "id": 7}]}, "request.wrong-type"),
        ({"dataframe_records": [{**records(ROWS)[0], "id": ""}]}, "request.wrong-type"),
        ({"dataframe_records": [{**records(ROWS)[0], "id": "a"}] * 2}, "request.duplicate"),
    ],
)
def test_a_bad_body_is_a_400_with_a_code(ours: Any, body: Any, code: str) -> None:
    reply = send(ours, body)
    assert (reply.status, reply.json["code"]) == (400, code)
    assert reply.json["error_code"] == "BAD_REQUEST"
    assert reply.json["message"] == reply.json["error"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "request.malformed"),
        (b"\xff", "request.malformed"),
        (b"distance,carrier,hour\n", "request.wrong-shape"),
        (b"distance,carrier,hour\n1,UA", "request.wrong-shape"),
        (b"distance,carrier,hour\n1,UA,7,8", "request.wrong-shape"),
        (b"distance,carrier,hour\nx,UA,7", "request.wrong-type"),
        (b"distance,carrier,hour\n1_0,UA,7", "request.wrong-type"),
        ("distance,carrier,hour\n١,UA,7".encode(), "request.wrong-type"),
        (b"distance,carrier,hour\n-inf,UA,7", "request.not-finite"),
        (b"distance,carrier,hour\n1e999,UA,7", "request.not-finite"),
        (b"distance,carrier,hour\n1e99,UA,7", "request.number-too-large"),
        (b"distance,carrier\n1,UA", "request.column-missing"),
        (b"a,b\n1,2", "request.malformed"),
        (b"distance,carrier,distance\n1,UA,7", "request.duplicate"),
        (b'distance,carrier,hour\n1,"UA" x,7', "request.malformed"),
        (b'distance,carrier,hour\n1,"UA,7', "request.malformed"),
        (b"distance,carrier,hour\n1," + b"x" * 200_000 + b",7", "request.malformed"),
    ],
)
def test_bad_csv_is_a_400_with_a_code(ours: Any, body: bytes, code: str) -> None:
    reply = send(ours, body, "text/csv")
    assert (reply.status, reply.json["code"]) == (400, code)


@pytest.mark.parametrize("kind", [JSON, "text/csv"])
def test_a_million_rows_are_too_many(ours: Any, kind: str) -> None:
    body = b"distance\n" + b"1\n" * 1_000_000
    if kind == JSON:
        body = b'{"inputs":[' + b"1," * 1_000_000 + b"1]}"
    with traced() as peak:
        reply = send(ours, body, kind)
        assert peak() < 25 * len(body)
    assert (reply.status, reply.json["code"]) == (413, "request.too-many-rows")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/parquet", f"{JSON}; charset=latin-1", ""]
)
def test_content_that_is_not_offered(ours: Any, kind: str) -> None:
    reply = send(ours, split(), kind)
    assert (reply.status, reply.json["code"]) == (415, "request.content-type")


FINITE = st.none() | st.floats(-1e30, 1e30) | st.integers(-(2**53), 2**53)
TEXTS = st.none() | st.sampled_from(["AA", "UA", "unseen", "a,b", 'a"b', "é", " ", "7"])
TABLES = st.lists(st.tuples(FINITE, TEXTS, FINITE).map(list), min_size=1, max_size=5)


@SHORT
@given(rows=TABLES, shape=st.sampled_from(sorted(SHAPES)))
def test_all_shapes_are_scored_as_tensors_are(ours: Any, rows: list[list[Any]], shape: str) -> None:
    assert score(ours, SHAPES[shape](rows)) == infer(ours, rows)


@SHORT
@given(rows=TABLES)
def test_frames_are_scored_as_there(pair: Any, rows: list[list[Any]]) -> None:
    client, reference = pair
    frame = pd.DataFrame(rows, columns=NAMES)
    body = scoring_server_body(frame)
    assert score(client, body) == reference.scores(body)
    body = frame.to_csv(index=False).encode()
    assert score(client, body, "text/csv") == reference.scores(body, "text/csv")


def column(values: Any) -> Any:
    return st.lists(values, min_size=6, max_size=6)


REFUSED = ("int64", "Int16", "Float32", "category")
"""Types of columns that a model's signature lets it refuse, though it takes the same as JSON."""
NUMBER_COLUMNS = st.one_of(
    column(st.floats(-1e30, 1e30) | st.just(math.nan)).map(pd.Series),
    column(st.floats(-9, 9, width=32)).map(lambda all: pd.Series(all, dtype="float32")),
    column(st.integers(-(2**31), 2**31 - 1)).map(lambda all: pd.Series(all, dtype="int32")),
    column(st.integers(-(2**62), 2**62)).map(pd.Series),
    column(st.none() | st.integers(-100, 100)).map(lambda all: pd.Series(all, dtype="Int16")),
    column(st.none() | st.floats(-9, 9)).map(lambda all: pd.Series(all, dtype="Float32")),
)
TEXT_COLUMNS = column(TEXTS).flatmap(
    lambda all: st.sampled_from([pd.Series(all, dtype=kind) for kind in ("str", "category")])
)


@SHORT
@given(
    columns=st.tuples(NUMBER_COLUMNS, TEXT_COLUMNS, NUMBER_COLUMNS),
    rows=st.integers(1, 6),
    ways=st.fixed_dictionaries(
        {
            "index": st.sampled_from([True, False, None]),
            "compression": st.sampled_from(COMPRESSIONS),
            "row_group_size": st.integers(1, 6),
        }
    ),
)
def test_parquet_is_scored_as_there(
    pair: Any, columns: tuple[Any, ...], rows: int, ways: dict[str, Any]
) -> None:
    client, reference = pair
    frame = pd.DataFrame(dict(zip(NAMES, columns, strict=True)))[:rows]
    body = parquet(frame, **ways)
    cells = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    found = score(client, body, PARQUET)
    assert found == score(client, split(data=cells))
    there = reference.scores(body, PARQUET)
    assert there == found or (there is None and any(kind in REFUSED for kind in frame.dtypes))


CELLS = st.sampled_from(
    ["", "NA", "null", "1", "-2.5", "+3", ".5", "7.", "1e5", " 8 ", "NaN", "n/a"]
)


@SHORT
@given(rows=st.lists(st.tuples(CELLS, TEXTS.filter(bool), CELLS), min_size=1, max_size=5))
def test_csv_means_what_it_means_to_pandas(pair: Any, rows: list[tuple[str, ...]]) -> None:
    written = io.StringIO()
    pd.DataFrame(rows, columns=NAMES).to_csv(written, index=False)
    body = written.getvalue().encode()
    assert score(pair[0], body, "text/csv") == pair[1].scores(body, "text/csv")


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(NAMES)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*NAMES, "data", "columns", "index", "id"]), inner)
    ),
    max_leaves=10,
)


def never_a_500(client: Any, body: Any, kind: str) -> None:
    reply = send(client, body, kind)
    assert reply.status < 500, reply.body
    if reply.status != 200:
        assert reply.json["code"] and reply.json["error"] and reply.json["message"]


@SHORT
@given(value=VALUES, key=st.sampled_from(["dataframe_split", "dataframe_records", "inputs"]))
def test_any_value_in_any_shape(ours: Any, value: Any, key: str) -> None:
    never_a_500(ours, {key: value, "params": {"missing": "null"}}, JSON)


@SHORT
@given(body=st.binary(max_size=200), kind=st.sampled_from([JSON, "text/csv", PARQUET]))
def test_any_bytes(ours: Any, body: bytes, kind: str) -> None:
    never_a_500(ours, body, kind)


@SHORT
@given(text=st.text(alphabet='distance,carrier\n"\r17.e \0', max_size=80))
def test_any_csv_that_is_nearly_right(ours: Any, text: str) -> None:
    never_a_500(ours, b"distance,carrier,hour\n" + text.encode(), "text/csv")


@pytest.mark.long
@LONG
@given(value=VALUES, key=st.sampled_from(["dataframe_split", "instances", "inputs"]))
def test_many_values_in_any_shape(ours: Any, value: Any, key: str) -> None:
    never_a_500(ours, {key: value, "params": {"missing": "null"}}, JSON)
