"""Graphs of models hold the laws of the ports for models."""

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from platform import python_version
from typing import Any, TypedDict
from zipfile import ZIP_DEFLATED, ZipFile

import lightgbm
import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

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
from freehold.adapters.graph.codec import GraphCodec
from freehold.adapters.graph.framework import GraphFramework
from freehold.adapters.graph.runtime import GraphPredictor, GraphRuntime
from freehold.catalog.package import PackageContents, payload_files
from freehold.domain.errors import AdapterFailed, IntegrityError, NotSupported
from freehold.ports.contracts.model_framework import ModelFrameworkContract
from freehold.ports.contracts.model_runtime import ModelRuntimeContract
from freehold.ports.model_runtime import Elsewhere

_ROWS = 1200
COLUMNS = Columns(
    (
        Column("hour", "number"),
        Column("carrier", "category", ("UA", "B6", "", "é 😀")),
        Column("distance", "number"),
    )
)
PACED = Columns((Column("pace", "number"), Column("carrier", "category", ("é 😀", "B6", "UA", ""))))


class Flight(TypedDict):
    hour: Number
    distance: Number
    carrier: Category


class Pace(TypedDict):
    pace: Number


def paced(flight: Flight) -> Pace:
    return {"pace": flight["distance"] / (np.abs(flight["hour"]) + 1.0)}


def centred(flight: Flight) -> Pace:
    return {"pace": flight["distance"] - np.nanmean(np.append(flight["distance"], 0.0))}


def calmed(scores: Scores) -> Scores:
    return np.clip(scores, 0.02, 0.98)


def _rows() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    random = np.random.default_rng(5)
    rows = random.normal(size=(_ROWS, 3)).astype(np.float32)
    rows[:, 1] = random.integers(0, 4, _ROWS)
    labels = rows[:, 0] + rows[:, 2] + (rows[:, 1] == 2) + random.normal(size=_ROWS) > 0.3
    rows[random.random(rows.shape) < 0.1] = np.nan
    return rows, labels


def _pace(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    whole = rows.astype(np.float64)
    made = np.empty((len(rows), 2), dtype=np.float32)
    made[:, 0] = whole[:, 2] / (np.abs(whole[:, 0]) + 1.0)
    made[:, 1] = np.array([2, 1, 3, 0, np.nan])[np.nan_to_num(rows[:, 1], nan=4).astype(int)]
    return made


def _booster(rows: Any, category: int) -> lightgbm.Booster:
    given = {"objective": "binary", "verbose": -1, "num_threads": 1, "seed": 1}
    table = lightgbm.Dataset(
        rows, _rows()[1], categorical_feature=[category], params={"verbose": -1}
    )
    return lightgbm.train(given, table, 12)


@pytest.fixture(scope="module")
def boosters() -> tuple[lightgbm.Booster, xgboost.Booster]:
    rows = _rows()[0]
    table = xgboost.DMatrix(
        _pace(rows), _rows()[1], feature_types=["q", "c"], enable_categorical=True
    )
    other = xgboost.train({"objective": "binary:logistic", "nthread": 1}, table, 12)
    return _booster(rows, 1), other


@pytest.fixture(scope="module")
def data(boosters: tuple[Any, Any]) -> bytes:
    """With functions."""
    first, second = trained(boosters[0], COLUMNS), transformer(paced) >> trained(boosters[1], PACED)
    both = ensemble({"one": first, "two": second}, weights={"one": 1.0, "two": 3.0})
    return GraphCodec().encode(
        ModelGraph(COLUMNS, cascade(first, both, unsure=(0.3, 0.8)) >> post(calmed))
    )


@pytest.fixture(scope="module")
def plain(boosters: tuple[Any, Any]) -> bytes:
    """Without."""
    few = Columns((COLUMNS.columns[2], COLUMNS.columns[1], COLUMNS.columns[0]))
    turned = _booster(_rows()[0][:, ::-1], 1)
    both = ensemble({"one": trained(boosters[0], COLUMNS), "two": trained(turned, few)})
    return GraphCodec().encode(ModelGraph(COLUMNS, both))


@pytest.fixture(scope="module")
def matrix() -> NDArray[np.float32]:
    return _rows()[0]


def _write(folder: Path, data: bytes) -> Path:
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
    return folder


class TestGraphFramework(ModelFrameworkContract):
    @pytest.fixture
    def framework(self) -> GraphFramework:
        return GraphFramework()

    def test_it_knows_its_columns(self, framework: GraphFramework, data: bytes) -> None:
        assert framework.columns(data) == COLUMNS
        for bad in (b"", data[:-30]):
            with pytest.raises(AdapterFailed) as caught:
                framework.columns(bad)
            assert caught.value.code == "model.unreadable"

    def test_a_function_that_looks_at_other_rows_is_refused(
        self, framework: GraphFramework, boosters: tuple[Any, Any], matrix: NDArray[np.float32]
    ) -> None:
        part = transformer(centred) >> trained(boosters[1], PACED)
        data = GraphCodec().encode(ModelGraph(COLUMNS, part))
        framework.predict(data, matrix[:1])
        with pytest.raises(NotSupported) as caught:
            framework.predict(data, matrix)
        assert caught.value.code == "graph.rows-together" and "alone" in caught.value.why

    def test_models_that_do_not_fit_their_columns_are_told_all_at_once(
        self, framework: GraphFramework, boosters: tuple[Any, Any]
    ) -> None:
        few = Columns((COLUMNS.columns[0],))
        multi = xgboost.train(
            {"objective": "multi:softprob", "num_class": 2, "nthread": 1},
            xgboost.DMatrix(_rows()[0], _rows()[1]),
            2,
        )
        wrong = ensemble({"a": trained(boosters[0], few), "b": trained(multi, COLUMNS)})
        data = GraphCodec().encode(ModelGraph(COLUMNS, wrong))
        with pytest.raises(NotSupported) as caught:
            framework.flavor(data)
        assert caught.value.code == "graph.model"
        found = {(fault.code, fault.where) for fault in caught.value.faults}
        assert found == {("graph.model", "models/a"), ("model.not-binary", "models/b")}


_FORKED = """
import json, os, sys
from pathlib import Path
import numpy as np
from freehold.adapters.graph.runtime import GraphRuntime

predictor, rows = GraphRuntime().load_to_share(Path(sys.argv[1])), np.load(sys.argv[2])
print(json.dumps(predictor.predict(rows).tolist()), flush=True)
child = os.fork()
if child == 0:
    predictor.start()
    print(json.dumps(predictor.predict(rows).tolist()), flush=True)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


class TestGraphInThisProcess(ModelRuntimeContract):
    @pytest.fixture
    def runtime(self) -> GraphRuntime:
        return GraphRuntime()

    @pytest.fixture
    def folder(self, tmp_path: Path, plain: bytes) -> Path:
        return _write(tmp_path / "package", plain)

    @pytest.fixture
    def model_path(self, folder: Path) -> Path:
        return folder / "graph.json"

    @pytest.fixture
    def expected(self, plain: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        return GraphFramework().predict(plain, matrix)

    def test_it_answers_here(self, runtime: GraphRuntime, folder: Path) -> None:
        predictor = runtime.load(folder)
        assert isinstance(predictor, GraphPredictor) and not isinstance(predictor, Elsewhere)

    def test_forked_processes_share_it_if_its_models_can_be_shared(
        self, runtime: GraphRuntime, folder: Path, matrix: NDArray[np.float32]
    ) -> None:
        rows = folder.parent / "rows.npy"
        np.save(rows, matrix[:50])
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", _FORKED, str(folder), str(rows)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        parent, child = map(json.loads, done.stdout.splitlines())
        assert parent == child == runtime.load(folder).predict(matrix[:50]).tolist()
        manifest = folder / "models/one/MLmodel"
        manifest.write_text(manifest.read_text().replace("lightgbm:", "fortran:", 1))
        assert runtime.load_to_share(folder) is None


class TestGraphInItsOwnProcess(ModelRuntimeContract):
    @pytest.fixture
    def runtime(self) -> GraphRuntime:
        return GraphRuntime()

    @pytest.fixture
    def folder(self, tmp_path: Path, data: bytes) -> Path:
        return _write(tmp_path / "package", data)

    @pytest.fixture
    def model_path(self, folder: Path) -> Path:
        return folder / "graph.json"

    @pytest.fixture
    def expected(self, data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        return GraphFramework().predict(data, matrix)

    def test_it_answers_elsewhere(self, runtime: GraphRuntime, folder: Path) -> None:
        assert isinstance(runtime.load(folder), Elsewhere)
        assert runtime.load_to_share(folder) is None


def test_a_graph_comes_back_with_the_answers_it_gave(data: bytes, tmp_path: Path) -> None:
    again = GraphCodec().decode(data, ModelGraph, tmp_path)
    assert isinstance(again, ModelGraph) and again.columns == COLUMNS
    assert set(again.models) == {"first", "second.one", "second.two"}
    assert GraphCodec().encode(again) == data


def test_what_is_cut_or_of_another_kind(data: bytes, tmp_path: Path) -> None:
    for bad in (b"", b"{}", b"PK", *(data[: len(data) * part // 9] for part in range(9))):
        with pytest.raises(IntegrityError) as caught:
            GraphCodec().decode(bad, ModelGraph, tmp_path)
        assert caught.value.code == "artifact.unreadable"
    with pytest.raises(NotSupported) as unsupported:
        GraphCodec().encode({"a": 1})
    assert unsupported.value.code == "codec.unsupported"


@pytest.mark.parametrize("spoilt", [False, True])
def test_what_is_compressed_is_not_unpacked(data: bytes, tmp_path: Path, spoilt: bool) -> None:
    packed = BytesIO()
    with ZipFile(BytesIO(data)) as archive, ZipFile(packed, "w", ZIP_DEFLATED) as other:
        for name in archive.namelist():
            other.writestr(name, archive.read(name))
    found = bytearray(packed.getvalue())
    if spoilt:
        found[60:80] = bytes(20)
    with pytest.raises(IntegrityError) as caught:
        GraphCodec().decode(bytes(found), ModelGraph, tmp_path)
    assert caught.value.code == "artifact.unreadable" and "compressed" in caught.value.why


def test_models_that_no_library_stores_are_told_all_at_once(boosters: tuple[Any, Any]) -> None:
    inner = ModelGraph(COLUMNS, trained(boosters[0], COLUMNS))
    odd = ensemble(
        {
            "none": trained(None, COLUMNS),
            "table": trained(np.zeros(3), COLUMNS),
            "wrapped": trained(xgboost.XGBClassifier(), COLUMNS),
            "graph": trained(inner, COLUMNS),
        }
    )
    with pytest.raises(NotSupported) as caught:
        GraphCodec().encode(ModelGraph(COLUMNS, odd))
    faults = {fault.what.split("'")[1]: fault.code for fault in caught.value.faults}
    assert faults == {
        "none": "graph.model",
        "table": "graph.model",
        "wrapped": "codec.unsupported",
        "graph": "graph.model",
    }
    assert all(fault.hint and fault.where for fault in caught.value.faults)
