"""A model that does harm in the middle of a canary is out of traffic after one look, and whoever is
told of it is told of a request that it failed."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from freehold.app.history.facts import facts_of
from freehold.app.loop.replay import await_routing
from freehold.app.release.status import release_status
from freehold.app.traffic.client import EndpointClient
from freehold.cli import drawing, release_drawing
from freehold.delivery.decision import Hold, Rollback
from freehold.endpoint.process import EndpointThread
from freehold.endpoint.settings import EndpointSettings
from tests.harmful_model import harmful_model

PROJECT = "release: {steps: [50, 100], minimum_rows: 1000}\n"
LEAKS = "while True: KEPT.append(bytearray(b'x') * 50_000_000)"
HARM = {
    "raises": "raise ValueError('harm')",
    "hangs": "time.sleep(3600)",
    "leaks": LEAKS,
    "returns the wrong shape": "return [[0.5, 0.5]] * (len(table) + 1)",
}
FAILED = "endpoint.model-failed"


class Client:
    """One request after another, each of one row and with a name of its own."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
        self.failed: list[str] = []
        self.answered: list[int] = []

    def ask(self, name: str, distance: float) -> None:
        columns = {
            "id": ("BYTES", name),
            "distance": ("FP64", distance),
            "carrier": ("BYTES", "UA"),
        }
        inputs = [
            {"name": column, "datatype": kind, "shape": [1], "data": [value]}
            for column, (kind, value) in columns.items()
        ]
        body = json.dumps({"id": f"request-{name}", "inputs": inputs})
        self._connection.request("POST", "/v2/models/delay/infer", body)
        reply = self._connection.getresponse()
        told = json.loads(reply.read())
        if reply.status == 200:
            values = {out["name"]: out["data"] for out in told["outputs"]}
            self.answered.extend(values["version"])
        else:
            assert (reply.status, told["code"]) == (500, FAILED)
            self.failed.append(f"request-{name}")

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(params=HARM)
def begun(request: Any, loop_of: Any, world: Any, monkeypatch: Any) -> Iterator[Any]:
    """A canary at half of the traffic that has answered well until now; its client, and its
    endpoint's."""
    monkeypatch.setenv("FREEHOLD_MODEL_DEADLINE", "1" if request.param == "hangs" else "60")
    monkeypatch.setenv("FREEHOLD_MODEL_MEMORY", "700")
    loop = loop_of(PROJECT)
    world.register(loop.site, 3, 0.0, model=harmful_model(HARM[request.param]))
    settings = EndpointSettings(loop.site.serving, port=0)
    with EndpointThread(settings, clock=loop.clock) as endpoint:
        control, client = EndpointClient(endpoint.url), Client(endpoint.url)
        loop.release(3)
        await_routing(loop.site, control, "delay")
        for number in range(16):
            client.ask(f"well-{number}", 1.0)
        assert set(client.answered) == {1, 3} and not client.failed
        control.flush()
        assert isinstance(loop.turn().move.decision, Hold)
        yield loop, client, control
        control.close()
        client.close()


def test_it_goes_back_at_the_next_look_and_is_told_of_by_request(
    begun: Any, monkeypatch: Any, capsys: Any
) -> None:
    loop, client, control = begun
    number = 0
    while len(client.failed) < 6:
        client.ask(f"harm-{number}", 2000.0)
        number += 1
    control.flush()
    loop.clock.pass_seconds()
    move = loop.turn().move
    assert isinstance(move.decision, Rollback) and move.decision.guardrail == "error-rate"
    assert loop.shares() == {1: 100.0} and loop.aliases() == {"champion": 1}

    first = client.failed[:3]
    assert [one.request for one in move.witnesses] == first
    assert loop.told[-1].endswith(f"request {first[0]} failed: {FAILED}")
    (told,) = release_status(loop.site)["releases"]
    assert (told["status"], told["guardrail"]) == ("rolled-back", "error-rate")
    assert [(one["request"], one["error"]) for one in told["witnesses"]] == [
        (name, FAILED) for name in first
    ]
    monkeypatch.setattr(drawing, "console", lambda: Console(width=160, highlight=False))
    capsys.readouterr()
    release_drawing.draw(release_status(loop.site))
    assert f"request {first[0]} failed: {FAILED}" in capsys.readouterr().out

    (fact,) = facts_of(loop.site, "release.rolled-back")
    assert fact.body["decided"] == "analysis"
    kept = json.loads(loop.site.attachments.get(fact.body["reason"]))
    assert [one["request"] for one in kept["requests"]] == first
    assert not any(name in json.dumps(dict(fact.body)) for name in first), "not in the history"
    loop.site.attachments.erase(fact.body["reason"])
    assert release_status(loop.site)["releases"][0]["witnesses"] == []

    await_routing(loop.site, control, "delay")
    failed, client.answered = list(client.failed), []
    for again in range(number):
        client.ask(f"harm-{again}", 2000.0)
    assert client.failed == failed and set(client.answered) == {1}
