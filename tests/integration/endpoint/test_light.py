"""A process that answers has loaded no library that validates or models data: nothing of the kind
lies on the way of a request, by any of its protocols."""

import json
import subprocess
import sys
from typing import Any

VALIDATORS = ("pydantic", "jsonschema", "marshmallow", "attr", "cerberus", "voluptuous", "msgspec")
WEB = ("fastapi", "starlette", "flask", "uvicorn", "aiohttp")
"""Frameworks that validate on their way."""

ANSWERING = """
import json, sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import freehold.endpoint.__main__
from freehold.endpoint.process import EndpointThread
from freehold.endpoint.settings import EndpointSettings

ROW = {"distance": 2500.0, "carrier": "UA"}
TENSORS = [
    {"name": "distance", "datatype": "FP64", "shape": [1], "data": [2500.0]},
    {"name": "carrier", "datatype": "BYTES", "shape": [1], "data": ["UA"]},
]
settings = EndpointSettings(Path(sys.argv[1]), port=0, grpc_port=0)
with EndpointThread(settings) as endpoint:
    connection = HTTPConnection(urlsplit(endpoint.url).netloc, timeout=60)
    for path, body, status in (
        ("/v2/models/delay/infer", {"inputs": TENSORS}, 200),
        ("/v2/models/delay/infer", {"inputs": [7]}, 400),
        ("/invocations", {"dataframe_records": [ROW]}, 200),
        ("/invocations", {"dataframe_records": [7]}, 400),
        ("/v1/models/delay/predict", [ROW], 200),
        ("/v1/models/delay/predict", [7], 400),
    ):
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        reply = connection.getresponse()
        reply.read()
        assert reply.status == status, (path, reply.status)
    connection.close()
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_no_validation_library_is_loaded_by_what_answers(real: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ANSWERING, str(real.folder)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"freehold", "onnxruntime", "orjson", "grpc"} <= loaded
    assert not loaded & {*VALIDATORS, *WEB}
