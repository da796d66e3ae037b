"""Sites that are killed, stopped or full while they are asked, by the Python client and by a
gateway: what that costs."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import numpy as np
import pytest

from freehold.domain.errors import FreeholdError
from freehold.domain.project import SiteSpec, StoreSpec
from freehold.endpoint.client import Client
from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.endpoint.gateway.process import GatewayThread
from freehold.endpoint.gateway.relay import Relay
from freehold.endpoint.process import EndpointThread, wall_clock
from freehold.endpoint.settings import EndpointSettings
from freehold.ports.model_runtime import ModelRuntime, Predictor
from freehold.serving.admission import AdmissionSettings
from tests.asked_endpoint import ask_until
from tests.far_endpoints import Distant
from tests.waiting import until

CALLERS = 4


class Callers:
    """Ask one client from several threads; each row has a name of its own, which must come back."""

    def __init__(self, client: Client) -> None:
        self._client, self._numbers, self.over = client, count(), Event()
        self.answered = 0
        self.failed: Counter[str] = Counter()

    def ask(self) -> None:
        while not self.over.is_set():
            name = f"row-{next(self._numbers)}"
            try:
                (answer,) = self._client.predict(
                    "delay", [{"distance": 1.0, "carrier": "UA", "id": name}]
                )
            except FreeholdError as error:
                self.failed[error.code] += 1
            else:
                assert answer["prediction_id"] == name
                self.answered += 1

    def go_on(self, more: int = 200) -> None:
        goal = self.answered + more
        until(lambda: self.answered >= goal)


@contextmanager
def two(real_site_of: Any) -> Iterator[tuple[dict[str, EndpointProcess], dict[str, Any]]]:
    sites = {name: real_site_of(name) for name in ("one", "two")}
    running = {name: EndpointProcess.start(one.folder) for name, one in sites.items()}
    yield running, sites
    for endpoint in running.values():
        endpoint.stop()


@contextmanager
def calling(client: Client) -> Iterator[Callers]:
    callers = Callers(client)
    with ThreadPoolExecutor(CALLERS) as pool:
        asking = [pool.submit(callers.ask) for _ in range(CALLERS)]
        try:
            callers.go_on(100)
            yield callers
        finally:
            callers.over.set()
        for one in asking:
            one.result()


def most_asked(client: Client) -> str:
    answered = client._relay.counted.answered
    return max(answered, key=answered.__getitem__)


def test_a_site_that_is_killed_costs_the_client_nothing(real_site_of: Any) -> None:
    with two(real_site_of) as (running, sites):
        addresses = {name: one.url for name, one in running.items()}
        with Client(addresses) as client, calling(client) as callers:
            killed = most_asked(client)
            port = urlsplit(addresses[killed]).port or 0
            os.kill(running[killed].pid, signal.SIGKILL)
            with pytest.raises(FreeholdError):
                running[killed].stop()
            callers.go_on()
            (other,) = addresses.keys() - {killed}
            assert client._relay.counted.answered[other] >= 200
            running[killed] = EndpointProcess.start(sites[killed].folder, port=port)
            back = next(one for one in client._relay.upstreams if one.name == killed)
            until(lambda: back.is_closed)
            callers.go_on()
        assert not callers.failed


def test_a_site_that_is_stopped_costs_the_client_nothing_either(real_site_of: Any) -> None:
    """It takes connections and says nothing, as a machine that hangs. Once it is known not to
    answer, those who wait for it are answered by another; it is left alone until it does again."""
    with two(real_site_of) as (running, _):
        addresses = {name: one.url for name, one in running.items()}
        with Client(addresses, seconds=30.0) as client, calling(client) as callers:
            stopped = most_asked(client)
            os.kill(running[stopped].pid, signal.SIGSTOP)
            try:
                hung = next(one for one in client._relay.upstreams if one.name == stopped)
                until(lambda: not hung.is_closed)
                callers.go_on()
            finally:
                os.kill(running[stopped].pid, signal.SIGCONT)
            until(lambda: hung.is_closed)
            callers.go_on()
        assert not callers.failed


class Slow(Predictor):
    width = 2

    def predict(self, matrix: Any) -> Any:
        time.sleep(0.01)
        return np.full(len(matrix), 0.5)


class SlowRuntime(ModelRuntime):
    name = "slow"

    def load(self, _folder: Path) -> Predictor:
        return Slow()


def sent_away(url: str) -> int:
    """Requests that an endpoint answered with 429, as it says itself."""
    with urlopen(f"{url}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    found = [line for line in lines if line.startswith('freehold_requests_total{status="429"')]
    return sum(round(float(line.split()[-1])) for line in found)


def test_what_a_full_site_sends_away_another_answers(site_of: Any, request_of: Any) -> None:
    """By its own 429, of a queue that is really full. It is the nearer one: else nobody asks it."""
    narrow, wide = site_of(), site_of()
    narrow.runtime = SlowRuntime()
    for one in (narrow, wide):
        one.model(1)
        one.route((1, 100.0, "champion"))
    few = EndpointSettings(
        narrow.folder, port=0, batch_delay=0, admission=AdmissionSettings(waiting=1)
    )
    many = EndpointSettings(wide.folder, port=0)
    over = Event()
    body = json.dumps(request_of(1)).encode()
    with (
        EndpointThread(few, narrow.runtime, narrow.signing, wall_clock) as first,
        EndpointThread(many, wide.runtime, wide.signing, wall_clock) as second,
        closing(Distant(second.url, 0.02)) as far,
    ):
        urls = {"narrow": first.url, "wide": far.url}
        sites = {
            name: SiteSpec(store=StoreSpec(at="file:///nowhere"), endpoint=url)
            for name, url in urls.items()
        }
        relay = Relay(sites)
        with GatewayThread(relay) as gateway, ThreadPoolExecutor(16) as pool:
            asking = [pool.submit(ask_until, gateway.url, body, over) for _ in range(16)]
            try:
                until(lambda: sent_away(first.url) > 10 and len(relay.counted.answered) == 2)
            finally:
                over.set()
            found = sum((one.result() for one in asking), Counter())
    assert {status for status, _ in found} == {200}, found
    assert (200, "wide") in found and relay.counted.answered.keys() == {"narrow", "wide"}
