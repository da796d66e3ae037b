"""More than can be answered, by both protocols at once: who waits, who is told to come again."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from statistics import median
from time import sleep
from typing import Any
from urllib.parse import urlsplit

import grpc
import numpy as np
import pytest

from freehold.endpoint.process import EndpointThread
from freehold.endpoint.settings import EndpointSettings
from freehold.ports.model_runtime import Elsewhere, ModelRuntime, Predictor
from freehold.serving.admission import AdmissionSettings
from freehold.serving.inference_messages import SERVICE, ModelInferRequest

LOW, HIGH, WAITING = 64, 40, 20


class Slow(Predictor):
    width = 2

    def predict(self, matrix: Any) -> Any:
        sleep(0.002)
        return np.full(len(matrix), 0.5)


class SlowElsewhere(Slow, Elsewhere):
    """Answers one after the other, as a process does."""

    deadline = 60.0

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def predict(self, matrix: Any) -> Any:
        with self._turn:
            return super().predict(matrix)


@dataclass
class SlowRuntime(ModelRuntime):
    made: Callable[[], Predictor]
    name: str = "slow"

    def load(self, _folder: Any) -> Predictor:
        return self.made()


@dataclass
class Tally:
    """How many low ones were answered between each one's question and its answer."""

    answered: int = 0
    low: list[int] = field(default_factory=list)
    high: list[int] = field(default_factory=list)
    away: list[str] = field(default_factory=list)
    """What those that were sent away were told to wait."""
    full: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)


Ask = Callable[[], str | None]
"""Asks once; gives what one that was sent away was told."""


@contextmanager
def by_http(endpoint: EndpointThread, priority: str) -> Iterator[Ask]:
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=60)
    body = json.dumps({"distance": 1.0, "carrier": "UA"}).encode()
    headers = {"content-type": "application/json", "freehold-priority": priority}

    def ask() -> str | None:
        connection.request("POST", "/v1/models/delay/predict", body, headers)
        reply = connection.getresponse()
        told = reply.read()
        assert reply.status in (200, 429), told
        return reply.headers["Retry-After"] if reply.status == 429 else None

    with closing(connection):
        yield ask


@contextmanager
def by_grpc(endpoint: EndpointThread, priority: str) -> Iterator[Ask]:
    assert endpoint.grpc is not None
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
    message = ModelInferRequest(model_name="delay")
    distance = message.inputs.add(name="distance", datatype="FP64", shape=[1])
    distance.contents.fp64_contents.append(1.0)
    carrier = message.inputs.add(name="carrier", datatype="BYTES", shape=[1])
    carrier.contents.bytes_contents.append(b"UA")
    body, metadata = message.SerializeToString(), (("freehold-priority", priority),)

    def ask() -> str | None:
        try:
            call(body, metadata=metadata, timeout=60)
        except grpc.RpcError as exc:
            assert exc.code() is grpc.StatusCode.RESOURCE_EXHAUSTED, exc
            return str(dict(exc.trailing_metadata())["retry-after"])
        return None

    with grpc.insecure_channel(endpoint.grpc, options) as channel:
        call = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        yield ask


def keep_asking(asking: AbstractContextManager[Ask], tally: Tally) -> None:
    with asking as ask:
        while not tally.stop.is_set():
            before = tally.answered
            told = ask()
            if told is None:
                tally.answered += 1
                tally.low.append(tally.answered - before)
            else:
                tally.away.append(told)
                tally.full.set()
                sleep(0.05)


def overloaded(site: Any, protocol: Any, predictor: Any, low: int) -> Tally:
    """A crowd of the lowest class, half by either protocol, and one of the highest by this one."""
    settings = EndpointSettings(
        site.folder,
        port=0,
        grpc_port=0,
        batch_delay=0,
        admission=AdmissionSettings(waiting=WAITING),
    )
    tally = Tally()
    with EndpointThread(settings, SlowRuntime(predictor), site.signing) as endpoint:
        crowd = [
            threading.Thread(
                target=keep_asking, args=((by_http, by_grpc)[number % 2](endpoint, "low"), tally)
            )
            for number in range(low)
        ]
        for one in crowd:
            one.start()
        assert tally.full.wait(60)
        with protocol(endpoint, "high") as ask:
            for _ in range(HIGH):
                before = tally.answered
                assert ask() is None
                tally.high.append(tally.answered - before)
        tally.stop.set()
        for one in crowd:
            one.join()
    return tally


@pytest.mark.parametrize("protocol", [by_http, by_grpc])
@pytest.mark.parametrize("predictor", [Slow, SlowElsewhere])
def test_the_highest_class_waits_for_few_while_the_lowest_is_sent_away(
    site: Any, protocol: Any, predictor: Any
) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    tally = overloaded(site, protocol, predictor, LOW)
    assert all(int(told) >= 1 for told in tally.away)
    assert median(tally.high) < 0.7 * median(tally.low)


@pytest.mark.parametrize("protocol", [by_http, by_grpc])
def test_a_crowd_three_times_as_large_costs_the_highest_class_nothing(
    site: Any, protocol: Any
) -> None:
    """It keeps its latency: what is answered before it does not grow with who else asks."""
    site.model(1)
    site.route((1, 100.0, "champion"))
    few, many = (overloaded(site, protocol, Slow, low) for low in (LOW // 2, LOW + LOW // 2))
    assert len(many.away) > len(few.away)
    assert median(many.high) <= median(few.high) + WAITING / 4
