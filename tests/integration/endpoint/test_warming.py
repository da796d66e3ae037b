"""An endpoint asks itself before anybody does, and nobody can tell."""

from typing import Any
from urllib.request import urlopen

import pytest

from freehold.endpoint.application import Application
from freehold.endpoint.grpc import warming
from freehold.endpoint.message import Answer, Asking
from freehold.endpoint.process import EndpointThread, wall_clock
from freehold.endpoint.settings import EndpointSettings
from freehold.endpoint.warming import ROUNDS, SIZES
from freehold.serving.message_response import response_message
from freehold.serving.request import Limits


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Path and status of each answer that is made, to whomever."""
    found: list[tuple[str, int]] = []
    answer = Application.answer

    def telling(self: Application, asking: Asking) -> Any:
        made = answer(self, asking)
        assert isinstance(made, Answer)
        found.append((asking.path, made.status))
        return made

    monkeypatch.setattr(Application, "answer", telling)
    return found


def started(site: Any, **settings: Any) -> EndpointThread:
    return EndpointThread(
        EndpointSettings(site.folder, port=0, **settings), site.runtime, site.signing, wall_clock
    )


def counted(endpoint: EndpointThread) -> list[str]:
    """What its metrics say of requests."""
    with urlopen(f"{endpoint.url}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    counts = ("freehold_requests_total", "freehold_rows_total", "freehold_request_seconds")
    return [line for line in lines if line.startswith(counts) and not line.endswith(" 0.0")]


def test_each_protocol_is_asked_of_every_variant_and_nothing_is_counted(
    site: Any, told: list[tuple[str, int]]
) -> None:
    site.model(1)
    site.model(2, bias=0.5)
    site.route((1, 90.0, "champion"), (2, 10.0, "challenger"), reference=1)
    with started(site) as endpoint:
        paths = {"/v2/models/delay/infer", "/v1/models/delay/predict", "/invocations"}
        assert set(told) == {(path, 200) for path in paths}
        assert len(told) == 2 * len(SIZES) * len(paths) * ROUNDS
        assert not counted(endpoint)
        state = endpoint.stop()
    assert (state.written, state.waiting, state.sampled_out, state.parts) == (0, 0, 0, 0)


def test_grpcs_messages_are_tried_too_and_nothing_is_counted(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def telling(request: Any, predictions: Any) -> bytes:
        made.append(len(predictions.versions))
        return response_message(request, predictions)

    monkeypatch.setattr(warming, "response_message", telling)
    site.model(1)
    site.model(2, bias=0.5)
    site.route((1, 90.0, "champion"), (2, 10.0, "challenger"), reference=1)
    with started(site, grpc_port=0) as endpoint:
        assert made == 2 * [rows for rows in SIZES for _ in range(ROUNDS)]
        assert not counted(endpoint)
        state = endpoint.stop()
    assert (state.written, state.waiting, state.sampled_out, state.parts) == (0, 0, 0, 0)


def test_a_model_that_does_not_like_messages_is_served_all_the_same(site: Any) -> None:
    site.model(1, trap=0.0)
    site.route((1, 100.0, "champion"))
    with started(site, grpc_port=0) as endpoint:
        assert endpoint.endpoint.is_ready


def test_limits_below_what_it_asks_keep_it_from_nothing(site: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    limits = Limits(rows=min(SIZES))
    with started(site, grpc_port=0, limits=limits) as endpoint:
        assert endpoint.endpoint.is_ready
        assert not counted(endpoint)


def test_a_model_that_does_not_like_it_is_served_all_the_same(
    site: Any, told: list[tuple[str, int]]
) -> None:
    site.model(1, trap=0.0)
    site.route((1, 100.0, "champion"))
    with started(site) as endpoint:
        assert {status for _, status in told} == {500}
        assert endpoint.endpoint.is_ready
