"""The Open Inference Protocol, as its clients meet it."""

from typing import Any

import pytest

INFER = "/v2/models/delay/infer"


def test_health_and_metadata(client: Any) -> None:
    assert client.ask("GET", "/v2").json["name"] == "freehold"
    assert client.ask("GET", "/v2/health/live").json == {"live": True}
    ready = client.ask("GET", "/v2/health/ready")
    assert ready.status == 200 and ready.json["ready"] is True
    assert client.ask("GET", "/v2/models/delay/ready").json == {"name": "delay", "ready": True}
    assert client.ask("GET", "/v2/models/delay/versions/1/ready").status == 200
    for path in ("/v2/models/delay", "/v2/models/delay/versions/1"):
        metadata = client.ask("GET", path).json
        assert (metadata["name"], metadata["versions"]) == ("delay", ["1"])
        assert [(i["name"], i["datatype"], i["shape"]) for i in metadata["inputs"]] == [
            ("distance", "FP64", [-1]),
            ("carrier", "BYTES", [-1]),
            ("id", "BYTES", [-1]),
        ]
        assert [o["name"] for o in metadata["outputs"]] == ["score", "version", "prediction_id"]


def test_an_answer(client: Any, request_of: Any) -> None:
    reply = client.infer(request_of(0.0, None, 1000.0, id="r7"))
    assert reply.status == 200 and reply.headers["content-type"] == "application/json"
    answer = reply.json
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("delay", "1", "r7")
    assert [o["datatype"] for o in answer["outputs"]] == ["FP64", "INT64", "BYTES"]
    assert all(o["shape"] == [3] for o in answer["outputs"])
    assert reply.output("prediction_id") == ["r7/0", "r7/1", "r7/2"]
    assert reply.output("version") == [1, 1, 1]
    scores = reply.output("score")
    assert scores[0] == scores[1] < scores[2]


def test_names_of_rows(client: Any, request_of: Any) -> None:
    assert client.infer(request_of(1, 2, ids=["a", "b"])).output("prediction_id") == ["a", "b"]
    first, second = (client.infer(request_of(1)).json["id"] for _ in range(2))
    assert first and second and first != second


def test_only_the_outputs_asked_for(client: Any, request_of: Any) -> None:
    reply = client.infer(request_of(1, outputs=[{"name": "version"}]))
    assert [o["name"] for o in reply.json["outputs"]] == ["version"]


@pytest.mark.parametrize("datatype", ["FP32", "FP64", "INT64", "INT16", "UINT8"])
def test_numbers_come_in_any_type_and_shape(client: Any, request_of: Any, datatype: str) -> None:
    plain = client.infer(request_of(7.0, 9.0)).output("score")
    request = request_of(7, 9)
    request["inputs"][0] |= {"datatype": datatype, "shape": [2, 1], "data": [[7], [9]]}
    request["inputs"].reverse()
    assert client.infer(request).output("score") == plain


def test_missing_columns_only_when_declared(client: Any, request_of: Any) -> None:
    request = request_of(7)
    del request["inputs"][1]
    refused = client.infer(request)
    assert (refused.status, refused.json["code"]) == (400, "request.column-missing")
    assert "carrier" in refused.json["error"]
    allowed = client.infer({**request, "parameters": {"missing": "null"}})
    assert allowed.status == 200
    sent = request_of(7)
    sent["inputs"][1]["data"] = [None]
    assert client.infer(sent).output("score") == allowed.output("score")


def test_what_no_model_takes_is_let_pass(client: Any, request_of: Any) -> None:
    request = request_of(7)
    plain = client.infer(request).output("score")
    request["inputs"].append({"name": "extra", "datatype": "BOOL", "shape": [1], "data": [True]})
    assert client.infer(request).output("score") == plain


def test_a_version_that_the_client_names(site: Any, client_of: Any, request_of: Any) -> None:
    site.model(1)
    site.model(2, bias=2.0)
    site.canary(0.0)
    client = client_of()
    routed = client.infer(request_of(1, 2))
    named = client.infer(request_of(1, 2), "/v2/models/delay/versions/2/infer")
    assert routed.json["model_version"] == "1" and named.json["model_version"] == "2"
    assert named.output("score") > routed.output("score")


def test_rows_of_one_request_go_their_own_ways(site: Any, client_of: Any, request_of: Any) -> None:
    site.model(1)
    site.model(2, bias=2.0)
    site.canary(50.0)
    client = client_of()
    ids = [f"flight-{n}" for n in range(200)]
    reply = client.infer(request_of(*[100.0] * 200, ids=ids))
    versions = reply.output("version")
    assert set(versions) == {1, 2} and "model_version" not in reply.json
    by_version = dict(zip(versions, reply.output("score"), strict=True))
    assert by_version[2] > by_version[1] and len(set(reply.output("score"))) == 2
    again = client.infer(request_of(*[100.0] * 20, ids=ids[100:120]))
    assert again.output("version") == versions[100:120]


def test_metrics_count_what_happened(client: Any, request_of: Any) -> None:
    client.infer(request_of(1, 2, 3))
    client.infer(b"{")
    client.ask("POST", "/freehold/log/flush")
    text = client.ask("GET", "/metrics").body.decode()
    for line in (
        'freehold_requests_total{status="200"} 2.0',
        'freehold_requests_total{status="400"} 1.0',
        'freehold_request_errors_total{code="request.malformed"} 1.0',
        'freehold_rows_total{model="delay",version="1"} 3.0',
        "freehold_inference_seconds_count 1.0",
        "freehold_waiting_seconds_count 2.0",
        "freehold_log_rows_written_total 3.0",
        "freehold_log_rows_dropped_total 0.0",
        "freehold_routing_version 1.0",
        'freehold_variant_weight_percent{alias="champion",model="delay",version="1"} 100.0',
    ):
        assert line in text.splitlines(), line


def test_routing_tells_the_table_in_force_and_whose_it_is(site: Any, client: Any) -> None:
    state = client.ask("GET", "/freehold/routing").json
    assert state["key"] == site.public.fingerprint and state["key"].startswith("sha256:")
    assert state["folder"] == str(site.folder.resolve())
    assert (state["version"], state["model"], state["refused"]) == (1, "delay", None)
    assert [v["alias"] for v in state["variants"]] == ["champion"]


def test_a_draining_endpoint_is_not_ready(client: Any) -> None:
    client.endpoint.application.draining = True
    reply = client.ask("GET", "/v2/health/ready")
    assert (reply.status, reply.json["ready"]) == (400, False)
