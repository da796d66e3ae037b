"""No library that validates or models data lies on the way of a request, by any of its protocols:
of all functions that are called while requests are answered, none is of such a one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import freehold.endpoint

VALIDATORS = ("pydantic", "jsonschema", "marshmallow", "attr", "cerberus", "voluptuous", "msgspec")
WEB = ("fastapi", "starlette", "flask", "uvicorn", "aiohttp")
"""Frameworks that validate on their way."""

ANSWERING = """
import io, json, sys, threading
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import polars

import freehold.endpoint.__main__
from freehold.endpoint.process import EndpointThread
from freehold.endpoint.settings import EndpointSettings

ROW = {"distance": 2500.0, "carrier": "UA"}
TENSORS = [
    {"name": "distance", "datatype": "FP64", "shape": [1], "data": [2500.0]},
    {"name": "carrier", "datatype": "BYTES", "shape": [1], "data": ["UA"]},
]
called, recording = set(), threading.Event()


def record(frame, event, _):
    if event == "call" and recording.is_set():
        called.add(frame.f_code.co_filename)


# In each thread that begins from here on: the endpoint's, its log's, its watcher's.
threading.setprofile(record)
settings = EndpointSettings(Path(sys.argv[1]), port=0, grpc_port=0)
with EndpointThread(settings) as endpoint:
    recording.set()
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
    written = io.BytesIO()
    polars.DataFrame([ROW]).write_parquet(written)
    parquet = {"content-type": "application/vnd.apache.parquet"}
    for body, status in ((written.getvalue(), 200), (b"PAR1", 400)):
        connection.request("POST", "/invocations", body, parquet)
        reply = connection.getresponse()
        reply.read()
        assert reply.status == status, reply.status
    connection.close()
    recording.clear()
assert not {"pandas", "pyarrow"} & sys.modules.keys()
print(json.dumps(sorted(called)))
"""


def test_no_validation_library_is_called_by_what_answers(real: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ANSWERING, str(real.folder)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    called = [Path(name) for name in json.loads(done.stdout.splitlines()[-1])]
    endpoint = Path(freehold.endpoint.__file__).parent
    for way in ("connection.py", "inference.py", "../serving/open_inference.py"):
        assert (endpoint / way).resolve() in called
    for way in ("invocations.py", "parquet.py", "plain_rows.py"):
        assert endpoint.parent / "serving" / way in called
    assert not [path for path in called if {*VALIDATORS, *WEB} & set(path.parts)]
