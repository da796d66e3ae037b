"""The gRPC face over its socket: what it answers, refuses, ends and survives."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any
from urllib.request import Request, urlopen

import grpc
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from traced import traced

from freehold.domain.errors import FreeholdError
from freehold.endpoint.adapters import grpc_server
from freehold.endpoint.grpc import server, service
from freehold.endpoint.process import EndpointThread
from freehold.endpoint.request_log import LogSettings
from freehold.endpoint.settings import EndpointSettings
from freehold.serving.inference_messages import (
    HEALTH_SERVICE,
    SERVICE,
    HealthCheckRequest,
    HealthCheckResponse,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelReadyRequest,
    ModelReadyResponse,
    ModelStreamInferResponse,
    ServerReadyResponse,
)
from freehold.serving.request import Limits

LIVES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
Numbers = list[float | None]


def thread(site: Any, runtime: Any = None, **more: Any) -> EndpointThread:
    more.setdefault("log", LogSettings(window=60))
    whole = EndpointSettings(site.folder, port=0, grpc_port=more.pop("grpc_port", 0), **more)
    return EndpointThread(whole, runtime or site.runtime, site.signing)


@pytest.fixture
def running(site: Any) -> Iterator[EndpointThread]:
    site.model(1)
    site.route((1, 100.0, "champion"))
    with thread(site) as endpoint:
        yield endpoint


class Caller:
    """Of one endpoint, by bytes: what a client library would keep from being sent is sent."""

    def __init__(self, endpoint: EndpointThread) -> None:
        assert endpoint.grpc is not None
        options = [("grpc.max_send_message_length", -1), ("grpc.enable_retries", 0)]
        self.channel = grpc.insecure_channel(endpoint.grpc, options)
        path = f"/{SERVICE}/"
        self.infer = self.channel.unary_unary(f"{path}ModelInfer")
        self.stream = self.channel.stream_stream(f"{path}ModelStreamInfer")
        self.many = self.channel.stream_unary(f"{path}ModelInfer")

    def ask(self, method: str, message: Any = None, service: str = SERVICE, **more: Any) -> bytes:
        body = b"" if message is None else message.SerializeToString()
        told: bytes = self.channel.unary_unary(f"/{service}/{method}")(body, **more)
        return told

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()


@pytest.fixture
def caller(running: EndpointThread) -> Iterator[Caller]:
    with Caller(running) as made:
        yield made


def message(*distances: float, **more: Any) -> Any:
    made = ModelInferRequest(**{"model_name": "delay", **more})
    count = len(distances)
    distance = made.inputs.add(name="distance", datatype="FP64", shape=[count])
    distance.contents.fp64_contents.extend(distances)
    carrier = made.inputs.add(name="carrier", datatype="BYTES", shape=[count, 1])
    carrier.contents.bytes_contents.extend([b"UA"] * count)
    return made


def sent(*distances: float, **more: Any) -> bytes:
    body: bytes = message(*distances, **more).SerializeToString()
    return body


def scores(answer: bytes) -> list[float]:
    return list(ModelInferResponse.FromString(answer).outputs[0].contents.fp64_contents)


def refusal(call: Callable[[], object]) -> tuple[str, str, str]:
    """Status, code and text."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error = caught.value
    return (
        error.code().name,
        dict(error.trailing_metadata()).get("freehold-code", ""),
        error.details(),
    )


def rest_scores(url: str, inputs: list[Any], **more: Any) -> list[float]:
    body = json.dumps({"inputs": inputs, **more}).encode()
    headers = {"content-type": "application/json"}
    with urlopen(Request(f"{url}/v2/models/delay/infer", body, headers)) as reply:
        answer = json.load(reply)
    return next(out["data"] for out in answer["outputs"] if out["name"] == "score")


@LIVES
@given(
    distances=st.lists(st.none() | st.floats(-1e30, 1e30), min_size=1, max_size=5),
    carriers=st.lists(st.sampled_from(["UA", "AA", "", "Ä"]), min_size=5, max_size=5),
    is_raw=st.booleans(),
)
def test_equal_rows_get_equal_scores_by_rest(
    running: EndpointThread, distances: Numbers, carriers: list[str], is_raw: bool
) -> None:
    count = len(distances)
    carriers = carriers[:count]
    inputs = [
        {"name": "distance", "datatype": "FP64", "shape": [count], "data": distances},
        {"name": "carrier", "datatype": "BYTES", "shape": [count], "data": carriers},
    ]
    made = ModelInferRequest(model_name="delay")
    made.parameters["missing"].string_param = "null"
    made.parameters["binary_data_output"].bool_param = False
    columns = [
        made.inputs.add(name=one["name"], datatype=one["datatype"], shape=[count]) for one in inputs
    ]
    numbers = [np.nan if one is None else one for one in distances]
    texts = [one.encode() for one in carriers]
    if is_raw:
        made.raw_input_contents.append(np.array(numbers, "<f8").tobytes())
        made.raw_input_contents.append(b"".join(len(t).to_bytes(4, "little") + t for t in texts))
    else:
        columns[0].contents.fp64_contents.extend(numbers)
        columns[1].contents.bytes_contents.extend(texts)
    with Caller(running) as caller:
        by_grpc = scores(caller.infer(made.SerializeToString()))
    assert by_grpc == rest_scores(running.url, inputs, parameters={"missing": "null"})


def test_a_trace_is_logged(site: Any, running: EndpointThread, caller: Caller) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    metadata = (("traceparent", f"00-{trace}-b7ad6b7169203331-01"),)
    caller.infer(sent(1.0), metadata=metadata)
    caller.infer(sent(2.0), metadata=(("traceparent", "nonsense"),))
    with urlopen(Request(f"{running.url}/freehold/log/flush", b"", method="POST")):
        pass
    assert logged(site)["trace"].to_list() == [trace, None]


def test_what_it_says_of_itself(site: Any, running: EndpointThread, caller: Caller) -> None:
    assert caller.ask("ServerLive") == b"\x08\x01"
    assert ServerReadyResponse.FromString(caller.ask("ServerReady")).ready
    for name, version, ready in (
        ("delay", "", True),
        ("delay", "1", True),
        ("delay", "2", False),
        ("d", "", False),
    ):
        asked = ModelReadyRequest(name=name, version=version)
        assert ModelReadyResponse.FromString(caller.ask("ModelReady", asked)).ready is ready
    told = caller.ask("ModelMetadata", ModelMetadataRequest(name="delay"))
    assert [one.name for one in ModelMetadataResponse.FromString(told).inputs] == [
        "distance",
        "carrier",
        "id",
    ]
    running.endpoint.application.draining = True
    assert not ServerReadyResponse.FromString(caller.ask("ServerReady")).ready
    running.endpoint.application.draining = False


def test_health(running: EndpointThread, caller: Caller) -> None:
    for name in ("", SERVICE):
        told = caller.ask("Check", HealthCheckRequest(service=name), HEALTH_SERVICE)
        assert HealthCheckResponse.FromString(told).status == 1
    unknown = HealthCheckRequest(service="other")
    assert refusal(lambda: caller.ask("Check", unknown, HEALTH_SERVICE))[0] == "NOT_FOUND"
    watch = caller.channel.unary_stream(f"/{HEALTH_SERVICE}/Watch")(b"")
    assert HealthCheckResponse.FromString(next(watch)).status == 1
    running.endpoint.application.draining = True
    assert HealthCheckResponse.FromString(next(watch)).status == 2
    assert refusal(lambda: next(watch))[0] == "UNAVAILABLE"
    running.endpoint.application.draining = False


@pytest.mark.parametrize(
    ("body", "status", "code", "told"),
    [
        (b"\xff", "INVALID_ARGUMENT", "request.malformed", "the message"),
        (b"\x2a\x04\x0a\x02\xff\xff", "NOT_FOUND", "request.not-found", "no model"),
        (sent(1, model_name="other"), "NOT_FOUND", "request.not-found", "'other'"),
        (sent(1, model_version="7"), "NOT_FOUND", "request.not-found", "'7'"),
        (sent(1, model_version="9" * 5000), "NOT_FOUND", "request.not-found", "no version"),
        (sent(float("inf")), "INVALID_ARGUMENT", "request.not-finite", "inputs[0]: 'distance'"),
        (sent(1e300), "INVALID_ARGUMENT", "request.number-too-large", "distance"),
        (sent(*[1.0] * 51), "INVALID_ARGUMENT", "request.too-many-rows", "51 rows"),
        (b"\x0a\x05delay", "INVALID_ARGUMENT", "request.malformed", "inputs"),
        (b"", "NOT_FOUND", "request.not-found", "no model"),
    ],
)
def test_a_fault_has_a_status_and_the_code(
    site: Any, body: bytes, status: str, code: str, told: str
) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    with thread(site, limits=Limits(rows=50)) as endpoint, Caller(endpoint) as caller:
        found = refusal(lambda: caller.infer(body))
        assert found[:2] == (status, code) and told in found[2]
        assert len(scores(caller.infer(sent(1.0)))) == 1
        with urlopen(f"{endpoint.url}/metrics") as reply:
            metrics = reply.read().decode()
    assert f'freehold_request_errors_total{{code="{code}"}} 1.0' in metrics
    assert 'freehold_requests_total{status="200"} 1.0' in metrics


def test_a_model_that_fails_is_an_internal_error(site: Any) -> None:
    site.model(1, trap=13.0)
    site.route((1, 100.0, "champion"))
    with thread(site) as endpoint, Caller(endpoint) as caller:
        assert refusal(lambda: caller.infer(sent(13.0)))[:2] == (
            "INTERNAL",
            "endpoint.model-failed",
        )
        assert len(scores(caller.infer(sent(1.0)))) == 1


def test_a_model_elsewhere_that_hangs_holds_nobody_else_up(site: Any, held: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    with thread(site, held, batch_delay=0) as endpoint, Caller(endpoint) as caller:
        answer = caller.infer.future(sent(1.0))
        streamed = caller.stream(iter([sent(2.0)]))
        assert held.begun.wait(60)
        told = ServerReadyResponse.FromString(caller.ask("ServerReady", timeout=30))
        assert told.ready and not answer.done()
        held.let.set()
        assert scores(answer.result(60)) == [0.5]
        (one,) = streamed
        assert ModelStreamInferResponse.FromString(one).error_message == ""


def test_too_large_is_refused_whole_and_packed(site: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    with thread(site, limits=Limits(body_bytes=100_000)) as endpoint, Caller(endpoint) as caller:
        assert refusal(lambda: caller.infer(bytes(100_001)))[0] == "RESOURCE_EXHAUSTED"
        packed = {"compression": grpc.Compression.Gzip}
        assert refusal(lambda: caller.infer(bytes(10_000_000), **packed))[0] == "RESOURCE_EXHAUSTED"
        assert len(scores(caller.infer(sent(1.0), **packed))) == 1


def test_a_million_rows_are_too_many(caller: Caller) -> None:
    listed = ModelInferRequest(model_name="delay")
    one = listed.inputs.add(name="distance", datatype="BOOL", shape=[1_000_000])
    one.contents.bool_contents.extend([True] * 1_000_000)
    raw = ModelInferRequest(model_name="delay", raw_input_contents=[bytes(1_000_000)])
    raw.inputs.add(name="distance", datatype="UINT8", shape=[1_000_000])
    for asked in (listed, raw):
        body = asked.SerializeToString()
        with traced() as peak:
            found = refusal(lambda body=body: caller.infer(body))
            assert peak() < 25 * len(body)
        assert found[:2] == ("INVALID_ARGUMENT", "request.too-many-rows")
    assert len(scores(caller.infer(sent(1.0)))) == 1


def test_a_message_that_does_not_arrive_is_not_waited_for(site: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    with thread(site, limits=Limits(body_seconds=0.2)) as endpoint, Caller(endpoint) as caller:
        never: SimpleQueue[bytes | None] = SimpleQueue()
        slow = caller.many.future(iter(never.get, None))
        assert refusal(slow.result)[:2] == ("DEADLINE_EXCEEDED", "request.slow")
        never.put(None)
        assert len(scores(caller.infer(sent(1.0)))) == 1


def test_a_stream_answers_in_order_and_goes_on_after_a_fault(caller: Caller) -> None:
    wrong = {3: b"\xff", 10: sent(1.0, model_name="other", id="wrong")}
    asked = [wrong.get(n, sent(float(n), id=f"r{n}")) for n in range(200)]
    told = [ModelStreamInferResponse.FromString(one) for one in caller.stream(iter(asked))]
    assert len(told) == 200
    assert [one.infer_response.id for n, one in enumerate(told) if n not in wrong] == [
        f"r{n}" for n in range(200) if n not in wrong
    ]
    assert [n for n, one in enumerate(told) if one.error_message] == sorted(wrong)
    assert told[10].infer_response.id == "wrong" and "'other'" in told[10].error_message
    assert told[10].infer_response.parameters["code"].string_param == "request.not-found"


def test_a_client_that_leaves_its_stream_harms_nobody(caller: Caller) -> None:
    questions: SimpleQueue[bytes | None] = SimpleQueue()
    stream = caller.stream(iter(questions.get, None))
    questions.put(sent(1.0))
    next(stream)
    stream.cancel()
    questions.put(None)
    assert len(scores(caller.infer(sent(1.0)))) == 1


class Waiting:
    """A runtime whose model waits for the test before each answer."""

    name = "waiting"

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.begun, self.go = threading.Semaphore(0), threading.Semaphore(0)
        self.holds = False

    def load(self, folder: Path) -> Any:
        predictor = self._inner.load(folder)
        predict = predictor.predict

        def waited(matrix: Any) -> Any:
            if self.holds:
                self.begun.release()
                assert self.go.acquire(timeout=60)
            return predict(matrix)

        predictor.predict = waited
        return predictor


@pytest.fixture
def waiting(site: Any) -> Waiting:
    site.model(1)
    site.route((1, 100.0, "champion"))
    return Waiting(site.runtime)


def logged(site: Any) -> pl.DataFrame:
    return pl.concat(pl.read_parquet(p) for p in sorted((site.folder / "log").glob("*.parquet")))


def test_what_comes_after_its_deadline_is_not_scored(site: Any, waiting: Waiting) -> None:
    with thread(site, waiting) as endpoint, Caller(endpoint) as caller:
        waiting.holds = True
        first = caller.infer.future(sent(1.0, id="first"))
        assert waiting.begun.acquire(timeout=60)
        late = caller.infer.future(sent(2.0, id="late"), timeout=0.2)
        assert refusal(late.result)[0] == "DEADLINE_EXCEEDED"
        waiting.holds = False
        waiting.go.release()
        assert len(scores(first.result())) == 1
        assert len(scores(caller.infer(sent(3.0, id="last")))) == 1
    assert logged(site)["request_id"].to_list() == ["first", "last"]


def test_what_is_under_way_is_answered_when_it_stops(site: Any, waiting: Waiting) -> None:
    endpoint = thread(site, waiting)
    with Caller(endpoint) as caller:
        idle: SimpleQueue[bytes | None] = SimpleQueue()
        stream = caller.stream(iter(idle.get, None))
        idle.put(sent(0.0))
        next(stream)
        waiting.holds = True
        call = caller.infer.future(sent(1.0))
        assert waiting.begun.acquire(timeout=60)
        stopping = threading.Thread(target=endpoint.stop)
        stopping.start()
        waiting.holds = False
        waiting.go.release()
        assert len(scores(call.result())) == 1
        status, code, _ = refusal(lambda: next(stream))
        assert (status, code) == ("UNAVAILABLE", "endpoint.stopping")
        idle.put(None)
        stopping.join(timeout=60)
        assert not stopping.is_alive()


def test_whatever_is_scored_is_answered_though_it_stops_under_load(site: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    endpoint = thread(site)
    answered: SimpleQueue[int] = SimpleQueue()
    refused: SimpleQueue[str] = SimpleQueue()
    many = threading.Semaphore(0)

    def ask() -> None:
        with Caller(endpoint) as caller:
            try:
                while True:
                    answered.put(len(scores(caller.infer(sent(1.0)))))
                    many.release()
            except grpc.RpcError as exc:
                refused.put(exc.code().name)

    callers = [threading.Thread(target=ask) for _ in range(6)]
    for one in callers:
        one.start()
    for _ in range(60):
        assert many.acquire(timeout=60)
    endpoint.stop()
    for one in callers:
        one.join(timeout=60)
    assert {refused.get() for _ in callers} == {"UNAVAILABLE"}
    assert logged(site).height == answered.qsize()


def swaps(site: Any, releases: int) -> None:
    """Callers ask without a pause while one release follows the other; none may fail."""
    site.model(1)
    site.route((1, 100.0, "champion"))
    failures: list[str] = []
    versions: set[int] = set()
    answered = threading.Semaphore(0)
    done = threading.Event()

    def check(told: Any) -> None:
        versions.update(told.outputs[1].contents.int64_contents)
        if len(told.outputs[0].contents.fp64_contents) != 3:
            failures.append("an answer without its scores")
        answered.release()

    with thread(site) as endpoint, Caller(endpoint) as caller:

        def ask() -> None:
            try:
                while not done.is_set():
                    check(ModelInferResponse.FromString(caller.infer(sent(1.0, 2.0, 3.0))))
            except grpc.RpcError as exc:
                failures.append(str(exc))

        def stream() -> None:
            questions = iter(lambda: None if done.is_set() else sent(1.0, 2.0, 3.0), None)
            try:
                for one in caller.stream(questions):
                    told = ModelStreamInferResponse.FromString(one)
                    if told.error_message:
                        failures.append(told.error_message)
                    check(told.infer_response)
            except grpc.RpcError as exc:
                failures.append(str(exc))

        callers = [threading.Thread(target=one) for one in (ask, ask, ask, stream)]
        for one in callers:
            one.start()
        try:
            for number in range(2, releases + 2):
                site.model(number, bias=number / 100)
                site.route((number, 100.0, "champion"))
                endpoint.endpoint.watcher.look()
                for _ in range(20):
                    assert answered.acquire(timeout=60)
        finally:
            done.set()
            for one in callers:
                one.join(timeout=60)
    assert failures == []
    assert endpoint.endpoint.watcher.table.table.version == releases + 1
    assert len(versions) > releases // 2


def test_no_request_fails_in_twenty_releases(site: Any) -> None:
    swaps(site, 20)


@pytest.mark.long
def test_no_request_fails_in_a_hundred_releases(site: Any) -> None:
    swaps(site, 100)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_nothing_listens_beyond_loopback(site: Any, host: str) -> None:
    with pytest.raises(FreeholdError) as caught:
        EndpointThread(
            EndpointSettings(site.folder, host, 0, grpc_port=0), site.runtime, site.signing
        )
    assert caught.value.code == "endpoint.not-loopback"


def test_a_port_in_use_is_named(site: Any, running: EndpointThread) -> None:
    assert running.grpc is not None
    port = int(running.grpc.rpartition(":")[2])
    with pytest.raises(FreeholdError) as caught:
        thread(site, grpc_port=port)
    assert caught.value.code == "endpoint.port-in-use"
    assert str(port) in caught.value.what and "--grpc-port" in caught.value.hint


def test_a_stopped_endpoint_frees_its_port(site: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    first = thread(site)
    assert first.grpc is not None
    first.stop()
    with (
        thread(site, grpc_port=int(first.grpc.rpartition(":")[2])) as second,
        Caller(second) as caller,
    ):
        assert caller.ask("ServerLive") == b"\x08\x01"


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "freehold.endpoint.grpc.server", raising=False)
    monkeypatch.delitem(sys.modules, "freehold.endpoint.grpc.headers", raising=False)
    monkeypatch.setitem(sys.modules, "hpack", None)
    with pytest.raises(FreeholdError) as caught:
        grpc_server()
    assert caught.value.code == "adapter.missing" and "freehold[grpc]" in caught.value.hint


def test_nothing_of_grpc_is_imported_unasked() -> None:
    unwanted = {"hpack", "google"}
    program = f"import sys, freehold.endpoint.__main__; print({unwanted} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_who_has_vanished_is_let_go(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its machine went without a word: the connection stands, and nobody answers on it."""
    monkeypatch.setattr(server, "KEEP_ALIVE", 0.2)
    monkeypatch.setattr(server, "LOST", 0.2)
    site.model(1)
    site.route((1, 100.0, "champion"))
    no_settings = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
    with thread(site) as endpoint, Caller(endpoint) as caller:
        assert len(scores(caller.infer(sent(1.0)))) == 1
        host, _, port = str(endpoint.grpc).rpartition(":")
        with socket.create_connection((host, int(port)), timeout=60) as gone:
            gone.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + no_settings)
            with suppress(ConnectionResetError):
                while gone.recv(4096):
                    """What it says until it ends."""
        # Who answers when asked stays.
        assert len(scores(caller.infer(sent(1.0)))) == 1


def test_no_more_calls_are_under_way_than_may_be(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams that are open are calls under way."""
    monkeypatch.setattr(service, "CONCURRENT", 3)
    site.model(1)
    site.route((1, 100.0, "champion"))
    with thread(site) as endpoint, Caller(endpoint) as caller:
        over = Event()

        def once_then_nothing() -> Iterator[bytes]:
            yield sent(1.0)
            over.wait()

        streams = [caller.stream(once_then_nothing()) for _ in range(3)]
        for one in streams:
            next(one)
        status, _, _ = refusal(lambda: caller.infer(sent(1.0)))
        assert status == "RESOURCE_EXHAUSTED"
        over.set()
        for one in streams:
            assert list(one) == []
        assert len(scores(caller.infer(sent(1.0)))) == 1
