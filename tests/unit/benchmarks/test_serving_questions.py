"""The same rows in every form, and answers of every form read alike."""

import orjson
import pytest

from benchmarks.peers.setup import PEERS as PACKAGES
from benchmarks.peers.setup import ROOT
from benchmarks.serving.environment import ENVIRONMENTS, locked
from benchmarks.serving.questions import CLOSE, FORMS, agrees, body, matrix, scores
from benchmarks.serving.servers import PEERS


@pytest.mark.parametrize("rows", [1, 64])
def test_every_form_has_the_same_rows(rows: int) -> None:
    expected = matrix(rows).tolist()
    told = {form: orjson.loads(body(rows, form)) for form in FORMS}
    assert told["rows"]["rows"] == expected
    assert told["matrix"]["inputs"] == expected
    (tensor,) = told["tensor"]["inputs"]
    assert tensor["shape"] == [rows, 20]
    assert tensor["data"] == [value for row in expected for value in row]


@pytest.mark.parametrize(
    "answer",
    [
        [0.25, 0.5],
        {"predictions": [0.25, 0.5]},
        {"outputs": [{"name": "predict", "data": [0.25, 0.5]}]},
        {"outputs": [{"name": "version", "data": [1, 1]}, {"name": "score", "data": [0.25, 0.5]}]},
    ],
)
def test_scores_of_every_answer(answer: object) -> None:
    data = orjson.dumps(answer)
    assert scores(data) == [0.25, 0.5]
    assert agrees(data, [0.25, 0.5 + CLOSE / 2])
    assert not agrees(data, [0.25, 0.5 + CLOSE * 2])
    assert not agrees(data, [0.25])


@pytest.mark.parametrize("answer", [{}, {"predictions": [None]}, {"error": "no"}, 1.0, ["x"]])
def test_what_is_no_answer_is_refused(answer: object) -> None:
    with pytest.raises(ValueError, match="no scores"):
        scores(orjson.dumps(answer))


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_has_a_runner_and_a_lock_of_its_version_and_our_lightgbm(name: str) -> None:
    runner = PEERS[name].runner
    package = PACKAGES[runner]
    assert (ROOT / "benchmarks" / "peers" / f"{runner}_runner.py").exists()
    lines = (ROOT / "requirements" / "peers" / f"{runner}.txt").read_text().splitlines()
    pins = {line.split()[0] for line in lines if not line.startswith(" ")}
    assert {f"{package.package}=={package.version}", "lightgbm==4.7.0"} <= pins
    assert PEERS[name].form in FORMS


@pytest.mark.parametrize("runtime", ENVIRONMENTS)
def test_what_we_serve_in_has_neither_pandas_nor_scikit_learn(runtime: str) -> None:
    pins = {line.partition("==")[0] for line in locked(runtime).read_text().splitlines()}
    assert {"polars", "model-signing", "uvloop"} <= pins
    assert not {"pandas", "scikit-learn", "onnxmltools"} & pins
