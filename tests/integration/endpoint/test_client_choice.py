"""What the Python client does by itself: the nearest is asked, and another when that one is late,
hangs or has no room."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest

from freehold.domain.errors import Failed, FreeholdError
from freehold.endpoint.client import Client
from freehold.endpoint.process import EndpointThread, wall_clock
from freehold.endpoint.settings import EndpointSettings
from freehold.serving.admission import AdmissionSettings
from freehold.serving.upstreams import Upstream
from tests.far_endpoints import Distant, Hanging
from tests.waiting import until

KNOWN = 20
"""Answers after which it is known what is late: until then nothing is asked twice."""
ROW = [{"distance": 1.0, "carrier": "UA"}]


@pytest.fixture
def endpoint_of(site_of: Any) -> Iterator[Callable[..., EndpointThread]]:
    """Another one each time; all answer alike."""
    started: list[EndpointThread] = []

    def made(**settings: Any) -> EndpointThread:
        site = site_of()
        site.model(1)
        site.route((1, 100.0, "champion"))
        asked = EndpointSettings(site.folder, port=0, **settings)
        started.append(EndpointThread(asked, site.runtime, site.signing, wall_clock))
        return started[-1]

    yield made
    for endpoint in started:
        endpoint.stop()


@contextmanager
def asking(**sites: str) -> Iterator[Client]:
    """A client that knows how near each site is."""
    with Client(sites) as client:
        until(lambda: all(one.nearness < 9 for one in client._relay.upstreams))
        yield client


def answered(client: Client) -> dict[str, int]:
    return dict(client._relay.counted.answered)


def upstream(client: Client, name: str) -> Upstream:
    return next(one for one in client._relay.upstreams if one.name == name)


def test_the_nearest_is_asked_wherever_it_stands_in_the_list(
    endpoint_of: Callable[..., EndpointThread],
) -> None:
    near, other = endpoint_of(), endpoint_of()
    with (
        closing(Distant(other.url, 0.05)) as far,
        asking(far=far.url, near=near.url) as client,
    ):
        for _ in range(20):
            client.predict("delay", ROW)
        assert answered(client) == {"near": 20}


def test_a_late_answer_is_asked_of_another_too(
    endpoint_of: Callable[..., EndpointThread],
) -> None:
    first, second = endpoint_of(), endpoint_of()
    with (
        closing(Distant(first.url)) as near,
        closing(Distant(second.url, 0.03)) as far,
        asking(near=near.url, far=far.url) as client,
    ):
        for _ in range(KNOWN):
            client.predict("delay", ROW)
        assert answered(client) == {"near": KNOWN}
        near.seconds = 5.0
        client.predict("delay", ROW)
        assert client._relay.counted.hedged == 1
        assert answered(client) == {"near": KNOWN, "far": 1}


def test_a_site_that_is_well_and_answers_nothing_is_let_out_and_in_again(
    endpoint_of: Callable[..., EndpointThread],
) -> None:
    hanging = Hanging(b'[{"score": 0.5, "version": 1, "prediction_id": "a"}]')
    with (
        closing(hanging),
        closing(Distant(endpoint_of().url, 0.03)) as far,
        Client({"near": hanging.url, "far": far.url}, seconds=1.5) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        near = upstream(client, "near")
        until(lambda: all(one.nearness < 9 for one in client._relay.upstreams))

        def ask(_: int) -> str:
            try:
                return str(client.predict("delay", ROW)[0]["prediction_id"])
            except Failed as error:
                assert error.code == "gateway.late"
                return "late"

        assert {ask(n) for n in range(KNOWN)} == {"a"}
        hanging.may.clear()
        waves = 0
        while near.is_closed:
            list(pool.map(ask, range(8)))
            waves += 1
        assert waves <= 4, "eleven wrong ones of twenty are enough"
        assert near.is_on_trial
        found = [ask(n) for n in range(20)]
        assert not {"a", "late"} & set(found), "the other answers, under names of its own"
        hanging.may.set()
        until(lambda: ask(0) == "a")


def test_what_a_site_sends_away_another_answers(
    endpoint_of: Callable[..., EndpointThread],
) -> None:
    """By its own 429 and Retry-After; it is left alone for so long."""
    few = AdmissionSettings(per_caller=0.5)
    narrow, wide = endpoint_of(admission=few), endpoint_of()
    with (
        closing(Distant(wide.url, 0.05)) as far,
        asking(narrow=narrow.url, wide=far.url) as client,
    ):
        for _ in range(8):
            assert len(client.predict("delay", ROW)) == 1
        found = answered(client)
        assert found.keys() == {"narrow", "wide"}
        assert sum(found.values()) == 8


def test_nothing_goes_on_beyond_the_time_that_a_request_may_take(
    endpoint_of: Callable[..., EndpointThread],
) -> None:
    with (
        closing(Distant(endpoint_of().url, 30.0)) as slow,
        Client({"slow": slow.url}, seconds=0.2) as client,
        pytest.raises(FreeholdError) as late,
    ):
        client.predict("delay", ROW)
    assert late.value.code == "gateway.late"
