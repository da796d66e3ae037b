"""Whatever is sent, the answer is a 4xx with a code, never a 500, never silence."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from freehold.serving.request import Limits
from tests.asked_endpoint import INFER, VALID

MATRIX = {"name": "all", "datatype": "FP64", "shape": [2, 2], "data": [[1, 2], [3, 4]]}
"""Of as many columns as the model has, one of which takes no numbers."""


def changed(change: Callable[[Any], object]) -> bytes:
    request = deepcopy(VALID)
    change(request)
    return json.dumps(request).encode()


def tensor(place: int, **fields: Any) -> bytes:
    return changed(lambda request: request["inputs"][place].update(fields))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "request.malformed"),
        (b"{", "request.malformed"),
        (b"\xff\xfe", "request.malformed"),
        (b"[]", "request.malformed"),
        (b"null", "request.malformed"),
        (b"[" * 200_000, "request.malformed"),
        (b'{"inputs":' * 5_000 + b"1" + b"}" * 5_000, "request.malformed"),
        (b'{"inputs": [1e999]}', "request.not-finite"),
        (b'{"\\ud800": NaN}', "request.not-finite"),
        (b'{"inputs": [{"name": "\\ud800", "data": [NaN]}]}', "request.not-finite"),
        (tensor(0, data=[1.5, float("nan")]), "request.not-finite"),
        (tensor(0, data=[float("-inf"), 1]), "request.not-finite"),
        (changed(lambda r: r.pop("inputs")), "request.malformed"),
        (changed(lambda r: r.update(inputs=[])), "request.malformed"),
        (changed(lambda r: r.update(id="x" * 257)), "request.malformed"),
        (changed(lambda r: r.update(inputs=[7])), "request.malformed"),
        (changed(lambda r: r.update(inputs=r["inputs"][:1] * 1_001)), "request.malformed"),
        (changed(lambda r: r.update(id=7)), "request.malformed"),
        (changed(lambda r: r.update(id=0)), "request.malformed"),
        (changed(lambda r: r.update(parameters=7)), "request.malformed"),
        (changed(lambda r: r.update(parameters={"missing": "zero"})), "request.malformed"),
        (changed(lambda r: r.update(parameters={"binary_data_output": 1})), "request.malformed"),
        (changed(lambda r: r.update(parameters={"asked_at": -1})), "request.malformed"),
        (changed(lambda r: r.update(parameters={"asked_at": "now"})), "request.malformed"),
        (changed(lambda r: r.update(parameters={"asked_at": True})), "request.malformed"),
        (changed(lambda r: r.update(parameters={"asked_at": 2**53})), "request.malformed"),
        (
            changed(lambda r: r.update(parameters={"asked_at": 2**53 - 1})),
            "request.asked-at-in-future",
        ),
        (changed(lambda r: r.update(outputs=7)), "request.malformed"),
        (changed(lambda r: r.update(outputs=[{"name": "label"}])), "request.unknown-output"),
        (
            changed(lambda r: r["outputs"][0].update(parameters={"binary_data": "yes"})),
            "request.malformed",
        ),
        (changed(lambda r: r["outputs"][0].update(parameters=7)), "request.malformed"),
        (
            changed(lambda r: r["outputs"][0].update(parameters={"classification": 2})),
            "request.unsupported",
        ),
        (tensor(0, parameters={"shared_memory_region": "r"}), "request.unsupported"),
        (tensor(0, parameters=7), "request.malformed"),
        (changed(lambda r: r["inputs"].append(r["inputs"][0])), "request.duplicate"),
        (tensor(0, name=""), "request.malformed"),
        (tensor(0, name=7), "request.malformed"),
        (tensor(0, datatype="FLOAT"), "request.wrong-type"),
        (tensor(0, datatype=None), "request.wrong-type"),
        (tensor(0, datatype=["FP64"]), "request.wrong-type"),
        (tensor(0, datatype="BYTES"), "request.wrong-type"),
        (tensor(0, datatype="BOOL"), "request.wrong-type"),
        (tensor(0, datatype="INT32"), "request.wrong-type"),
        (tensor(0, datatype="INT8", data=[1, 128]), "request.wrong-type"),
        (tensor(0, datatype="UINT64", data=[1, -1]), "request.wrong-type"),
        (tensor(0, datatype="INT64", data=[1, 2**63]), "request.wrong-type"),
        (tensor(0, datatype="UINT64", data=[1, 2**70]), "request.wrong-type"),
        (tensor(0, data=[1.5, "x"]), "request.wrong-type"),
        (tensor(0, data=[1.5, True]), "request.wrong-type"),
        (tensor(0, data=[1.5, [2.5]]), "request.wrong-type"),
        (tensor(0, data=[1.5, {}]), "request.wrong-type"),
        (tensor(0, data=[1.5, 1e300]), "request.number-too-large"),
        (tensor(0, data=[1.5]), "request.wrong-shape"),
        (tensor(0, data="12"), "request.wrong-shape"),
        (tensor(0, shape=[3]), "request.wrong-shape"),
        (tensor(0, shape=[-2]), "request.wrong-shape"),
        (tensor(0, shape=[True]), "request.wrong-shape"),
        (tensor(0, shape=[2.0]), "request.wrong-shape"),
        (tensor(0, shape=2), "request.wrong-shape"),
        (tensor(0, shape=[]), "request.wrong-shape"),
        (tensor(0, shape=[1, 2]), "request.wrong-shape"),
        (tensor(0, shape=[2, 1, 1]), "request.wrong-shape"),
        (tensor(0, shape=[10**30], data=[]), "request.wrong-shape"),
        (tensor(0, shape=[1], data=[1.0]), "request.wrong-shape"),
        (tensor(0, parameters={"binary_data_size": 16}), "request.binary"),
        (tensor(1, data=[["UA"], ["AA", "UA"]]), "request.wrong-shape"),
        (tensor(1, data=[["UA"], "AA"]), "request.wrong-shape"),
        (tensor(1, data=[["UA"], [7]]), "request.wrong-type"),
        (tensor(1, datatype="FP64", data=[1, 2]), "request.wrong-type"),
        (tensor(0, shape=[2, 0], data=[]), "request.wrong-shape"),
        (tensor(0, shape=[2, 2], data=[1, 2, 3, 4]), "request.wrong-shape"),
        (changed(lambda r: r.update(inputs=[MATRIX | {"shape": [2, 3]}])), "request.wrong-shape"),
        (
            changed(lambda r: r.update(inputs=[MATRIX | {"data": [[1, 2], [3]]}])),
            "request.wrong-shape",
        ),
        (changed(lambda r: r.update(inputs=[MATRIX | {"data": [1, 2, 3]}])), "request.wrong-shape"),
        (changed(lambda r: r.update(inputs=[MATRIX])), "request.wrong-type"),
        (changed(lambda r: r.update(inputs=[MATRIX | {"name": "id"}])), "request.wrong-shape"),
        (tensor(2, data=["a", "a"]), "request.duplicate"),
        (tensor(2, data=["a", None]), "request.wrong-type"),
        (tensor(2, data=["a", ""]), "request.wrong-type"),
        (tensor(2, datatype="INT64", data=[1, 2]), "request.wrong-type"),
    ],
)
def test_a_bad_body_is_a_400_with_a_code(client: Any, body: bytes, code: str) -> None:
    reply = client.infer(body)
    assert (reply.status, reply.json["code"]) == (400, code)
    assert reply.json["error"]


def test_no_rows_and_too_many(client_of: Any, site: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of(limits=Limits(rows=3, body_bytes=2_000))

    def of(count: int) -> bytes:
        value = {"name": "distance", "datatype": "FP64", "shape": [count], "data": [1] * count}
        return json.dumps({"inputs": [value], "parameters": {"missing": "null"}}).encode()

    assert [client.infer(of(n)).status for n in (0, 1, 3, 4)] == [400, 200, 200, 413]
    assert client.infer(of(4)).json["code"] == "request.too-many-rows"


def test_an_oversized_body_is_not_read_to_its_end(client_of: Any, site: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of(limits=Limits(body_bytes=2_000))
    declared = client.infer(b" " * 2_001, headers={"content-length": "2001"})
    streamed = client.infer(b" " * 1_000_000, chunk=500)
    for reply in (declared, streamed):
        assert (reply.status, reply.json["code"]) == (413, "request.too-large")
        assert reply.headers["connection"] == "close"


def test_a_body_that_does_not_come_is_a_408(client_of: Any, site: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of(limits=Limits(body_seconds=0.0))
    reply = client.infer(json.dumps(VALID).encode(), stalls=True)
    assert (reply.status, reply.json["code"]) == (408, "request.slow")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "request.not-found"),
        ("GET", "/v2/models/other", 404, "request.not-found"),
        ("GET", "/v2/models/", 404, "request.not-found"),
        ("GET", "/v2/models/delay/versions", 404, "request.not-found"),
        ("GET", "/v2/models/delay/versions/2", 404, "request.not-found"),
        ("GET", "/v2/models/delay/versions/x/ready", 404, "request.not-found"),
        ("GET", "/v2/models/delay/versions/" + "9" * 5_000, 404, "request.not-found"),
        ("POST", "/v2/models/other/infer", 404, "request.not-found"),
        ("POST", "/v2/models/delay/versions/²/infer", 404, "request.not-found"),
        ("POST", "/v2/models/delay/infer/more", 404, "request.not-found"),
        ("GET", INFER, 405, "request.method"),
        ("POST", "/v2/models/delay", 405, "request.method"),
        ("DELETE", "/v2/health/live", 405, "request.method"),
        ("GET", "/freehold/log/flush", 405, "request.method"),
    ],
)
def test_a_wrong_address(client: Any, method: str, path: str, status: int, code: str) -> None:
    reply = client.ask(method, path)
    assert (reply.status, reply.json["code"]) == (status, code)
    assert ("allow" in reply.headers) == (status == 405)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-encoding": "br"},
        {"content-encoding": "gzip, gzip"},
    ],
)
def test_content_that_is_not_offered(client: Any, headers: dict[str, str]) -> None:
    reply = client.infer(VALID, headers=headers)
    assert (reply.status, reply.json["code"]) == (415, "request.content-type")


def test_json_with_a_charset_is_json(client: Any) -> None:
    reply = client.infer(VALID, headers={"content-type": "Application/JSON; charset=utf-8"})
    assert reply.status == 200


def test_only_this_machine_flushes(client: Any) -> None:
    reply = client.ask("POST", "/freehold/log/flush", client="192.0.2.7")
    assert (reply.status, reply.json["code"]) == (403, "request.not-loopback")


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["BYTES", "FP64", "INT64", "distance", "carrier", "id", "null"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The valid request with some of its parts replaced, removed or repeated."""
    request = deepcopy(VALID)
    for _ in range(draw(st.integers(1, 3))):
        node: Any = request
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = draw(st.sampled_from(keys))
            child = node[key]
            if not isinstance(child, dict | list) or not child or draw(st.booleans()):
                break
            node = child
        act = draw(st.sampled_from(["replace", "replace", "remove", "repeat"]))
        if act == "replace":
            node[key] = draw(VALUES)
        elif act == "remove" and len(node) > 1:
            del node[key]
        elif isinstance(node, list):
            node.append(deepcopy(node[key]))
    return json.dumps(request).encode()


def never_a_500(client: Any, body: bytes) -> None:
    reply = client.infer(body)
    assert reply.status < 500, reply.body
    if reply.status != 200:
        assert reply.json["code"] and reply.json["error"]


SHORT = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LONG = settings(SHORT, max_examples=5_000)
BYTES = st.binary(max_size=300)


@SHORT
@given(body=BYTES)
@example(body=b'{"inputs":[{"name":"\\ud800"}]}')
def test_any_bytes(client: Any, body: bytes) -> None:
    never_a_500(client, body)


@SHORT
@given(body=mutated())
def test_any_request_that_is_nearly_right(client: Any, body: bytes) -> None:
    never_a_500(client, body)


@SHORT
@given(value=VALUES)
def test_any_json(client: Any, value: Any) -> None:
    never_a_500(client, json.dumps(value).encode())


@SHORT
@given(cut=st.integers(0, 400), flip=st.integers(0, 400), bit=st.integers(0, 7))
def test_any_damage_on_the_way(client: Any, cut: int, flip: int, bit: int) -> None:
    body = bytearray(json.dumps(VALID).encode())
    body[flip % len(body)] ^= 1 << bit
    never_a_500(client, bytes(body[: len(body) - cut]))


@pytest.mark.long
@LONG
@given(body=BYTES | mutated())
def test_many_bad_bodies(client: Any, body: bytes) -> None:
    never_a_500(client, body)


@SHORT
@given(method=st.sampled_from(["GET", "POST", "PUT", "HEAD"]), path=st.text(max_size=40))
def test_any_address(client: Any, method: str, path: str) -> None:
    for start in ("/", "/v2/", "/v2/models/delay/", "/v2/models/delay/versions/"):
        assert client.ask(method, start + path).status < 500
