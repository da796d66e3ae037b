"""A real endpoint: real sockets, a real model in both runtimes, real signatures, real signals."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import polars as pl
import pytest

from freehold.cli.agent import _starter
from freehold.domain.endpoint_spec import EndpointSpec, LimitsSpec
from freehold.domain.errors import FreeholdError
from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.endpoint.process import EndpointThread
from freehold.endpoint.request_log import LogSettings
from freehold.endpoint.settings import EndpointSettings

METRICS = b"GET /metrics HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n"


def call(url: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"content-type": "application/json"})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


def log_of(site: Any) -> pl.DataFrame:
    return pl.concat(pl.read_parquet(p) for p in sorted((site.folder / "log").glob("*.parquet")))


@pytest.mark.parametrize("runtime", ["onnx", "lightgbm"])
def test_both_runtimes_answer_alike_in_a_process(real: Any, runtime: str) -> None:
    request = {
        "inputs": [
            {"name": "distance", "datatype": "INT64", "shape": [3], "data": [2500, 300, None]},
            {"name": "carrier", "datatype": "BYTES", "shape": [3], "data": ["UA", "AA", "??"]},
        ]
    }
    with EndpointProcess.start(real.folder, runtime=runtime) as endpoint:
        status, answer = call(endpoint.url, "POST", "/v2/models/delay/infer", request)
        assert status == 200
        assert np.allclose(answer["outputs"][0]["data"], real.expected, atol=1e-5)
    # Nothing was flushed: the clean stop has done it.
    assert log_of(real).height == 3


def test_a_kill_loses_no_flushed_row_and_leaves_no_half_part(real: Any, request_of: Any) -> None:
    endpoint = EndpointProcess.start(real.folder)
    for n in range(5):
        call(endpoint.url, "POST", "/v2/models/delay/infer", request_of(n, n))
    assert call(endpoint.url, "POST", "/freehold/log/flush") == (
        200,
        {"rows": 10, "dropped": 0, "parts": 1},
    )
    call(endpoint.url, "POST", "/v2/models/delay/infer", request_of(99))
    os.kill(endpoint.pid, signal.SIGKILL)
    with pytest.raises(FreeholdError) as caught:
        endpoint.stop()
    assert caught.value.code == "endpoint.not-stopped"
    assert log_of(real).height >= 10
    with EndpointProcess.start(real.folder) as again:
        assert call(again.url, "GET", "/v2/health/live") == (200, {"live": True})


def test_the_process_says_whose_it_is(real: Any) -> None:
    with EndpointProcess.start(real.folder) as endpoint:
        assert endpoint.identity.key == real.public.fingerprint
        assert endpoint.identity.folder == str(real.folder.resolve())
        state = call(endpoint.url, "GET", "/freehold/routing")[1]
        assert (state["key"], state["folder"]) == (
            endpoint.identity.key,
            endpoint.identity.folder,
        )


PARENT = """
import sys, time
from pathlib import Path
from freehold.endpoint.endpoint_process import EndpointProcess
endpoint = EndpointProcess.start(Path(sys.argv[1]))
print(endpoint.url, endpoint.pid, flush=True)
time.sleep(3600)
"""


def test_a_process_does_not_outlive_a_parent_that_was_killed(real: Any, request_of: Any) -> None:
    # The child has its parent's stderr: the pipe ends when neither holds it any more.
    command = [sys.executable, "-c", PARENT, str(real.folder)]
    child = 0
    with subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            url, pid = parent.stdout.readline().split()
            child = int(pid)
            assert call(url, "POST", "/v2/models/delay/infer", request_of(1, 2))[0] == 200
            parent.kill()
            _, said = parent.communicate(timeout=60)
            child = 0
        finally:
            if child:
                os.kill(child, signal.SIGKILL)
    assert said == ""
    assert log_of(real).height == 2
    assert real.events()[-1]["type"] == "endpoint.stopped"


def test_an_endpoint_started_by_hand_does_not_need_its_stdin(real: Any) -> None:
    command = [sys.executable, "-m", "freehold.endpoint", str(real.folder), "--port", "0"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            assert call(url, "GET", "/v2/health/ready")[0] == 200
            assert process.poll() is None
        finally:
            process.terminate()
    assert process.returncode == 0


def test_a_process_that_does_not_start_says_why(real: Any) -> None:
    (real.payload(1) / "model.onnx").write_bytes(b"altered")
    with pytest.raises(FreeholdError) as caught:
        EndpointProcess.start(real.folder)
    assert caught.value.code == "package.signature" and caught.value.why


def test_an_unknown_runtime_is_named(real: Any) -> None:
    with pytest.raises(FreeholdError) as caught:
        EndpointProcess.start(real.folder, runtime="abacus")
    assert caught.value.code == "adapter.unknown" and "onnx" in caught.value.why


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
def test_nothing_listens_beyond_loopback(site: Any, host: str) -> None:
    with pytest.raises(FreeholdError) as caught:
        EndpointThread(EndpointSettings(site.folder, host), site.runtime, site.signing)
    assert caught.value.code == "endpoint.not-loopback"


def test_a_port_in_use_is_named(site: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FreeholdError) as caught:
            thread(site, port=port)
    assert caught.value.code == "endpoint.port-in-use"
    assert str(port) in caught.value.what and caught.value.hint


def thread(site: Any, **settings: Any) -> EndpointThread:
    settings.setdefault("port", 0)
    settings.setdefault("log", LogSettings(window=60))
    whole = EndpointSettings(site.folder, **settings)
    return EndpointThread(whole, site.runtime, site.signing)


@pytest.fixture
def running(site: Any) -> Any:
    site.model(1)
    site.route((1, 100.0, "champion"))
    with thread(site) as endpoint:
        yield endpoint


def test_a_new_table_comes_into_force_by_itself(site: Any, running: Any) -> None:
    site.model(2, bias=1.0)
    site.canary(25.0)
    while call(running.url, "GET", "/freehold/routing")[1]["version"] == 1:
        pass
    state = call(running.url, "GET", "/freehold/routing")[1]
    assert [v["weight"] for v in state["variants"]] == [75.0, 25.0]


def raw(url: str, data: bytes) -> bytes:
    """Everything that comes back until the other side closes."""
    port = urlsplit(url).port
    assert port is not None
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(data)
        while chunk := connection.recv(65536):
            received += chunk
    return received


def test_a_body_declared_too_large_is_answered_before_it_is_sent(running: Any) -> None:
    head = b"POST /v2/models/delay/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n"
    reply = raw(running.url, head)
    assert reply.startswith(b"HTTP/1.1 413") and b"request.too-large" in reply


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v2/models/delay/infer HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST /v2/models/delay/infer HTTP/1.1\r\nhost: x\r\ncontent-length: five\r\n\r\n",
        b"\x00" * 100 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_400_and_ends(running: Any, data: bytes) -> None:
    assert raw(running.url, data).startswith(b"HTTP/1.1 400")
    assert call(running.url, "GET", "/v2/health/live")[0] == 200


def test_a_client_that_leaves_in_the_middle_harms_nobody(running: Any) -> None:
    port = urlsplit(running.url).port
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            b"POST /v2/models/delay/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{"
        )
    assert call(running.url, "GET", "/v2/health/live")[0] == 200


def test_requests_that_wait_are_counted(running: Any) -> None:
    """Three bodies that do not come; the question itself is not counted."""
    address = urlsplit(running.url)
    head = (
        b"POST /v2/models/delay/infer HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n"
    )
    open_ones = [socket.create_connection((address.hostname, address.port)) for _ in range(3)]
    try:
        for one in open_ones:
            one.sendall(head + b"content-length: 100\r\n\r\n")
        waited_for(running, "freehold_requests_waiting 3.0")
    finally:
        for one in open_ones:
            one.close()
    waited_for(running, "freehold_requests_waiting 0.0")


def waited_for(running: Any, line: str) -> None:
    """Asks again: what was sent arrives when it does."""
    for _ in range(500):
        if line.encode() in raw(running.url, METRICS).splitlines():
            return
    pytest.fail(f"the metrics never said {line}")


def test_a_stopped_endpoint_frees_its_port(site: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    first = thread(site)
    port = urlsplit(first.url).port
    call(first.url, "GET", "/v2/health/live")
    first.stop()
    with thread(site, port=port) as second:
        assert call(second.url, "GET", "/v2/health/live")[0] == 200


def test_the_folder_can_lie_anywhere(site: Any, tmp_path: Path) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    site.folder = site.folder.rename(tmp_path / "ordner mit Lücke")
    with thread(site) as endpoint:
        assert call(endpoint.url, "GET", "/v2/health/ready")[0] == 200


@pytest.mark.parametrize("more", [{}, {"processes": 2}, {"sleep_after": 60.0}], ids=str)
def test_an_agent_passes_limits_on(real: Any, request_of: Any, more: dict[str, Any]) -> None:
    limits = LimitsSpec(per_caller=0.001, rows=2, body_megabytes=0.002, log_window=0.05)
    spec = EndpointSpec("delay", port=0, limits=limits, **more)
    with _starter(spec)(real.folder) as endpoint:  # type: ignore[attr-defined]
        connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=60)

        def ask(caller: str, body: dict[str, Any], padding: int = 0) -> tuple[int, str]:
            sent = json.dumps(body).encode() + b" " * padding
            headers = {"freehold-caller": caller}
            connection.request("POST", "/v2/models/delay/infer", sent, headers)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read()).get("code", "")

        assert ask("a", request_of(1, 2)) == (200, "")
        assert ask("b", request_of(1, 2, 3)) == (413, "request.too-many-rows")
        assert ask("a", request_of(1)) == (429, "request.too-often")
        assert ask("c", request_of(1), padding=2100) == (413, "request.too-large")
        connection.close()
        # Nobody flushes: the window passes by itself.
        while not list((real.folder / "log").glob("*.parquet")):
            assert endpoint.is_alive
