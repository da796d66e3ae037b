"""Several processes that answer by gRPC too, while releases replace them: asked by real clients."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from time import sleep
from typing import Any
from urllib.request import urlopen

import grpc
import numpy as np
import polars as pl
import pytest
from waiting import until

from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.endpoint.family import Family
from freehold.endpoint.member import LASTING, Member, say
from freehold.serving.inference_messages import (
    HEALTH_SERVICE,
    SERVICE,
    HealthCheckResponse,
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
)

PATIENCE = 60.0
INPUTS = [
    {"name": "distance", "datatype": "FP64", "shape": [2], "data": [2500.0, 300.0]},
    {"name": "carrier", "datatype": "BYTES", "shape": [2], "data": ["UA", "AA"]},
]


def question() -> bytes:
    made = ModelInferRequest(model_name="delay")
    distance = made.inputs.add(name="distance", datatype="FP64", shape=[2])
    distance.contents.fp64_contents.extend([2500.0, 300.0])
    carrier = made.inputs.add(name="carrier", datatype="BYTES", shape=[2])
    carrier.contents.bytes_contents.extend([b"UA", b"AA"])
    body: bytes = made.SerializeToString()
    return body


QUESTION = question()


def processes(endpoint: EndpointProcess) -> set[int]:
    place = Path(f"/proc/{endpoint.pid}/task/{endpoint.pid}/children")
    return set(map(int, place.read_text().split()))


def figures(endpoint: EndpointProcess, name: str) -> dict[str, float]:
    """By process."""
    with urlopen(f"{endpoint.url}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    told = [one.split() for one in lines if one.startswith(f"{name}{{")]
    return {one.partition('process="')[2].partition('"')[0]: float(n) for one, n in told}


def serves(endpoint: EndpointProcess, routing: int) -> bool:
    """Whether each of two answers by that table."""
    told = figures(endpoint, "freehold_routing_version")
    return list(told.values()) == [routing] * 2


def versions(endpoint: EndpointProcess) -> set[int]:
    """That answer on connections made anew."""
    found: set[int] = set()
    for _ in range(10):
        with connected(endpoint) as channel:
            told = channel.unary_unary(f"/{SERVICE}/ModelInfer")(QUESTION, timeout=PATIENCE)
            found |= answer_of(ModelInferResponse.FromString(told))[1]
    return found


@contextmanager
def connected(endpoint: EndpointProcess) -> Iterator[grpc.Channel]:
    """By connections of its own."""
    assert endpoint.grpc is not None
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(endpoint.grpc, options) as channel:
        yield channel


def answer_of(told: ModelInferResponse) -> tuple[list[float], set[int]]:
    """Scores, and the versions that gave them."""
    score, version, *_ = told.outputs
    return list(score.contents.fp64_contents), set(version.contents.int64_contents)


class Stream:
    """Held open until `end`."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._asked: SimpleQueue[bytes | None] = SimpleQueue()
        asked = iter(self._asked.get, None)
        self._answers = channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")(asked)

    def ask(self) -> tuple[list[float], set[int]]:
        self._asked.put(QUESTION)
        told = ModelStreamInferResponse.FromString(next(self._answers))
        assert not told.error_message
        return answer_of(told.infer_response)

    def end(self) -> None:
        self._asked.put(None)
        assert list(self._answers) == []


@contextmanager
def two(real: Any) -> Iterator[EndpointProcess]:
    with EndpointProcess.start(real.folder, processes=2, grpc_port=0) as endpoint:
        yield endpoint


def rows_logged(real: Any) -> int:
    return sum(pl.read_parquet(one).height for one in (real.folder / "log").glob("*.parquet"))


def test_a_model_that_a_release_brings_is_loaded_once_for_all(real: Any, ask: Any) -> None:
    """No call fails, of channels that stay, of new ones, by HTTP; none is counted twice or lost."""
    others = {version: real.real_version(version) for version in (2, 3)}
    over, body = Event(), json.dumps({"inputs": INPUTS}).encode()

    def call(endpoint: EndpointProcess, is_lasting: bool) -> Counter[int]:
        found: Counter[int] = Counter()
        while not over.is_set():
            with connected(endpoint) as channel:
                infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")
                asking = True
                while asking:
                    told = infer(QUESTION, timeout=PATIENCE)
                    _, (version,) = answer_of(ModelInferResponse.FromString(told))
                    found[version] += 1
                    asking = is_lasting and not over.is_set()
        return found

    with two(real) as endpoint, ThreadPoolExecutor(5) as crowd:
        calling = [crowd.submit(call, endpoint, lasting) for lasting in (True, True, True, False)]
        asking = crowd.submit(ask, endpoint.url, body, over)
        try:
            for version in others:
                before = processes(endpoint)
                routing = real.route((version, 100.0, "champion")).version
                until(partial(serves, endpoint, routing))
                until(lambda gone=before: not gone & processes(endpoint))
                assert len(processes(endpoint)) == 2
        finally:
            over.set()
        found = sum((one.result() for one in calling), Counter())
        by_http = asking.result()
    assert set(found) == {1, 2, 3} and {status for status, _ in by_http} == {200}
    assert rows_logged(real) == 2 * (found.total() + by_http.total())


def test_a_stream_that_is_open_is_answered_on_by_what_is_released(real: Any) -> None:
    """The process that answers it stays as long, and takes up what is released by itself."""
    expected = {1: real.expected} | {version: real.real_version(version) for version in (2, 3)}
    with two(real) as endpoint, connected(endpoint) as channel, connected(endpoint) as watching:
        before = processes(endpoint)
        watch = watching.unary_stream(f"/{HEALTH_SERVICE}/Watch")
        watched = watch(b"")
        assert HealthCheckResponse.FromString(next(watched)).status == 1
        stream = Stream(channel)
        assert stream.ask()[1] == {1}
        real.route((2, 100.0, "champion"))
        until(partial(serves, endpoint, 2))
        # Whoever watches a process is told that it ends, and watches on.
        with pytest.raises(grpc.RpcError) as caught:
            next(watched)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]
        assert HealthCheckResponse.FromString(next(watch(b""))).status == 1
        until(lambda: len(processes(endpoint)) == 3)
        (last,) = before & processes(endpoint)
        until(lambda: stream.ask()[1] == {2})
        real.route((3, 100.0, "champion"))
        until(partial(serves, endpoint, 3))
        until(lambda: stream.ask()[1] == {3})
        scores, _ = stream.ask()
        assert np.allclose(scores, expected[3][:2], atol=1e-5)
        assert last in processes(endpoint)
        stream.end()
        until(lambda: last not in processes(endpoint))
    beats = [json.loads(one.read_bytes()) for one in (real.folder / "replicas").glob("*.json")]
    assert [one["ended"] for one in beats] == [True] * 3


def test_where_as_many_last_as_answer_no_more_are_replaced(real: Any) -> None:
    """Else each release would leave some more behind, for as long as clients keep streams open."""
    for version in (2, 3):
        real.real_version(version)
    with two(real) as endpoint, ExitStack() as stack:
        before = processes(endpoint)
        streams: list[Stream] = []
        # Connections fall to either process by chance.
        while len(figures(endpoint, "freehold_rows_total")) < 2:
            streams.append(Stream(stack.enter_context(connected(endpoint))))
            streams[-1].ask()
        real.route((2, 100.0, "champion"))
        until(partial(serves, endpoint, 2))
        sleep(LASTING + 3)
        assert len(processes(endpoint)) == 4 and before <= processes(endpoint)
        held = processes(endpoint)
        real.route((3, 100.0, "champion"))
        until(partial(serves, endpoint, 3))
        until(lambda: all(one.ask()[1] == {3} for one in streams))
        assert processes(endpoint) == held
        for one in streams:
            one.end()
        until(lambda: processes(endpoint) == held - before)
        # What each of them loaded is not what others are forked from: one that is started again
        # loads it too, and the next release replaces all, whatever it brings.
        os.kill(min(held - before), signal.SIGKILL)
        until(lambda: len(processes(endpoint) - held) == 1)
        until(partial(serves, endpoint, 3))
        assert versions(endpoint) == {3}
        held = processes(endpoint)
        real.route((2, 100.0, "champion"))
        until(partial(serves, endpoint, 4))
        until(lambda: not held & processes(endpoint))
        assert versions(endpoint) == {2}


def test_it_does_not_sleep_while_a_stream_lasts(real: Any) -> None:
    """Though it is a process that was replaced which answers it."""
    real.real_version(2)
    with (
        EndpointProcess.start(real.folder, processes=2, grpc_port=0, sleep_after=3.0) as endpoint,
        connected(endpoint) as channel,
    ):
        (awake,) = processes(endpoint)
        stream = Stream(channel)
        assert stream.ask()[1] == {1}
        real.route((2, 100.0, "champion"))
        until(partial(serves, endpoint, 2))
        sleep(8.0)
        assert stream.ask()[1] <= {1, 2} and processes(endpoint) == {awake}
        stream.end()
        until(lambda: not processes(endpoint))


STARTING = """
import os, signal, sys, time
from pathlib import Path

from freehold.endpoint import family
from freehold.endpoint.listening import bound
from freehold.endpoint.settings import EndpointSettings

class Slow(family.Endpoint):
    def __init__(self, *given):
        # The first process's only child so far has said nothing yet.
        os.kill(os.getppid(), signal.SIGTERM)
        time.sleep(0.3)
        super().__init__(*given)

family.Endpoint = Slow
with bound("127.0.0.1", 0) as listener:
    settings = EndpointSettings(Path(sys.argv[1]), port=0, grpc_port=0, processes=2)
    family.serve_family(settings, listener, *[lambda _: None] * 3)
print("stopped")
"""


def test_one_that_is_told_to_stop_while_its_processes_start_stops(real: Any) -> None:
    """And not because they are killed in the end, which is an error."""
    command = [sys.executable, "-c", STARTING, str(real.folder)]
    for _ in range(4):
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "stopped\n", "")


def test_a_process_that_nobody_waits_for_any_more_ends_nothing_by_its_error() -> None:
    """A release came before it was ready, and others take the place."""
    family = Family.__new__(Family)
    listening, telling = os.pipe()
    goes, comes = Member(0, pid=1, told=listening), Member(0)
    family._members, family._coming, family._leaving = [Member(0)], [comes], [goes]
    try:
        say(telling, {"error": "endpoint.withdrawn"})
        family._heard(goes)
    finally:
        os.close(listening)
        os.close(telling)
    assert not goes.ready and family._leaving == [goes]
