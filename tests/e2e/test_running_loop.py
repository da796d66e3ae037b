"""`freehold serve`, left alone, takes a failing canary back: at the first look at failures enough,
so within one interval of its loop. Told by the times of the history's facts."""

import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import polars as pl
import pytest
from onnx import TensorProto, helper

from freehold.cli.serve import TURN
from freehold.domain.canonical import canonical
from freehold.endpoint.request_log import LogSettings
from freehold.monitoring.profile import profile

INTERVAL = round(TURN * 1e6)
"""Microseconds between two turns of the loop of `freehold serve`."""
ENOUGH = 30
"""Failed rows of a canary beside none of the champion's, for a guardrail to be crossed."""
PROJECT = """
models: {delay: {pipeline: sums}}
endpoint: {model: delay, port: 0}
release: {steps: [50, 100], minimum_rows: 100000}
"""
FAR = 2000.0


def failing_beyond(distance: float) -> bytes:
    """A model of two columns, as ONNX, that answers a half, and fails where the first is greater:
    it looks there for what is not in a list of one."""
    nodes = [
        helper.make_node("Slice", ["rows", "zero", "one", "one"], ["first"]),
        helper.make_node("Greater", ["first", "limit"], ["far"]),
        helper.make_node("Cast", ["far"], ["place"], to=TensorProto.INT64),
        helper.make_node("Gather", ["list", "place"], ["column"]),
        helper.make_node("Squeeze", ["column", "one"], ["score"]),
    ]
    constants = [
        helper.make_tensor("zero", TensorProto.INT64, [1], [0]),
        helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        helper.make_tensor("limit", TensorProto.FLOAT, [1], [distance]),
        helper.make_tensor("list", TensorProto.FLOAT, [1], [0.5]),
    ]
    graph = helper.make_graph(
        nodes,
        "failing",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


class Client:
    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def ask(self, distance: float) -> tuple[int, Any]:
        """One row; what is answered."""
        inputs = [
            {"name": "distance", "datatype": "FP64", "shape": [1], "data": [distance]},
            {"name": "carrier", "datatype": "BYTES", "shape": [1], "data": ["AA"]},
        ]
        body = json.dumps({"inputs": inputs})
        self._connection.request("POST", "/v2/models/delay/infer", body)
        reply = self._connection.getresponse()
        return reply.status, json.loads(reply.read())

    def share(self) -> float:
        """Percent of the traffic that version 2 gets."""
        self._connection.request("GET", "/freehold/routing")
        told = json.loads(self._connection.getresponse().read())
        return float(sum(one["weight"] for one in told["variants"] if one["version"] == 2))

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def canary(project: Any, registered: Any) -> Any:
    """A project whose endpoint runs, with its loop, and a canary of half of the traffic that fails
    where it is far."""
    file = (project.folder / "freehold.yaml").read_text()
    project.write("freehold.yaml", file + PROJECT)
    known = pl.DataFrame({"distance": [1.0, 2.0] * 50, "carrier": ["AA"] * 100})
    baseline = canonical(profile(known, scores=np.full(100, 0.5)).as_json())
    for version, limit in ((1, 1e9), (2, 1000.0)):
        registered(version, {"model.onnx": failing_beyond(limit), "profile.json": baseline})
    assert project.freehold("release", "delay@1", "--yes").code == 0
    process = project.start("serve", "--port", "0")
    assert process.stdout is not None
    client = Client(process.stdout.readline().split()[-1])
    assert project.freehold("release", "delay@2", "--yes").code == 0
    yield project, client
    client.close()
    process.terminate()
    assert project.finish(process).code == 0


def versions(told: Any) -> list[int]:
    return next(out["data"] for out in told["outputs"] if out["name"] == "version")


def facts(project: Any, kind: str) -> list[dict[str, Any]]:
    return [one for one in project.entries() if one["type"] == kind]


def failed(recorded: dict[str, Any]) -> int:
    """Rows of the canary in a part of the log."""
    return sum(one["failed"] for one in recorded["body"]["variants"] if one["version"] == 2)


def written(recorded: dict[str, Any]) -> int:
    """When a part of the log was, by its name."""
    return int(recorded["body"]["file"].split("-")[1])


def test_a_failing_canary_is_back_within_one_interval(canary: Any) -> None:
    project, client = canary
    seen: set[int] = set()
    while seen != {1, 2}:
        status, told = client.ask(1.0)
        assert status == 200
        seen.update(versions(told))
    failures, last = 0, 0
    while not facts(project, "release.rolled-back"):
        status, told = client.ask(FAR)
        failures += status != 200
        assert status == 200 or told["code"] == "endpoint.model-failed"
        time.sleep(0.01)
    assert failures >= ENOUGH
    (back,) = facts(project, "release.rolled-back")
    assert (back["body"]["version"], back["body"]["guardrail"]) == (2, "error-rate")
    assert back["body"]["decided"] == "analysis"
    taken = back["time"]["wall"]
    recorded = facts(project, "log.recorded")
    before = [one for one in recorded if one["time"]["wall"] <= taken - INTERVAL]
    assert sum(map(failed, before)) < ENOUGH, "a look passed over them"
    window = round(LogSettings().window * 1e6)
    unread = [one for one in recorded if written(one) <= taken - 2 * INTERVAL - window]
    assert sum(map(failed, unread)) < ENOUGH, "they lay there, and no look came"
    while last < 200:
        status, told = client.ask(FAR)
        last = last + 1 if status == 200 and versions(told) == [1] else 0
        failures += status != 200
    assert all(client.ask(FAR)[0] == 200 for _ in range(100))
    assert np.isclose(client.share(), 0.0)
