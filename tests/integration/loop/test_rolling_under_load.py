"""Releases that go from site to site and from region to region, with a real endpoint at each site
that is asked all the time: no request fails, none is answered by what has no share of the traffic
there, and none is missing in a log."""

import contextlib
import http.client
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Event, Lock
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import pytest

from freehold.app.loop.replay import await_routing
from freehold.app.traffic.client import EndpointClient
from freehold.delivery.decision import Complete, Promote, Ready, Rollback
from freehold.endpoint.process import EndpointThread
from freehold.endpoint.settings import EndpointSettings
from tests.harmful_model import harmful_model
from tests.rolling_sites import FEWEST, NAMES, NEW, OLD, Three, made
from tests.waiting import until

SLOW = "guardrails: {latency_ratio: 50}, "
"""Twelve threads on a busy machine say nothing about how fast a model is."""
BY_REGION = f"{SLOW}by_region: true, steps: [50, 100], "
HALF = {1: 50.0, 2: 50.0}
CLIENTS = 2
ROWS = 4
"""Of a request."""
PAUSE = 0.004
"""Seconds between two requests of one client: the sites decide in the same process."""


class Crowd:
    """Asks the endpoint of one site from several threads, and looks at every answer."""

    def __init__(self, url: str, rows: pl.DataFrame) -> None:
        self._netloc, self._numbers = urlsplit(url).netloc, count()
        self._rows = rows.to_dicts()
        self._lock, self.over = Lock(), Event()
        self._open: set[int] = set()
        """Numbers of what is not answered yet."""
        self.distance: float | None = None
        """If all rows are to have one of their own."""
        self.allowed: frozenset[int] | None = None
        """Versions that may answer what is asked from now on; None while that changes."""
        self.versions: Counter[int] = Counter()
        self.failed: Counter[str] = Counter()
        self.wrong: list[str] = []

    def ask(self) -> None:
        with contextlib.closing(http.client.HTTPConnection(self._netloc, timeout=60)) as connection:
            while not self.over.wait(PAUSE):
                with self._lock:
                    number = next(self._numbers)
                    self._open.add(number)
                place = number * ROWS % len(self._rows)
                rows = self._rows[place : place + ROWS]
                if self.distance is not None:
                    rows = [{**one, "distance": self.distance} for one in rows]
                before = self.allowed
                connection.request("POST", "/v1/models/delay/predict", json.dumps(rows))
                reply = connection.getresponse()
                told = json.loads(reply.read())
                with self._lock:
                    self._look(reply.status, told, before if before is self.allowed else None)
                    self._open.discard(number)

    def await_answers(self) -> None:
        """Of all that was asked before now."""
        with self._lock:
            asked = set(self._open)
        until(lambda: not asked & self._open)

    def _look(self, status: int, told: Any, allowed: frozenset[int] | None) -> None:
        if status != 200:
            self.failed[told["code"]] += 1
            return
        versions = Counter(one["version"] for one in told)
        self.versions.update(versions)
        if allowed is not None and not allowed >= versions.keys():
            self.wrong.append(f"{set(versions)} where {set(allowed)} serve")


class Asked:
    """Three sites under load."""

    def __init__(self, three: Three, world: Any, threads: ThreadPoolExecutor) -> None:
        self.three = three
        self.crowds: dict[str, Crowd] = {}
        self._controls: dict[str, EndpointClient] = {}
        self._asking: list[Future[None]] = []
        self._open = contextlib.ExitStack()
        for number, name in enumerate(NAMES):
            settings = EndpointSettings(three.at[name].site.serving, port=0)
            endpoint = self._open.enter_context(EndpointThread(settings, clock=three.clock))
            self._controls[name] = EndpointClient(endpoint.url)
            crowd = self.crowds[name] = Crowd(endpoint.url, world.asked_rows(8000, number))
            self._asking += [threads.submit(crowd.ask) for _ in range(CLIENTS)]
        self.settle()

    def settle(self) -> None:
        """Every endpoint answers by what is released at its site."""
        for name, control in self._controls.items():
            await_routing(self.three.at[name].site, control, "delay")
            serving = frozenset(v for v, share in self.three.at[name].shares().items() if share)
            if self.crowds[name].allowed != serving:
                self.crowds[name].allowed = serving

    def change(self) -> None:
        """What is decided reaches every site."""
        self._changing(*NAMES)
        self.three.meet()
        self.three.turn()
        self.settle()

    def answers(self, name: str, version: int, rows: int = FEWEST) -> None:
        crowd = self.crowds[name]
        goal = crowd.versions[version] + rows
        until(lambda: crowd.versions[version] >= goal or bool(crowd.failed))
        self._controls[name].flush()

    def decided(self, name: str) -> Any:
        """By the controller of a site, now; it is in force there, and nowhere else yet."""
        self._changing(name)
        move = self.three.turn(name)[name]
        self.settle()
        return move and move.decision

    def _changing(self, *names: str) -> None:
        for name in names:
            self.crowds[name].allowed = None

    def over(self) -> None:
        """Again it does nothing."""
        for crowd in self.crowds.values():
            crowd.over.set()
        for one in self._asking:
            one.result()
        while self._controls:
            _, control = self._controls.popitem()
            control.flush()
            control.close()
        self._open.close()

    def all_is_logged(self, name: str) -> None:
        crowd = self.crowds[name]
        log = pl.read_parquet(self.three.at[name].site.serving / "log" / "*.parquet")
        assert log["prediction_id"].n_unique() == log.height
        told = log.filter(pl.col("error").is_null())["version"].value_counts()
        assert dict(told.iter_rows()) == dict(crowd.versions)
        assert log.height == crowd.versions.total() + ROWS * crowd.failed.total()


@pytest.fixture
def asked_of(tmp_path: Path, world: Any) -> Iterator[Callable[[str], Asked]]:
    with ThreadPoolExecutor(CLIENTS * len(NAMES)) as threads, contextlib.ExitStack() as over:

        def begun(release: str) -> Asked:
            three = Three(tmp_path / "three", world, release)
            over.callback(three.close)
            asked = Asked(three, world, threads)
            over.callback(asked.over)
            return asked

        yield begun


def test_site_after_site(asked_of: Callable[[str], Asked]) -> None:
    asked = asked_of(SLOW)
    three = asked.three
    three.release(2, "rolling")
    asked.change()
    for place, name in enumerate(("aws", "azure", "onprem")):
        assert three.shares() == [NEW] * (place + 1) + [OLD] * (2 - place)
        asked.answers(name, 2)
        if name != "onprem":
            asked.answers("onprem", 1)
        three.wait(10)
        if name == "onprem":
            assert asked.decided(name) == Complete()
        else:
            assert asked.decided(name) == Ready(name)
            three.meet()
            assert isinstance(asked.decided("onprem"), Promote)
        asked.change()
    assert three.shares() == [{2: 100.0}] * 3
    ends(asked)


def test_region_after_region(asked_of: Callable[[str], Asked]) -> None:
    asked = asked_of(BY_REGION)
    three = asked.three
    three.release(2, "canary")
    asked.change()
    assert three.shares() == [HALF, HALF, OLD]
    asked.answers("aws", 2)
    assert asked.decided("aws") == Promote(100)
    asked.change()
    assert three.shares() == [NEW, NEW, OLD]
    for name in ("aws", "azure"):
        asked.answers(name, 2)
    three.wait(10)
    asked.decided("aws")
    three.meet()
    assert asked.decided("azure") == Ready("azure")
    three.meet()
    assert isinstance(asked.decided("aws"), Promote)
    asked.change()
    assert three.shares() == [NEW, NEW, HALF]
    asked.answers("onprem", 2)
    assert asked.decided("onprem") == Promote(100)
    asked.change()
    asked.answers("onprem", 2)
    three.wait(10)
    assert asked.decided("onprem") == Complete()
    asked.change()
    assert three.shares() == [{2: 100.0}] * 3
    ends(asked)


def ends(asked: Asked) -> None:
    for name in NAMES:
        asked.answers(name, 2)
    asked.over()
    for name, crowd in asked.crowds.items():
        assert not crowd.failed and not crowd.wrong
        assert crowd.versions.keys() == {1, 2}
        asked.all_is_logged(name)


def test_what_does_harm_at_the_second_site_is_taken_back_at_both(
    asked_of: Callable[[str], Asked], world: Any
) -> None:
    asked = asked_of(SLOW)
    three, aws, azure = asked.three, asked.crowds["aws"], asked.crowds["azure"]
    three.at["onprem"].site.ledger.append(made(3))
    world.register(three.at["onprem"].site, 3, 0.0, model=harmful_model("raise ValueError('harm')"))
    three.release(3, "rolling")
    asked.change()
    asked.answers("aws", 3)
    three.wait(10)
    assert asked.decided("aws") == Ready("aws")
    three.meet()
    assert isinstance(asked.decided("onprem"), Promote)
    asked.change()
    new = {1: 0.0, 3: 100.0}
    assert three.shares() == [new, new, OLD]
    azure.distance = 2000.0
    until(lambda: azure.failed.total() >= 6)
    asked._controls["azure"].flush()
    decision = asked.decided("azure")
    assert isinstance(decision, Rollback) and decision.guardrail == "error-rate"
    assert three.shares() == [new, OLD, OLD], "newest first"
    azure.await_answers()
    failed = azure.failed.total()
    asked.change()
    assert three.shares() == [OLD, OLD, OLD]
    for name in NAMES:
        asked.answers(name, 1)
    asked.over()
    assert azure.failed == {"endpoint.model-failed": failed}
    for name, crowd in asked.crowds.items():
        assert not crowd.wrong
        asked.all_is_logged(name)
    assert not aws.failed and not asked.crowds["onprem"].failed
    assert asked.crowds["onprem"].versions.keys() == {1}
