"""Other people's clients, unchanged, ask a process of ours over its socket."""

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import grpc as rpc
import lightgbm
import numpy as np
import pandas as pd
import pytest
from clients import call, run

from freehold.adapters.lightgbm.framework import MODEL_FILE
from freehold.adapters.signing.model_signing import OpenSSFModelSigning
from freehold.domain.canonical import canonical
from freehold.domain.columns import Column, Columns
from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.serving.inference_messages import FILE, SERVICE

with warnings.catch_warnings():
    # It warns of its own type hints while it is imported.
    warnings.simplefilter("ignore")
    from mlflow.deployments import get_deploy_client
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

MIXED = Columns((Column("distance", "number"), Column("carrier", "category", ("AA", "UA"))))
NUMBERS = Columns((Column("distance", "number"), Column("hour", "number")))
QUESTION = {
    "distance": [2500.0, 300.0],
    "carrier": ["UA", "AA"],
    "matrix": [[2500.0, 7.0], [300.0, 23.0]],
}
# MLServer says that it does not run on a newer one.
BEFORE_3_13 = pytest.mark.xfail(
    sys.version_info >= (3, 13),
    reason="missing upstream: an mlserver that installs on Python 3.13",
    strict=True,
)


def trained(seed: int) -> bytes:
    random = np.random.default_rng(seed)
    matrix = np.column_stack([random.uniform(0, 3000, 400), random.integers(0, 2, 400)])
    labels = matrix[:, 0] + 800 * matrix[:, 1] > 1900
    rows = lightgbm.Dataset(matrix, labels, params={"verbose": -1})
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1}
    return lightgbm.train(settings, rows, num_boost_round=8).model_to_string().encode()


@pytest.fixture(scope="module")
def endpoint(lasting_site: Any) -> Iterator[EndpointProcess]:
    """Version 1 answers; version 2, which takes numbers alone, is there to be named."""
    lasting_site.signing = OpenSSFModelSigning()
    for version, columns in ((1, MIXED), (2, NUMBERS)):
        files = {"columns.json": canonical(columns.as_json()), MODEL_FILE: trained(version)}
        lasting_site.package(version, files)
    lasting_site.canary(0.0)
    with EndpointProcess.start(lasting_site.folder, runtime="lightgbm", grpc_port=0) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def url(endpoint: EndpointProcess) -> str:
    return endpoint.url


@pytest.fixture(scope="module")
def grpc(endpoint: EndpointProcess) -> str:
    """Host and port."""
    assert endpoint.grpc is not None
    return endpoint.grpc


def infer(url: str, path: str = "infer", **columns: list[Any]) -> list[float]:
    """The scores of columns by the JSON path."""
    inputs = [
        {
            "name": name,
            "datatype": "BYTES" if name == "carrier" else "FP64",
            "shape": [len(values)],
            "data": values,
        }
        for name, values in columns.items()
    ]
    body = json.dumps({"inputs": inputs, "parameters": {"missing": "null"}}).encode()
    asked = Request(f"{url}/v2/models/delay/{path}", body, {"content-type": "application/json"})
    with urlopen(asked) as reply:
        outputs = json.load(reply)["outputs"]
    return next(output["data"] for output in outputs if output["name"] == "score")


@pytest.fixture(scope="module")
def expected(url: str) -> list[float]:
    scores = infer(url, distance=QUESTION["distance"], carrier=QUESTION["carrier"])
    assert len(set(scores)) == 2
    return scores


@pytest.fixture(scope="module")
def expected_of_matrix(url: str) -> list[float]:
    distance, hour = (list(column) for column in zip(*QUESTION["matrix"], strict=True))
    return infer(url, "versions/2/infer", distance=distance, hour=hour)


def test_triton(url: str, expected: list[float], expected_of_matrix: list[float]) -> None:
    told = run("triton_http", url, QUESTION)
    assert [told[key] for key in ("live", "ready", "model ready", "version ready")] == [True] * 4
    assert told["no version"] is False
    assert told["server"]["extensions"] == ["binary_tensor_data"]
    assert told["model"]["versions"] == ["1", "2"] and told["version"]["versions"] == ["2"]
    assert told["prediction ids"] == ["r7/0", "r7/1"] and told["versions"] == [1, 1]
    assert len(told["scores"]) == 9
    assert told["scores"] == dict.fromkeys(told["scores"], expected)
    assert told["matrix"] == expected_of_matrix
    assert told["gap"] == infer(url, distance=[None])
    assert told["refused"][0] == "400" and "'distance' holds NaN" in told["refused"][1]


def test_triton_aio(url: str, expected: list[float]) -> None:
    told = run("triton_aio", url, QUESTION)
    assert told["ready"] is True and told["server"]["name"] == "freehold"
    assert len(told["scores"]) == 11
    assert told["scores"] == dict.fromkeys(told["scores"], expected)


def test_kserve(url: str, expected: list[float]) -> None:
    told = run("kserve_rest", url, QUESTION)
    assert [told[key] for key in ("live", "ready", "model ready")] == [True] * 3
    assert told["other ready"] is False
    assert len(told["scores"]) == 4
    assert told["scores"] == dict.fromkeys(told["scores"], expected)
    assert "'inputs' must be a list" in told["refused"] and "400" in told["refused"]


def test_triton_grpc(
    grpc: str, url: str, expected: list[float], expected_of_matrix: list[float]
) -> None:
    told = run("triton_grpc", grpc, QUESTION)
    assert [told[key] for key in ("live", "ready", "model ready", "version ready")] == [True] * 4
    assert told["no version"] is False
    assert told["server"]["name"] == "freehold"
    assert told["model"]["versions"] == ["1", "2"] and told["version"]["versions"] == ["2"]
    assert [one["name"] for one in told["model"]["inputs"]] == ["distance", "carrier", "hour", "id"]
    assert told["prediction ids"] == ["r7/0", "r7/1"] and told["versions"] == [1, 1]
    assert told["outputs"] == ["score"]
    assert len(told["scores"]) == 6
    assert told["scores"] == dict.fromkeys(told["scores"], expected)
    assert told["matrix"] == expected_of_matrix
    assert told["gap"] == infer(url, distance=[None])
    status, message = told["refused"]
    assert status == "StatusCode.INVALID_ARGUMENT" and "'distance' holds NaN" in message
    answers = [[f"s{n}", expected] for n in range(20)]
    assert told["streamed"][7][0] == "refused" and "holds NaN" in told["streamed"][7][1]
    assert [*told["streamed"][:7], *told["streamed"][8:]] == [*answers[:7], *answers[8:]]


def test_triton_grpc_aio(grpc: str, expected: list[float]) -> None:
    told = run("triton_grpc_aio", grpc, QUESTION)
    assert told["ready"] is True and told["server"]["name"] == "freehold"
    assert len(told["scores"]) == 32
    assert told["scores"] == dict.fromkeys(told["scores"], expected)
    assert [told["streamed"][n] for n in (0, 9)] == [["a0", expected], ["a9", expected]]
    assert len(told["streamed"]) == 10 and told["streamed"][3][0] == "refused"


def test_kserve_grpc(grpc: str, expected: list[float]) -> None:
    told = run("kserve_grpc", grpc, QUESTION)
    assert [told[key] for key in ("live", "ready", "model ready")] == [True] * 3
    assert told["other ready"] is False
    assert told["scores"] == {"raw": expected, "typed": expected}
    status, details, code = told["refused"]
    assert (status, code) == ("INVALID_ARGUMENT", "request.malformed") and "inputs" in details


def peak(pid: int) -> int:
    """Most MiB that the process has had in memory so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


def test_what_a_caller_sends_bounds_the_memory(endpoint: EndpointProcess, grpc: str) -> None:
    """A hundred MiB in a few packed KiB; and eight MiB of four million empty tensors."""
    with rpc.insecure_channel(grpc, [("grpc.max_send_message_length", -1)]) as channel:
        method = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        before = peak(endpoint.pid)
        with pytest.raises(rpc.RpcError, match="the body has more than"):
            method(bytes(100 * 2**20), compression=rpc.Compression.Gzip)
        assert peak(endpoint.pid) < before + 40
        name = b"\x0a\x05delay"
        with pytest.raises(rpc.RpcError, match="more than 1000 inputs"):
            method(name + b"\x2a\x00" * (2**22 - 100))
        assert peak(endpoint.pid) < before + 200


@pytest.mark.parametrize("of", ["triton", "kserve"])
def test_the_messages_are_those_of_the_clients(of: str) -> None:
    """Ours have fields that the older of the two lacks, and no field that either has otherwise."""
    theirs = run("grpc_contract", "", of)
    ours = {
        name: {
            field.name: [field.number, field.type, field.is_repeated] for field in message.fields
        }
        for name, message in messages_of(FILE.message_types_by_name.values())
    }
    assert theirs["package"] == FILE.package
    shared = set(ours) & set(theirs["messages"])
    assert len(shared) >= 20
    for name in shared:
        assert theirs["messages"][name].items() <= ours[name].items(), name
    for name in ("ModelInfer", "ModelStreamInfer", "ModelMetadata", "ServerLive"):
        if name in theirs["methods"]:
            asked, answered, *streams = theirs["methods"][name]
            assert streams == [name == "ModelStreamInfer"] * 2
            assert asked.removeprefix("inference.") in ours
            assert answered.removeprefix("inference.") in ours


def messages_of(found: Any, outer: str = "") -> Iterator[tuple[str, Any]]:
    for message in found:
        yield outer + message.name, message
        yield from messages_of(message.nested_types, f"{outer}{message.name}.")


@BEFORE_3_13
def test_the_codecs_of_mlserver(
    url: str, expected: list[float], expected_of_matrix: list[float]
) -> None:
    told = run("mlserver_codecs", url, QUESTION)
    assert told["columns"] == ["distance", "carrier", "hour", "id"]
    assert told["scores"] == {"frame": expected}
    assert told["matrix"] == expected_of_matrix
    assert len(set(told["prediction ids"])) == 2


@BEFORE_3_13
def test_the_batches_of_mlserver(url: str, expected: list[float], tmp_path: Path) -> None:
    """Its command line, which merges requests into batches and divides the answers again."""
    asked, answered = tmp_path / "asked.jsonl", tmp_path / "answered.jsonl"
    lines = [
        {
            "id": f"line-{n}",
            "inputs": [
                {"name": "distance", "datatype": "FP64", "shape": [1], "data": [distance]},
                {"name": "carrier", "datatype": "BYTES", "shape": [1], "data": [carrier]},
            ],
            "outputs": [{"name": "score"}, {"name": "prediction_id"}],
        }
        for n, (distance, carrier) in enumerate(
            zip(QUESTION["distance"] * 2, QUESTION["carrier"] * 2, strict=True)
        )
    ]
    asked.write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = ["mlserver", "infer", "--url", urlsplit(url).netloc, "--model-name", "delay"]
    command += ["--input-data-path", str(asked), "--output-data-path", str(answered)]
    call([*command, "--batch-size", "2", "--binary-data"])
    told = {}
    for line in answered.read_text().splitlines():
        answer = json.loads(line)
        (score,) = answer["outputs"][0]["data"]
        told[answer["id"]] = score
    assert told == dict(zip((line["id"] for line in lines), expected * 2, strict=True))


def test_the_scoring_client_of_mlflow(url: str, expected: list[float]) -> None:
    client = ScoringServerClient("127.0.0.1", urlsplit(url).port)
    client.wait_server_ready()
    with urlopen(f"{url}/v2") as reply:
        assert client.get_version() == json.load(reply)["version"]
    frame = pd.DataFrame({name: QUESTION[name] for name in ("distance", "carrier")})
    answer = client.invoke(frame)
    assert answer.get_predictions("ndarray").tolist() == expected
    assert client.invoke(frame, params={"asked_at": 1_364_774_400_000_000})["versions"] == [1, 1]
    gaps = pd.DataFrame({"distance": [np.nan, 300.0], "carrier": [None, "AA"]})
    scores = infer(url, distance=[None, 300.0], carrier=[None, "AA"])
    assert client.invoke(gaps)["predictions"] == scores
    records = json.dumps({"dataframe_records": frame.to_dict(orient="records")})
    assert client.invoke(records)["predictions"] == expected
    with pytest.raises(Exception, match="distance"):
        client.invoke(pd.DataFrame({"distance": ["far"], "carrier": ["AA"]}))


def test_the_deployment_client_of_mlflow(url: str, expected: list[float]) -> None:
    client = get_deploy_client(url)
    columns = ["distance", "carrier"]
    rows = [list(row) for row in zip(*(QUESTION[name] for name in columns), strict=True)]
    asked = {"dataframe_split": {"columns": columns, "data": rows}}
    assert client.predict(endpoint="delay", inputs=asked)["predictions"] == expected
    with pytest.raises(Exception, match="no model is named 'other'"):
        client.predict(endpoint="other", inputs=asked)
