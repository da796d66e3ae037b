"""An endpoint that sleeps, asked by gRPC: real processes, real signals, grpc's own client."""

import http.client
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Barrier, Event, Thread
from time import monotonic, sleep, time
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import grpc
import numpy as np
import polars as pl
import pytest
from clients import run

from freehold.domain.errors import FreeholdError
from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.serving.inference_messages import (
    HEALTH_SERVICE,
    SERVICE,
    HealthCheckResponse,
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
)

PATIENCE = 60.0
DISTANCES, CARRIERS = (2500.0, 300.0), ("UA", "AA")


def eventually(holds: Callable[[], bool]) -> None:
    until = monotonic() + PATIENCE
    while not holds():
        assert monotonic() < until, "it does not come about"
        sleep(0.02)


def question() -> bytes:
    made = ModelInferRequest(model_name="delay")
    distance = made.inputs.add(name="distance", datatype="FP64", shape=[2])
    distance.contents.fp64_contents.extend(DISTANCES)
    carrier = made.inputs.add(name="carrier", datatype="BYTES", shape=[2])
    carrier.contents.bytes_contents.extend(one.encode() for one in CARRIERS)
    body: bytes = made.SerializeToString()
    return body


QUESTION = question()


def told(answer: bytes) -> list[float]:
    return list(ModelInferResponse.FromString(answer).outputs[0].contents.fp64_contents)


@contextmanager
def connected(endpoint: EndpointProcess, address: str | None = None) -> Iterator[grpc.Channel]:
    """By connections of its own, made when something is asked."""
    assert endpoint.grpc is not None
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address or endpoint.grpc, options) as channel:
        yield channel


class Line:
    """A connection to an endpoint on which what it says may be held up on the way."""

    FAREWELL = bytes.fromhex("000008 07 00 00000000 7fffffff 00000000")

    def __init__(self, endpoint: EndpointProcess) -> None:
        assert endpoint.grpc is not None
        host, _, port = endpoint.grpc.rpartition(":")
        self._place = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.flows, self.was_asked_to_go = Event(), Event()
        self.flows.set()
        self.connections = 0
        self._sockets, self._threads = [self._listener], list[Thread]()
        self._work(self._serve)

    def _work(self, work: Callable[..., None], *given: Any) -> None:
        self._threads.append(Thread(target=work, args=given, daemon=True))
        self._threads[-1].start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._sockets.append(near)
                self.connections += 1
                far = socket.create_connection(self._place)
                self._sockets.append(far)
                answers: SimpleQueue[bytes] = SimpleQueue()
                self._work(self._ask, near, far)
                self._work(self._hear, far, answers)
                self._work(self._tell, answers, near)

    def _ask(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while piece := near.recv(65536):
                far.sendall(piece)
            far.shutdown(socket.SHUT_WR)

    def _hear(self, far: socket.socket, answers: "SimpleQueue[bytes]") -> None:
        piece = b"-"
        while piece:
            try:
                piece = far.recv(65536)
            except OSError:
                piece = b""
            if self.FAREWELL in piece:
                self.was_asked_to_go.set()
            answers.put(piece)

    def _tell(self, answers: "SimpleQueue[bytes]", near: socket.socket) -> None:
        with suppress(OSError):
            while piece := answers.get():
                self.flows.wait()
                near.sendall(piece)
            near.shutdown(socket.SHUT_WR)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.flows.set()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for one in self._sockets:
            one.close()


def infer(channel: grpc.Channel) -> list[float]:
    answer: bytes = channel.unary_unary(f"/{SERVICE}/ModelInfer")(QUESTION, timeout=PATIENCE)
    return told(answer)


def by_grpc(endpoint: EndpointProcess) -> list[float]:
    with connected(endpoint) as channel:
        return infer(channel)


def by_http(endpoint: EndpointProcess) -> list[float]:
    inputs = [
        {"name": "distance", "datatype": "FP64", "shape": [2], "data": DISTANCES},
        {"name": "carrier", "datatype": "BYTES", "shape": [2], "data": CARRIERS},
    ]
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=PATIENCE)
    try:
        kind = {"content-type": "application/json"}
        body = json.dumps({"inputs": inputs})
        connection.request("POST", "/v2/models/delay/infer", body, kind)
        reply = connection.getresponse()
        assert reply.status == 200
        found: list[float] = json.load(reply)["outputs"][0]["data"]
        return found
    finally:
        connection.close()


def children(endpoint: EndpointProcess) -> list[int]:
    place = Path(f"/proc/{endpoint.pid}/task/{endpoint.pid}/children")
    return [int(one) for one in place.read_text().split()]


def falls_asleep(endpoint: EndpointProcess) -> None:
    eventually(lambda: not children(endpoint))


def awakenings(real: Any) -> list[dict[str, Any]]:
    return [json.loads(one.read_bytes()) for one in (real.folder / "replicas").glob("*.json")]


def rows_logged(real: Any) -> int:
    parts = (real.folder / "log").glob("*.parquet")
    return sum(pl.read_parquet(part).height for part in parts)


@contextmanager
def sleeping(real: Any, **more: Any) -> Iterator[EndpointProcess]:
    settings = {"sleep_after": 1.0, "grpc_port": 0, **more}
    with EndpointProcess.start(real.folder, **settings) as endpoint:
        yield endpoint


@pytest.fixture
def expected(real: Any) -> Callable[[list[float]], bool]:
    return lambda found: bool(np.allclose(found, real.expected[:2], atol=1e-5))


@pytest.mark.parametrize("processes", [1, 2])
def test_it_sleeps_and_the_first_call_is_held(real: Any, expected: Any, processes: int) -> None:
    """Of a channel that stays open all the while, too: it is let go, and comes again."""
    with sleeping(real, processes=processes) as endpoint, connected(endpoint) as lasting:
        for _ in range(2):
            assert expected(infer(lasting))
            falls_asleep(endpoint)
            assert expected(by_grpc(endpoint))
            falls_asleep(endpoint)
    assert rows_logged(real) == 2 * 2 * 2
    assert len(awakenings(real)) == 1 + 3


@pytest.mark.parametrize("processes", [1, 2])
def test_twenty_callers_at_once_wake_one(real: Any, expected: Any, processes: int) -> None:
    with sleeping(real, processes=processes) as endpoint:
        falls_asleep(endpoint)
        together = Barrier(20)

        def ask(_: int) -> list[float]:
            together.wait()
            return by_grpc(endpoint)

        with ThreadPoolExecutor(20) as crowd:
            assert all(map(expected, crowd.map(ask, range(20))))
        # Of the first start, and of one more.
        assert len(awakenings(real)) == 2


def test_either_protocol_wakes_both(real: Any, expected: Any) -> None:
    with sleeping(real) as endpoint:
        for first, other in ((by_http, by_grpc), (by_grpc, by_http)):
            falls_asleep(endpoint)
            assert expected(first(endpoint))
            assert expected(other(endpoint))


def test_health_wakes_it_and_does_not_keep_it_awake(real: Any) -> None:
    with sleeping(real) as endpoint, connected(endpoint) as channel:
        check = channel.unary_unary(f"/{HEALTH_SERVICE}/Check")
        seen: set[int] = set()

        def is_serving() -> bool:
            state = HealthCheckResponse.FromString(check(b"", timeout=PATIENCE)).status
            seen.update(children(endpoint))
            return bool(state == 1)

        # It never gets its second of silence, and sleeps twice.
        eventually(lambda: is_serving() and len(seen) == 3)


def test_a_watch_is_ended_when_it_goes_to_sleep(real: Any, expected: Any) -> None:
    with sleeping(real) as endpoint, connected(endpoint) as channel:
        watch = channel.unary_stream(f"/{HEALTH_SERVICE}/Watch")(b"")
        assert HealthCheckResponse.FromString(next(watch)).status == 1
        falls_asleep(endpoint)
        with pytest.raises(grpc.RpcError) as caught:
            next(watch)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]
        assert expected(infer(channel))


def test_what_is_scored_keeps_it_awake(real: Any, expected: Any) -> None:
    with sleeping(real, sleep_after=3.0) as endpoint, connected(endpoint) as channel:
        before, until = children(endpoint), monotonic() + 6.0
        while monotonic() < until:
            assert expected(infer(channel))
            sleep(0.1)
        assert children(endpoint) == before


def test_a_stream_that_is_open_keeps_it_awake_until_it_ends(real: Any, expected: Any) -> None:
    with sleeping(real) as endpoint, connected(endpoint) as channel:
        before = children(endpoint)
        asked: SimpleQueue[bytes | None] = SimpleQueue()
        stream = channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")(iter(asked.get, None))
        for pause in (0.0, 3.0):
            sleep(pause)
            asked.put(QUESTION)
            answer = ModelStreamInferResponse.FromString(next(stream))
            assert expected(list(answer.infer_response.outputs[0].contents.fp64_contents))
        assert children(endpoint) == before
        asked.put(None)
        assert list(stream) == []
        falls_asleep(endpoint)


@pytest.mark.parametrize("processes", [1, 2])
def test_one_that_was_killed_is_started_by_the_next_call(
    real: Any, expected: Any, processes: int
) -> None:
    with (
        sleeping(real, sleep_after=60.0, processes=processes) as endpoint,
        connected(endpoint) as channel,
    ):
        assert expected(infer(channel))
        (awake,) = children(endpoint)
        os.kill(awake, signal.SIGKILL)
        eventually(lambda: awake not in children(endpoint))
        assert expected(by_grpc(endpoint))
        assert expected(infer(channel))


def test_asleep_it_is_small(real: Any, expected: Any) -> None:
    """Also once it has been asked by many."""
    with sleeping(real) as endpoint:
        for _ in range(50):
            assert expected(by_grpc(endpoint))
        falls_asleep(endpoint)
        mapped = Path(f"/proc/{endpoint.pid}/maps").read_text()
        assert not any(name in mapped for name in ("cygrpc", "_upb", "onnxruntime", "numpy"))
        lines = Path(f"/proc/{endpoint.pid}/status").read_text().splitlines()
        (kilobytes,) = (int(one.split()[1]) for one in lines if one.startswith("VmRSS"))
        assert kilobytes < 40_000


def test_only_the_time_awake_is_metered(real: Any, expected: Any) -> None:
    with sleeping(real) as endpoint:
        asleep: list[tuple[float, float]] = []
        for _ in range(2):
            falls_asleep(endpoint)
            since = time()
            sleep(1.0)
            asleep.append((since, time()))
            assert expected(by_grpc(endpoint))
    beats = awakenings(real)
    assert len(beats) == 3 and all(one["ended"] for one in beats)
    for one in beats:
        assert sum(one["seconds"].values()) <= (one["beat"] - one["start"]) / 1e6
        for since, until in asleep:
            assert one["beat"] / 1e6 <= since or one["start"] / 1e6 >= until


@pytest.mark.long
def test_who_does_not_go_does_not_keep_it_awake(real: Any, expected: Any) -> None:
    """It has said nothing, and never answers."""
    with sleeping(real) as endpoint:
        assert endpoint.grpc is not None
        host, _, port = endpoint.grpc.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as deaf:
            falls_asleep(endpoint)
            while deaf.recv(65536):
                pass
        assert expected(by_grpc(endpoint))


@pytest.mark.parametrize("processes", [1, 2])
def test_a_call_that_crosses_the_request_to_go_is_answered(
    real: Any, expected: Any, processes: int
) -> None:
    """Its client has not heard yet that it is to begin nothing more there: the very moment."""
    with (
        sleeping(real, processes=processes) as endpoint,
        Line(endpoint) as line,
        connected(endpoint, line.address) as channel,
    ):
        call = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        assert expected(told(call(QUESTION)))
        before = children(endpoint)
        line.flows.clear()
        assert line.was_asked_to_go.wait(PATIENCE)
        crossing = call.future(QUESTION, timeout=PATIENCE)
        # Scored, whatever its client has heard.
        eventually(lambda: scored(endpoint) == 2 * 2)
        line.flows.set()
        assert expected(told(crossing.result()))
        assert children(endpoint) == before and line.connections == 1
        falls_asleep(endpoint)
        assert expected(told(call(QUESTION, timeout=PATIENCE)))
        assert line.connections == 2


def scored(endpoint: EndpointProcess) -> float:
    """Rows, by all of its processes."""
    with urlopen(f"{endpoint.url}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(one.split()[-1]) for one in lines if one.startswith("freehold_rows_total"))


def naps(real: Any, pauses: Sequence[float], **more: Any) -> None:
    """Four callers of lasting channels and one of new ones ask, all at once, after each pause;
    none may fail."""
    with sleeping(real, **more) as endpoint:
        together = Barrier(5)
        slept: list[bool] = []

        def ask(is_lasting: bool) -> int:
            before, answered = children(endpoint), 0
            with connected(endpoint) as channel:
                for number, pause in enumerate(pauses):
                    together.wait(PATIENCE)
                    # A little apart: about the moment in which it decides.
                    sleep(pause + (0.0 if is_lasting else 0.003 * (number % 30)))
                    found = infer(channel) if is_lasting else by_grpc(endpoint)
                    assert np.allclose(found, real.expected[:2], atol=1e-5)
                    answered += 1
                    if not is_lasting:
                        slept.append(children(endpoint) != before)
                        before = children(endpoint)
            return answered

        with ThreadPoolExecutor(5) as crowd:
            counts = list(crowd.map(ask, [True] * 4 + [False]))
        assert counts == [len(pauses)] * 5
        assert any(slept)
    assert rows_logged(real) == 2 * 5 * len(pauses)


@pytest.mark.parametrize("processes", [1, 2])
def test_no_call_fails_while_it_falls_asleep_and_wakes(real: Any, processes: int) -> None:
    naps(real, (0.9, 1.1, 1.2, 1.3, 1.5), processes=processes)


# A quarter of an hour each.
@pytest.mark.long
@pytest.mark.parametrize("processes", [1, 2])
def test_no_call_fails_in_many_sleeps(real: Any, processes: int) -> None:
    naps(real, [0.9 + number % 100 / 100 for number in range(300)], processes=processes)


@pytest.mark.parametrize("processes", [1, 2])
def test_whatever_is_scored_is_answered_though_it_is_stopped(real: Any, processes: int) -> None:
    """For good, under load: then whoever comes is told that nobody is there."""
    endpoint = EndpointProcess.start(
        real.folder, sleep_after=60.0, grpc_port=0, processes=processes
    )
    answered: SimpleQueue[int] = SimpleQueue()

    def ask(_: int) -> grpc.StatusCode:
        with connected(endpoint) as channel:
            try:
                while True:
                    answered.put(len(infer(channel)))
            except grpc.RpcError as exc:
                found: grpc.StatusCode = exc.code()
                return found

    with ThreadPoolExecutor(6) as crowd:
        ends = crowd.map(ask, range(6))
        eventually(lambda: answered.qsize() > 60)
        endpoint.stop()
        assert set(ends) == {grpc.StatusCode.UNAVAILABLE}
    assert rows_logged(real) == 2 * answered.qsize()


def test_a_port_in_use_is_named(real: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FreeholdError) as caught:
            EndpointProcess.start(real.folder, sleep_after=1.0, grpc_port=port)
    assert caught.value.code == "endpoint.port-in-use"
    assert str(port) in caught.value.what and "--grpc-port" in caught.value.hint


def test_tritons_client_is_held_too(real: Any, expected: Any) -> None:
    """It asks, and asks again by the same client once the endpoint has slept in between."""
    with sleeping(real) as endpoint:
        assert endpoint.grpc is not None
        falls_asleep(endpoint)
        found = run(
            "triton_grpc_again",
            endpoint.grpc,
            {"distance": DISTANCES, "carrier": CARRIERS, "pauses": [0.0, 4.0, 4.0]},
        )
        assert len(found) == 3 and all(map(expected, found))
        assert len(awakenings(real)) == 4
