"""Several processes at one port, and an endpoint that sleeps: real processes, real signals."""

import http.client
import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from threading import Event
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import grpc
import numpy as np
import polars as pl
import pytest

from freehold.domain.errors import FreeholdError
from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.serving.inference_messages import SERVICE, ModelInferRequest, ModelInferResponse

PATIENCE = 60.0
ROWS = {
    "inputs": [
        {"name": "distance", "datatype": "INT64", "shape": [3], "data": [2500, 300, None]},
        {"name": "carrier", "datatype": "BYTES", "shape": [3], "data": ["UA", "AA", "??"]},
    ]
}


def eventually(holds: Callable[[], bool]) -> None:
    until = monotonic() + PATIENCE
    while not holds():
        assert monotonic() < until, "it does not come about"
        sleep(0.02)


def asked(url: str, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    """On a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"content-type": "application/json"})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def scores(url: str) -> list[float]:
    status, told = asked(url, "POST", "/v2/models/delay/infer", ROWS)
    assert status == 200, told
    found: list[float] = json.loads(told)["outputs"][0]["data"]
    return found


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def logged(site: Any) -> pl.DataFrame:
    return pl.concat(pl.read_parquet(p) for p in sorted((site.folder / "log").glob("*.parquet")))


def metrics(url: str) -> list[str]:
    with urlopen(f"{url}/metrics") as reply:
        found: list[str] = reply.read().decode().splitlines()
    return found


def figure(lines: list[str], name: str) -> dict[str, float]:
    """By process."""
    found: dict[str, float] = {}
    for line in lines:
        if line.startswith(f"{name}{{"):
            process = line.partition('process="')[2].partition('"')[0]
            found[process] = found.get(process, 0.0) + float(line.split()[-1])
    return found


@pytest.mark.parametrize("runtime", ["onnx", "lightgbm", "isolated"])
def test_all_processes_answer_alike_and_are_one_endpoint(real: Any, runtime: str) -> None:
    with EndpointProcess.start(real.folder, runtime=runtime, processes=3) as endpoint:
        assert endpoint.identity.key == real.public.fingerprint
        assert len(children(endpoint.pid)) == 3
        count = 0
        while len(figure(metrics(endpoint.url), "freehold_rows_total")) < 3 and count < 500:
            assert np.allclose(scores(endpoint.url), real.expected, atol=1e-5)
            count += 1
        told = metrics(endpoint.url)
        assert sum(figure(told, "freehold_rows_total").values()) == 3 * count
        assert figure(told, "freehold_process_up") == {"0": 1.0, "1": 1.0, "2": 1.0}
        assert len(figure(told, "freehold_rows_total")) == 3
        status, flushed = asked(endpoint.url, "POST", "/freehold/log/flush")
        assert (status, json.loads(flushed)["rows"]) == (200, 3 * count)
        assert logged(real).height == 3 * count
    # One machine's hour is one hour, however many processes use it.
    assert len(list((real.folder / "replicas").glob("*.json"))) == 1
    assert [one["type"] for one in real.events()].count("endpoint.stopped") == 3


def test_large_batches_are_answered_after_a_fork(real: Any) -> None:
    """By threads that the first process must not have started."""
    rows = 5_000
    body = {
        "inputs": [
            {"name": "distance", "datatype": "FP64", "shape": [rows], "data": [2500.0] * rows},
            {"name": "carrier", "datatype": "BYTES", "shape": [rows], "data": ["UA"] * rows},
        ]
    }
    for runtime in ("onnx", "lightgbm"):
        with EndpointProcess.start(real.folder, runtime=runtime, processes=2) as endpoint:
            for _ in range(6):
                status, told = asked(endpoint.url, "POST", "/v2/models/delay/infer", body)
                assert status == 200, told
                found = json.loads(told)["outputs"][0]["data"]
                assert np.allclose(found, real.expected[0], atol=1e-5)


def test_a_process_that_is_killed_is_started_again_and_others_go_on(real: Any) -> None:
    with EndpointProcess.start(real.folder, processes=2) as endpoint:
        before = set(children(endpoint.pid))
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(set(children(endpoint.pid)) - {victim}) == 2)
        eventually(lambda: len(figure(metrics(endpoint.url), "freehold_process_up")) == 2)
        eventually(
            lambda: set(figure(metrics(endpoint.url), "freehold_process_up").values()) == {1.0}
        )
        for _ in range(20):
            assert np.allclose(scores(endpoint.url), real.expected, atol=1e-5)


def test_none_outlives_the_first_one(real: Any) -> None:
    endpoint = EndpointProcess.start(real.folder, processes=2)
    members = children(endpoint.pid)
    assert len(members) == 2
    os.kill(endpoint.pid, signal.SIGKILL)
    with pytest.raises(FreeholdError):
        endpoint.stop()
    eventually(lambda: not any(is_alive(one) for one in members))


def is_alive(pid: int) -> bool:
    """One that nobody waits for is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_what_does_not_verify_is_told(real: Any) -> None:
    (real.payload(1) / "model.onnx").write_bytes(b"altered")
    for processes in (2, 3):
        with pytest.raises(FreeholdError) as caught:
            EndpointProcess.start(real.folder, processes=processes)
        assert caught.value.code == "package.signature" and caught.value.why


def test_a_release_reaches_all(real: Any) -> None:
    with EndpointProcess.start(real.folder, processes=2) as endpoint:
        real.route((1, 100.0, "champion"))
        eventually(
            lambda: (
                set(figure(metrics(endpoint.url), "freehold_routing_version").values()) == {2.0}
                and len(figure(metrics(endpoint.url), "freehold_routing_version")) == 2
            )
        )
        assert np.allclose(scores(endpoint.url), real.expected, atol=1e-5)


def serves(endpoint: EndpointProcess, routing: int, processes: int) -> bool:
    told = figure(metrics(endpoint.url), "freehold_routing_version")
    return len(told) == processes and set(told.values()) == {float(routing)}


def test_a_model_that_a_release_brings_is_loaded_once_for_all(real: Any, ask: Any) -> None:
    """By the first process, from which others are forked that take over: no request fails, none is
    counted twice or lost, one replica at a time is paid."""
    others = {version: real.real_version(version) for version in (2, 3)}
    bodies, over = json.dumps(ROWS).encode(), Event()
    with (
        EndpointProcess.start(real.folder, processes=3) as endpoint,
        ThreadPoolExecutor(4) as crowd,
    ):
        asking = [crowd.submit(ask, endpoint.url, bodies, over) for _ in range(4)]
        try:
            for version, expected in others.items():
                before = set(children(endpoint.pid))
                routing = real.route((version, 100.0, "champion")).version
                eventually(partial(serves, endpoint, routing, 3))
                assert np.allclose(scores(endpoint.url), expected, atol=1e-5)
                # Those before have gone, each with the last of its connections.
                eventually(lambda gone=before: not gone & set(children(endpoint.pid)))
                assert len(children(endpoint.pid)) == 3
        finally:
            over.set()
        found = sum((one.result() for one in asking), Counter())
    assert {status for status, _ in found} == {200}
    assert {told for _, told in found} == {"1", "2", "3"}
    assert logged(real).height == 3 * (found.total() + len(others))
    loads = [one for one in real.events() if one["type"] == "endpoint.loaded"]
    assert len(loads) == 9
    beats = [json.loads(one.read_bytes()) for one in (real.folder / "replicas").glob("*.json")]
    assert [one["ended"] for one in beats] == [True] * 3
    beats.sort(key=lambda one: one["start"])
    assert all(one["beat"] < after["beat"] for one, after in pairwise(beats))


def test_other_shares_of_the_same_models_need_no_other_processes(real: Any) -> None:
    real.real_version(2)
    with EndpointProcess.start(real.folder, processes=2) as endpoint:
        before = set(children(endpoint.pid))
        real.route((1, 90.0, "champion"), (2, 10.0, "challenger"), reference=1)
        eventually(lambda: serves(endpoint, 2, 2) and not before & set(children(endpoint.pid)))
        before = set(children(endpoint.pid))
        for number, share in enumerate((25.0, 50.0), 3):
            real.route((1, 100 - share, "champion"), (2, share, "challenger"), reference=1)
            eventually(partial(serves, endpoint, number, 2))
        real.route((2, 100.0, "champion"))
        eventually(lambda: serves(endpoint, 5, 2))
        assert set(children(endpoint.pid)) == before


def test_what_the_first_process_cannot_load_each_refuses(real: Any) -> None:
    real.real_version(2)
    whole = (real.payload(2) / "model.onnx").read_bytes()
    (real.payload(2) / "model.onnx").write_bytes(b"altered")
    with EndpointProcess.start(real.folder, processes=2) as endpoint:
        before = children(endpoint.pid)
        real.route((2, 100.0, "champion"))
        refused = "freehold_tables_refused_total"
        eventually(lambda: figure(metrics(endpoint.url), refused) == {"0": 1.0, "1": 1.0})
        assert np.allclose(scores(endpoint.url), real.expected, atol=1e-5)
        assert children(endpoint.pid) == before
        (real.payload(2) / "model.onnx").write_bytes(whole)
        real.route((2, 100.0, "champion"))
        eventually(lambda: serves(endpoint, 3, 2))


def test_what_cannot_be_shared_each_loads_itself(real: Any) -> None:
    real.real_version(2)
    with EndpointProcess.start(real.folder, processes=2, runtime="isolated") as endpoint:
        before = children(endpoint.pid)
        real.route((2, 100.0, "champion"))
        eventually(lambda: serves(endpoint, 2, 2))
        assert children(endpoint.pid) == before


def test_one_that_is_killed_while_others_come_is_made_good(real: Any) -> None:
    expected = real.real_version(2)
    with EndpointProcess.start(real.folder, processes=3) as endpoint:
        before = set(children(endpoint.pid))
        real.route((2, 100.0, "champion"))
        eventually(lambda: bool(set(children(endpoint.pid)) - before))
        (newest, *_) = set(children(endpoint.pid)) - before
        os.kill(newest, signal.SIGKILL)
        eventually(lambda: serves(endpoint, 2, 3))
        for _ in range(20):
            assert np.allclose(scores(endpoint.url), expected, atol=1e-5)


def test_all_answer_by_grpc(real: Any) -> None:
    message = ModelInferRequest(model_name="delay")
    distance = message.inputs.add(name="distance", datatype="FP64", shape=[1])
    distance.contents.fp64_contents.append(2500.0)
    carrier = message.inputs.add(name="carrier", datatype="BYTES", shape=[1])
    carrier.contents.bytes_contents.append(b"UA")
    with EndpointProcess.start(real.folder, processes=2, grpc_port=0) as endpoint:
        assert endpoint.grpc is not None
        for _ in range(20):
            options = [("grpc.use_local_subchannel_pool", 1)]
            with grpc.insecure_channel(endpoint.grpc, options) as channel:
                told = channel.unary_unary(f"/{SERVICE}/ModelInfer")(message.SerializeToString())
            (score,) = ModelInferResponse.FromString(told).outputs[0].contents.fp64_contents
            assert abs(score - real.expected[0]) < 1e-5
        assert sum(figure(metrics(endpoint.url), "freehold_rows_total").values()) == 20


@contextmanager
def sleeping(real: Any, **more: Any) -> Iterator[EndpointProcess]:
    with EndpointProcess.start(real.folder, sleep_after=1.0, **more) as endpoint:
        yield endpoint


@pytest.mark.parametrize("processes", [1, 2])
def test_it_sleeps_when_nobody_asks_and_holds_the_first_request(real: Any, processes: int) -> None:
    with sleeping(real, processes=processes) as endpoint:
        for _ in range(2):
            assert np.allclose(scores(endpoint.url), real.expected, atol=1e-5)
            eventually(lambda: not children(endpoint.pid))
            with ThreadPoolExecutor(10) as crowd:
                found = list(crowd.map(scores, [endpoint.url] * 10))
            assert all(np.allclose(one, real.expected, atol=1e-5) for one in found)
    assert logged(real).height == 2 * 11 * 3
    # An hour asleep is not paid: each time awake is a replica of its own.
    assert len(list((real.folder / "replicas").glob("*.json"))) == 3


NAPS = (0.9, 1.1, 1.3, 1.5, 2.5)
"""Seconds of silence, about those after which it sleeps."""


def fall_asleep(real: Any, pauses: Sequence[float]) -> None:
    with sleeping(real) as endpoint:
        naps = 0
        for pause in pauses:
            before = children(endpoint.pid)
            sleep(pause)
            assert np.allclose(scores(endpoint.url), real.expected, atol=1e-5)
            naps += children(endpoint.pid) != before
        assert naps


def test_whoever_asks_while_it_falls_asleep_is_answered(real: Any) -> None:
    fall_asleep(real, NAPS)


@pytest.mark.long
def test_whoever_asks_while_it_falls_asleep_is_answered_often(real: Any) -> None:
    fall_asleep(real, [0.9 + number / 50 for number in range(50)])


def test_one_that_ends_by_itself_is_started_by_the_next_request(real: Any) -> None:
    with sleeping(real) as endpoint:
        (awake,) = children(endpoint.pid)
        os.kill(awake, signal.SIGKILL)
        eventually(lambda: not children(endpoint.pid))
        assert np.allclose(scores(endpoint.url), real.expected, atol=1e-5)


def test_one_that_cannot_start_says_why_and_does_not_sleep(real: Any) -> None:
    (real.payload(1) / "model.onnx").write_bytes(b"altered")
    with pytest.raises(FreeholdError) as caught:
        EndpointProcess.start(real.folder, sleep_after=1.0)
    assert caught.value.code == "package.signature"


def test_asleep_it_is_small(real: Any) -> None:
    """What holds the socket has none of the libraries that answer."""
    with sleeping(real) as endpoint:
        eventually(lambda: not children(endpoint.pid))
        mapped = Path(f"/proc/{endpoint.pid}/maps").read_text()
        assert not any(name in mapped for name in ("onnxruntime", "numpy", "polars", "lightgbm"))
