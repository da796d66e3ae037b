"""Paths lead to one handler each, and the guide names them all."""

from pathlib import Path

import pytest

from freehold.console.answer import WrongMethod
from freehold.console.routes import API, ROUTES, Route, find_route
from freehold.domain.errors import RequestInvalid

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "console.md"


def example(route: Route) -> str:
    return API + route.path.replace("{", "a ").replace("*}", "/b").replace("}", "")


@pytest.mark.parametrize("route", ROUTES, ids=lambda one: f"{one.method} {one.path}")
def test_each_is_found(route: Route) -> None:
    found, place = find_route(route.method, example(route))
    assert found is route
    assert set(place) == {one.split("}")[0].rstrip("*") for one in route.path.split("{")[1:]}


@pytest.mark.parametrize("route", ROUTES, ids=lambda one: f"{one.method} {one.path}")
def test_other_methods_are_told_which_are_possible(route: Route) -> None:
    here = [one.method for one in ROUTES if one.path == route.path]
    for method in {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "get"} - set(here):
        with pytest.raises(WrongMethod) as raised:
            find_route(method, example(route))
        assert set(raised.value.allowed) == set(here)


def test_a_name_with_a_slash() -> None:
    _, place = find_route("POST", f"{API}/proposals/delay/2024-01-14/approve")
    assert place == {"proposal": "delay/2024-01-14"}


@pytest.mark.parametrize(
    "path",
    ["", "/api", "/api/v1", "/api/v1/", "/api/v2/status", "/status", "/api/v1//status",
     "/api/v1/status/", "/api/v1/models/", "/api/v1/models/a/b", "/api/v1/proposals//approve",
     "/api/v1/proposals/approve", "/api/v1/status\n", "/API/V1/STATUS", "/api/v1/runs/a/b"],
)  # fmt: skip
def test_nothing_else_is_there(path: str) -> None:
    with pytest.raises(RequestInvalid) as raised:
        find_route("GET", path)
    assert raised.value.code == "request.not-found"


def test_the_guide_names_each() -> None:
    text = GUIDE.read_text()
    shown = {f"`{one.method} {API}{one.path.replace('*', '')}`" for one in ROUTES}
    assert {line for line in shown if line not in text} == set()
