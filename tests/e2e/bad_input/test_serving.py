"""A port in use, requests that no model can answer, and a package that was changed."""

import http.client
import json
import signal
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

INFER = "/v2/models/delay/infer"
ROW = {
    "inputs": [
        {"name": "distance", "shape": [1], "datatype": "FP64", "data": [0.5]},
        {"name": "carrier", "shape": [1], "datatype": "BYTES", "data": ["AA"]},
    ]
}


def told(project: Any) -> Path:
    return Path(project.folder / ".freehold" / "serving" / "endpoint.json")


@pytest.fixture
def endpoint(serving: Any) -> Any:
    """`freehold serve` in a process of its own, as far as it answers."""
    process = serving.start("serve", "--port", "0", "--without-loop")
    line = process.stdout.readline()
    assert line.startswith("serving delay at http://"), process.stderr.read()
    serving.process, serving.url = process, line.split()[-1]
    return serving


def ask(url: str, body: bytes, path: str = INFER) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request("POST", path, body, {"content-type": "application/json"})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


def with_input(**changed: Any) -> bytes:
    inputs = [{**ROW["inputs"][0], **changed}, ROW["inputs"][1]]
    return json.dumps({"inputs": inputs}).encode()


BAD = {
    "malformed": b'{"inputs": [',
    "no object": b"[1, 2]",
    "not text": b"\xff\xfe\x00",
    "nothing": b"",
    "wrong shape": with_input(shape=[2]),
    "shape below nothing": with_input(shape=[-1]),
    "shape beyond counting": with_input(shape=[10**30]),
    "wrong type": with_input(data=["far"]),
    "unknown datatype": with_input(datatype="FP63"),
    "number as text": with_input(datatype="BYTES", data=["0.5"]),
    "data within data": with_input(data=[[0.5, 1], [2]]),
    "deep data": with_input(data=0).replace(b'"data": 0', b'"data": ' + b"[" * 5000 + b"]" * 5000),
    "deep body": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "huge number": with_input(data=[1]).replace(b"[1]}", b"[1" + b"0" * 400 + b"]}"),
    "missing column": json.dumps({"inputs": ROW["inputs"][:1]}).encode(),
    "column twice": json.dumps({"inputs": ROW["inputs"] * 2}).encode(),
}


def test_bad_requests_are_4xx_with_a_message_and_the_endpoint_goes_on(endpoint: Any) -> None:
    for name, body in BAD.items():
        status, answer = ask(endpoint.url, body)
        assert 400 <= status < 500, (name, status, answer)
        assert answer["error"] and answer["code"], name
        assert "Traceback" not in json.dumps(answer)
    oversized = with_input(data=[0.5] * 20_000_000)
    try:
        assert ask(endpoint.url, oversized)[0] == 413
    except (BrokenPipeError, ConnectionResetError):
        """The endpoint hung up on a body that it had refused already."""
    status, answer = ask(endpoint.url, json.dumps(ROW).encode())
    assert status == 200
    score = next(one["data"][0] for one in answer["outputs"] if one["name"] == "score")
    assert score == pytest.approx(1 / (1 + 2.718281828 ** -(0.5 + 0 + 1)), abs=1e-6)


@pytest.mark.parametrize("more", [(), ("--processes", "2")], ids=["one", "two"])
def test_a_caller_beyond_its_limit_is_told_so_and_another_is_answered(
    serving: Any, more: tuple[str, ...]
) -> None:
    # One at once, and the next in a quarter of an hour.
    serving.change("freehold.yaml", "  port: 0", "  port: 0\n  limits: {per_caller: 0.001}")
    process = serving.start("serve", "--without-loop", *more)
    line = process.stdout.readline()
    assert line.startswith("serving delay at http://"), process.stderr.read()
    connection = http.client.HTTPConnection(urlsplit(line.split()[-1]).netloc, timeout=60)

    def ask_as(caller: str) -> tuple[int, str, str | None]:
        headers = {"content-type": "application/json", "freehold-caller": caller}
        connection.request("POST", INFER, json.dumps(ROW), headers)
        reply = connection.getresponse()
        code = json.loads(reply.read()).get("code", "")
        return reply.status, code, reply.getheader("retry-after")

    assert ask_as("first") == (200, "", None)
    status, code, after = ask_as("first")
    assert (status, code) == (429, "request.too-often")
    assert after is not None and 0 < int(after) <= 1000
    assert ask_as("second") == (200, "", None)
    assert ask_as("first")[0] == 429
    connection.close()
    process.send_signal(signal.SIGTERM)
    assert serving.finish(process).code == 0


def test_a_stopped_endpoint_leaves_no_trace_of_itself(endpoint: Any) -> None:
    assert json.loads(told(endpoint).read_text())["url"] == endpoint.url
    endpoint.process.send_signal(signal.SIGTERM)
    assert endpoint.finish(endpoint.process).code == 0
    assert not told(endpoint).exists()


def test_a_port_in_use(serving: Any, refused: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        before = serving.standing()
        said = serving.freehold("serve", "--port", str(port))
        assert said.code == 1
        assert said.err.splitlines()[0] == f"error[endpoint.port-in-use]: port {port} is in use"
        assert "  because: " in said.err
        assert "  hint: " in said.err and "--port" in said.err
        assert serving.standing() == before


def test_a_second_endpoint_on_the_port_leaves_the_first_as_it_was(endpoint: Any) -> None:
    before = told(endpoint).read_text()
    said = endpoint.freehold("serve", "--port", str(urlsplit(endpoint.url).port))
    assert said.code == 1
    assert "endpoint.port-in-use" in said.err
    assert told(endpoint).read_text() == before
    assert endpoint.freehold("status", "--json").json["endpoint"]["up"]
    assert ask(endpoint.url, json.dumps(ROW).encode())[0] == 200


def test_a_package_with_one_byte_changed_is_not_served(serving: Any) -> None:
    (model,) = (serving.folder / ".freehold" / "serving" / "models").rglob("model.onnx")
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(bytes(data))
    said = serving.freehold("serve", "--port", "0")
    assert said.code == 1
    assert said.err.splitlines()[0].startswith("error[package.signature]")
    assert not told(serving).exists()


def test_nothing_is_served_before_a_release(project: Any) -> None:
    project.change(
        "freehold.yaml",
        "policies: policies",
        "policies: policies\nendpoint: {model: delay}\nmodels: {delay: {pipeline: sums}}",
    )
    said = project.freehold("serve", "--port", "0")
    assert said.code == 1
    assert "error[release.none]" in said.err
    assert "freehold release delay@1" in said.err


def test_a_runtime_that_is_not_there_is_refused(serving: Any) -> None:
    said = serving.freehold("serve", "--port", "0", "--runtime", "fortran")
    assert said.code == 1
    assert "error[adapter.unknown]: no model runtime adapter is named 'fortran'" in said.err
    assert "auto" in said.err
