"""The page: for whoever logged in, all of it text, nothing from elsewhere."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from freehold.app.site.opening import open_site
from freehold.domain.fact import Draft

FORM = {"content-type": "application/x-www-form-urlencoded", "authorization": ""}


class Reader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.elements: list[str] = []
        self.said = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        named = dict(attrs)
        assert not [name for name in named if name.startswith("on") or name == "style"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]

    def handle_data(self, data: str) -> None:
        self.said += f"{data}\n"


def log_in(client: Any, token: str, **headers: str) -> Any:
    body = f"token={quote(token)}".encode()
    return client.ask("POST", "/login", body, {**FORM, **headers})


def cookie_of(client: Any) -> dict[str, str]:
    reply = log_in(client, client.token)
    assert (reply.status, reply.headers["location"]) == (303, "/")
    assert "HttpOnly" in reply.headers["set-cookie"]
    assert "SameSite=Strict" in reply.headers["set-cookie"]
    return {"cookie": reply.headers["set-cookie"].partition(";")[0], "authorization": ""}


def page(client: Any, cookie: dict[str, str]) -> Reader:
    reply = client.ask("GET", "/", headers=cookie)
    assert reply.status == 200
    return Reader(reply.body.decode())


def test_without_a_cookie_there_is_a_form(client: Any) -> None:
    reply = client.ask("GET", "/", headers={"authorization": ""})
    assert reply.status == 401
    read = Reader(reply.body.decode())
    assert "form" in read.elements and "orchard" not in read.said


def test_the_token_opens_the_page(client: Any) -> None:
    read = page(client, cookie_of(client))
    for said in ("orchard", "onprem", "delay@1", "champion", "delay/2024-01-14", "orchard/spring",
                 "Nobody answers", "The loop is not turned here."):  # fmt: skip
        assert said in read.said
    assert client.token not in read.said


@pytest.mark.parametrize("token", ["", "x", "t" * 43, "é"])
def test_another_token_does_not(client: Any, token: str) -> None:
    reply = log_in(client, token)
    assert reply.status == 401
    assert "set-cookie" not in reply.headers
    assert "not the console" in Reader(reply.body.decode()).said


def test_another_page_cannot_log_in(client: Any) -> None:
    reply = log_in(client, client.token, origin="http://evil.example")
    assert (reply.status, reply.code) == (403, "request.origin")


def test_the_cookie_opens_the_page_and_nothing_else(client: Any) -> None:
    cookie = cookie_of(client)
    for method, path in (("GET", "/status"), ("POST", "/proposals/delay/2024-01-14/approve")):
        reply = client.ask(method, f"/api/v1{path}", headers=cookie)
        assert (reply.status, reply.code) == (401, "request.token")


def test_logging_out_takes_it_back(client: Any) -> None:
    reply = client.ask("POST", "/logout", headers=cookie_of(client))
    assert reply.status == 303
    assert "Max-Age=0" in reply.headers["set-cookie"]


def test_nothing_comes_from_elsewhere(client: Any) -> None:
    read = page(client, cookie_of(client))
    assert set(read.links) == {"/console.css", "/console.js", "/logout"}
    for asset in ("/console.css", "/console.js"):
        reply = client.ask("GET", asset, headers={"authorization": ""})
        assert reply.status == 200
        assert not re.search(r"https?:|url\(|@import|//[a-z]", reply.body.decode())


def test_what_is_sent_with_every_answer(client: Any) -> None:
    for path in ("/", "/console.js", "/api/v1/status"):
        headers = client.ask("GET", path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in policy


def test_a_name_from_outside_stays_text(client: Any, folder: Path) -> None:
    with open_site(folder) as site:
        script = "<script>alert(1)</script>"
        body = {
            "day": "2024-03-14", "model": "delay", "proposal": f"delay/{script}", "version": 1,
            "action": f"retrain{script}",
            "signals": [{"kind": script, "feature": "", "window_end": ""}],
        }  # fmt: skip
        site.ledger.append([Draft("proposal.made", body)])
    read = page(client, cookie_of(client))
    assert script in read.said
    assert read.elements.count("script") == 1


def test_the_sites_come_when_they_have_been_asked(client: Any, console: Any) -> None:
    cookie = cookie_of(client)
    assert "Being asked" in page(client, cookie).said
    console.until(lambda: "Being asked" not in page(client, cookie).said)
    said = page(client, cookie).said
    assert "this one" in said and "reached" in said and "aws" in said


def test_a_release_under_way(client: Any, folder: Path, connect: Callable[..., Any]) -> None:
    plan = client.post("/releases?dry_run=true", {"version": "delay@2"}).json["digest"]
    assert client.post("/releases", {"version": "delay@2", "plan": plan}).status == 200
    with connect(folder, every=0.02) as other:
        read = page(other, cookie_of(other))
    assert "gets 5 % of the traffic" in read.said
    assert "challenger" in read.said and "svg" in read.elements
