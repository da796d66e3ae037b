"""A gateway before real endpoints: the nearest well one answers, and a lost one costs nobody."""

import asyncio
import http.client
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest

from freehold.domain.errors import FreeholdError, ProjectInvalid, Refused
from freehold.domain.project import SiteSpec, StoreSpec
from freehold.endpoint.client import Client
from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.endpoint.gateway.application import Gateway
from freehold.endpoint.gateway.process import GatewayThread
from freehold.endpoint.gateway.relay import Relay, RelaySettings
from freehold.endpoint.message import Asking
from freehold.endpoint.process import EndpointThread, wall_clock
from freehold.endpoint.settings import EndpointSettings
from freehold.serving.admission import AdmissionSettings
from freehold.serving.upstreams import UpstreamSettings
from tests.asked_endpoint import INFER, ask_until
from tests.far_endpoints import Distant, Hanging
from tests.waiting import until

QUICK = RelaySettings(
    look_seconds=0.2, upstreams=UpstreamSettings(open_seconds=0.2, longest_open_seconds=0.4)
)


def site_at(url: str, **more: Any) -> SiteSpec:
    return SiteSpec(store=StoreSpec(at="file:///nowhere"), endpoint=url, **more)


def call(
    url: str, body: Any, path: str = INFER, source: str = "127.0.0.1", **headers: str
) -> tuple[int, dict[str, str], Any]:
    """`source`: address of the caller."""
    at = urlsplit(url).netloc
    connection = http.client.HTTPConnection(at, timeout=60, source_address=(source, 0))
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        method = "GET" if body is None else "POST"
        connection.request(method, path, None if body is None else json.dumps(body), given)
        reply = connection.getresponse()
        told = {name.lower(): value for name, value in reply.getheaders()}
        return reply.status, told, json.loads(reply.read())
    finally:
        connection.close()


@pytest.fixture
def distant() -> Iterator[Callable[..., Distant]]:
    made: list[Distant] = []

    def make(url: str, seconds: float = 0.0) -> Distant:
        made.append(Distant(url, seconds))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def endpoints(site: Any, lasting_site: Any) -> Iterator[list[EndpointThread]]:
    """Two that answer alike."""
    started = []
    for one in (site, lasting_site):
        one.model(1)
        one.route((1, 100.0, "champion"))
        settings = EndpointSettings(one.folder, port=0)
        started.append(EndpointThread(settings, one.runtime, one.signing, wall_clock))
    yield started
    for endpoint in started:
        endpoint.stop()


def test_the_nearest_answers_and_a_farther_one_when_it_is_gone(
    endpoints: list[EndpointThread], distant: Any, request_of: Any
) -> None:
    far = distant(endpoints[1].url, 0.05)
    told: list[str] = []
    relay = Relay({"far": site_at(far.url), "near": site_at(endpoints[0].url)}, QUICK, told.append)
    with GatewayThread(relay) as gateway:
        until(lambda: all(one.nearness < 9 for one in relay.upstreams))
        for n in range(20):
            status, headers, answer = call(gateway.url, request_of(n, id=f"r{n}"))
            assert (status, headers["freehold-site"], answer["id"]) == (200, "near", f"r{n}")
        endpoints[0]._server.stop()
        sites = []
        # What it takes before it has heard that, it answers.
        while sites[-5:] != ["far"] * 5:
            status, headers, _ = call(gateway.url, request_of(len(sites)))
            assert status == 200
            sites.append(headers["freehold-site"])
        assert sites == sorted(sites, reverse=True), "none goes back to the one that is gone"
        until(lambda: "near does not answer: others are asked" in told)
        state = call(gateway.url, None, "/freehold/gateway")[2]
        assert {one["site"]: one["asked"] for one in state["sites"]} == {"far": True, "near": False}


def test_what_a_site_answers_comes_through_whole(
    endpoints: list[EndpointThread], distant: Any, request_of: Any
) -> None:
    relay = Relay({"a": site_at(endpoints[0].url)}, QUICK)
    with GatewayThread(relay) as gateway:
        rows = [{"distance": 1.0, "carrier": "UA"}, {"distance": None, "carrier": "AA"}]
        direct = call(endpoints[0].url, rows, "/v1/models/delay/predict")[2]
        passed = call(gateway.url, rows, "/v1/models/delay/predict")[2]
        assert [one["score"] for one in passed] == [one["score"] for one in direct]
        assert call(gateway.url, None, "/v2/models/delay")[2]["name"] == "delay"
        status, _, answer = call(gateway.url, {"inputs": []})
        assert (status, answer["code"]) == (400, "request.malformed")
        assert call(gateway.url, None, "/v2/models/other")[0] == 404
        assert call(gateway.url, None, "/freehold/log/flush")[0] == 404, "its own questions only"


def test_labels_say_who_may_be_asked(endpoints: list[EndpointThread], request_of: Any) -> None:
    sites = {
        "eu": site_at(endpoints[0].url, jurisdiction="EU", accepts=("pii",)),
        "us": site_at(endpoints[1].url, jurisdiction="US"),
    }
    with GatewayThread(Relay(sites, QUICK)) as gateway:
        for labels, expected in (("residency=EU", "eu"), ("residency=US", "us"), ("pii", "eu")):
            for _ in range(5):
                found = call(gateway.url, request_of(1), freehold_labels=labels)
                assert (found[0], found[1]["freehold-site"]) == (200, expected)
        status, _, answer = call(gateway.url, request_of(1), freehold_labels="residency=EU, team=x")
        assert (status, answer["code"]) == (403, "gateway.barred")
        assert "us: residency=EU: the site's jurisdiction is US" in answer["because"]
        assert call(gateway.url, request_of(1), freehold_labels="=EU")[0] == 400


def test_a_late_answer_is_asked_of_another_too(
    endpoints: list[EndpointThread], distant: Any, request_of: Any
) -> None:
    near = distant(endpoints[0].url)
    far = distant(endpoints[1].url, 0.03)
    settings = RelaySettings(look_seconds=60.0)
    relay = Relay({"near": site_at(near.url), "far": site_at(far.url)}, settings)
    with GatewayThread(relay) as gateway:
        until(lambda: all(one.nearness < 9 for one in relay.upstreams))
        for n in range(25):
            assert call(gateway.url, request_of(n))[1]["freehold-site"] == "near"
        near.seconds = 5.0
        status, headers, _ = call(gateway.url, request_of(1))
        assert (status, headers["freehold-site"]) == (200, "far")
        assert relay.counted.hedged >= 1


def test_a_site_that_is_well_and_answers_nothing_is_let_out(
    endpoints: list[EndpointThread], distant: Any, request_of: Any
) -> None:
    hanging, far = Hanging(), distant(endpoints[1].url, 0.03)
    relay = Relay({"near": site_at(hanging.url), "far": site_at(far.url)}, QUICK)
    near = next(one for one in relay.upstreams if one.name == "near")

    def ask(number: int) -> str:
        status, headers, _ = call(gateway.url, request_of(number), freehold_deadline_ms="1500")
        return headers["freehold-site"] if status == 200 else ""

    with GatewayThread(relay) as gateway, ThreadPoolExecutor(8) as pool:
        until(lambda: all(one.nearness < 9 for one in relay.upstreams))
        assert {ask(number) for number in range(25)} == {"near"}
        hanging.may.clear()
        waves = 0
        while near.is_closed:
            list(pool.map(ask, range(8)))
            waves += 1
        assert waves <= 4, "eleven wrong ones of twenty are enough"
        for _ in range(20):
            # It says that it is well all the time; a trial of it costs a caller some time.
            assert ask(1) == "far"
        assert near.is_on_trial
        hanging.may.set()
        until(lambda: ask(1) == "near")
    hanging.close()


def test_nothing_goes_on_beyond_the_deadline(
    endpoints: list[EndpointThread], distant: Any, request_of: Any
) -> None:
    slow = distant(endpoints[0].url, 30.0)
    with GatewayThread(Relay({"slow": site_at(slow.url)}, QUICK)) as gateway:
        status, _, answer = call(gateway.url, request_of(1), freehold_deadline_ms="200")
        assert (status, answer["code"]) == (504, "gateway.late")


def test_who_has_no_room_is_passed_over(
    endpoints: list[EndpointThread], distant: Any, request_of: Any
) -> None:
    far = distant(endpoints[1].url, 0.02)
    relay = Relay({"near": site_at(endpoints[0].url), "far": site_at(far.url)}, QUICK)
    with GatewayThread(relay) as gateway:
        until(lambda: all(one.nearness < 9 for one in relay.upstreams))
        near = next(one for one in relay.upstreams if one.name == "near")
        near.full(time.monotonic(), 60.0)
        assert call(gateway.url, request_of(1))[1]["freehold-site"] == "far"


def test_a_site_that_is_killed_under_load_costs_no_request_and_comes_back(
    real_site_of: Any, request_of: Any
) -> None:
    """At most those in flight may be lost; being asked again elsewhere, none is."""
    sites = {name: real_site_of(name) for name in ("one", "two")}
    running = {name: EndpointProcess.start(one.folder) for name, one in sites.items()}
    relay = Relay({name: site_at(one.url) for name, one in running.items()}, QUICK)
    body = json.dumps(request_of(*range(5))).encode()
    over = Event()
    with GatewayThread(relay) as gateway, ThreadPoolExecutor(4) as pool:
        until(lambda: all(one.nearness < 9 for one in relay.upstreams))
        asking = [pool.submit(ask_until, gateway.url, body, over) for _ in range(4)]

        def answered(name: str) -> int:
            return relay.counted.answered.get(name, 0)

        try:
            until(lambda: answered("one") + answered("two") > 50)
            killed = max(running, key=answered)
            other = "two" if killed == "one" else "one"
            port = urlsplit(running[killed].url).port or 0
            before = answered(other)
            os.kill(running[killed].pid, signal.SIGKILL)
            with pytest.raises(FreeholdError):
                running[killed].stop()
            until(lambda: answered(other) > before + 200)
            running[killed] = EndpointProcess.start(sites[killed].folder, port=port)
            back = next(one for one in relay.upstreams if one.name == killed)
            until(lambda: back.is_closed)
        finally:
            over.set()
        found = sum((one.result() for one in asking), Counter())
    assert {status for status, _ in found} == {200}, found
    assert {name for _, name in found} == {"one", "two"}
    for endpoint in running.values():
        endpoint.stop()


def test_a_client_does_without_a_gateway(endpoints: list[EndpointThread], request_of: Any) -> None:
    first, second = (one.url for one in endpoints)
    rows = [
        {"distance": 1.0, "carrier": "UA", "id": "a"},
        {"distance": 2.0, "carrier": "AA", "id": "b"},
    ]
    with Client({"first": first, "second": second}) as client:
        answers = client.predict("delay", rows)
        assert answers[0]["prediction_id"] == "a" and len(answers) == 2
        assert client.infer("delay", request_of(1, id="r"))["id"] == "r"
        with pytest.raises(FreeholdError) as caught:
            client.infer("delay", {"inputs": []})
        assert caught.value.code == "request.malformed"
        endpoints[0]._server.stop()
        endpoints[0]._thread.join()
        assert [len(client.predict("delay", rows)) for _ in range(20)] == [2] * 20
        endpoints[1]._server.stop()
        endpoints[1]._thread.join()
        with pytest.raises(FreeholdError) as caught:
            client.predict("delay", rows)
        assert caught.value.code == "gateway.no-answer"
    barred = {"first": site_at(first, jurisdiction="US")}
    with (
        Client(barred, labels={"residency": "EU"}) as client,
        pytest.raises(Refused, match="no site may have") as told,
    ):
        client.predict("delay", rows)
    assert told.value.code == "gateway.barred"


def test_callers_have_their_shares_behind_a_gateway_too(site: Any, request_of: Any) -> None:
    """Known by what they say, else by their own address: not by the gateway's."""
    site.model(1)
    site.route((1, 100.0, "champion"))
    settings = EndpointSettings(site.folder, port=0, admission=AdmissionSettings(per_caller=0.001))
    with (
        EndpointThread(settings, site.runtime, site.signing, wall_clock) as endpoint,
        GatewayThread(Relay({"a": site_at(endpoint.url)}, QUICK)) as gateway,
    ):

        def ask(**said: str) -> int:
            return call(gateway.url, request_of(1), **said)[0]

        assert [ask(), ask(), ask(source="127.0.0.2")] == [200, 429, 200]
        assert [ask(freehold_caller=name) for name in "aab"] == [200, 429, 200]


def test_who_comes_when_too_many_are_under_way_is_sent_away() -> None:
    """However many come in one round of the loop."""

    async def play(hanging: Hanging) -> None:
        gateway = Gateway(Relay({"a": site_at(hanging.url)}, QUICK), under_way=2)
        asking = Asking("POST", INFER, {}, b"{}", "")

        def ask() -> Any:
            return gateway.answer(asking)

        hanging.may.clear()
        waiting = [ask() for _ in range(2)]
        refused = ask()
        assert (refused.status, json.loads(refused.body)["code"]) == (429, "endpoint.overloaded")
        assert refused.retry_after == "1"
        hanging.may.set()
        assert [(await one).status for one in waiting] == [200, 200]
        await asyncio.sleep(0)  # What ends with an answer ends in the round after it.
        given_up = [ask(), ask()]
        for one in given_up:
            one.cancel()
        await asyncio.wait(given_up)
        assert (await ask()).status == 200
        gateway._relay.close()

    with closing(Hanging()) as hanging:
        asyncio.run(play(hanging))


class Faulty(Relay):
    async def ask(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("a bug")


def test_a_bug_of_ours_is_an_answer_too(request_of: Any) -> None:
    with GatewayThread(Faulty({"a": site_at("http://127.0.0.1:9")}, QUICK)) as gateway:
        status, _, answer = call(gateway.url, request_of(1))
        assert (status, answer["code"]) == (500, "endpoint.internal")


def test_a_gateway_needs_sites_that_have_an_address() -> None:
    with pytest.raises(Refused) as caught:
        Relay({"a": site_at("")})
    assert caught.value.code == "gateway.no-sites"
    for url in ("here", "ftp://here", "http://", "http://here/path"):
        with pytest.raises(ProjectInvalid) as wrong:
            Relay({"a": site_at(url)})
        assert wrong.value.code == "gateway.address"
