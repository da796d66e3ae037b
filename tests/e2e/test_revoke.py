"""`freehold revoke`: a version leaves traffic for good, whatever is left to serve."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

from freehold.endpoint.process import EndpointProcess


def ask(url: str) -> tuple[int, dict[str, Any]]:
    rows = [{"distance": 1.0, "carrier": "AA"}]
    inputs = [
        {"name": "distance", "datatype": "FP64", "shape": [1], "data": [rows[0]["distance"]]},
        {"name": "carrier", "datatype": "BYTES", "shape": [1], "data": [rows[0]["carrier"]]},
    ]
    request = urllib.request.Request(
        f"{url}/v2/models/delay/infer",
        json.dumps({"inputs": inputs}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


def until(url: str, status: int) -> dict[str, Any]:
    for _ in range(100):
        found, answer = ask(url)
        if found == status:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"still {found}: {answer}")


def test_the_endpoint_goes_back_or_stops_answering(serving: Any) -> None:
    assert serving.freehold("release", "delay@2", "--strategy", "immediate", "--yes").code == 0
    endpoint = EndpointProcess.start(serving.folder / ".freehold" / "serving")
    try:
        assert until(endpoint.url, 200)["model_version"] == "2"
        done = serving.freehold("revoke", "delay@2", "--yes")
        assert done.code == 0
        assert "delay@1 is the champion" in done.out
        for _ in range(100):
            if until(endpoint.url, 200)["model_version"] == "1":
                break
            time.sleep(0.1)
        assert until(endpoint.url, 200)["model_version"] == "1"
        assert serving.freehold("revoke", "delay@1", "--yes").code == 0
        assert until(endpoint.url, 503)["code"] == "endpoint.withdrawn"
        refusal = serving.freehold("release", "delay@1", "--yes", "--json")
        assert (refusal.code, refusal.json["error"]["code"]) == (1, "policy.denied")
    finally:
        endpoint.stop()


def test_it_is_revoked_once(serving: Any, refused: Any) -> None:
    serving.freehold("revoke", "delay@1", "--yes")
    assert refused("revoke", "delay@1", "--yes")["code"] == "release.revoked"
    assert refused("revoke", "delay@7", "--yes")["code"] == "model.not-found"
