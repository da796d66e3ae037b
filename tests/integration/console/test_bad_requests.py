"""Whatever is sent, the answer is a 4xx with a code, never a 500, and nothing is appended."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from freehold.app.site.opening import open_site
from freehold.console.routes import API, ROUTES

POSTS = ["/releases", "/releases?dry_run=true", "/work", "/conflicts/none/settle"]
VALID: dict[str, dict[str, Any]] = {
    "/releases?dry_run=true": {"version": "delay@2", "strategy": "canary", "sites": ["onprem"]},
    "/releases": {"version": "delay@2", "strategy": "immediate", "plan": "sha256:0"},
    "/work": {"site": "moon", "pipeline": "sums", "parameters": {"count": 3}},
    "/conflicts/none/settle": {"keep": 2},
    "/proposals/delay/2024-09-09/approve": {},
}
"""None of them changes anything: what they name is not there, or is only looked at."""


def paths() -> list[tuple[str, str]]:
    filled = [
        (r.method, r.path.replace("*}", "/x}").replace("{", "").replace("}", "")) for r in ROUTES
    ]
    return [(method, API + path) for method, path in filled]


@pytest.mark.parametrize(("method", "path"), [*paths(), ("GET", f"{API}/console"), ("GET", "/x")])
def test_nothing_is_told_without_the_token(client: Any, method: str, path: str) -> None:
    for given_token in ("", "Bearer x", f"Basic {client.token}", f"Bearer {client.token}x"):
        reply = client.ask(method, path, headers={"authorization": given_token})
        assert (reply.status, reply.code) == (401, "request.token")
        assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/", "/login", "/console.css", f"{API}/status", "/x"])
def test_no_other_name_leads_here(client: Any, path: str) -> None:
    for host in ("", "evil.example", "192.0.2.7:8200"):
        reply = client.ask("GET", path, headers={"host": host})
        assert (reply.status, reply.code) == (403, "request.host")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "request.not-found"),
        ("GET", f"{API}/nothing", 404, "request.not-found"),
        ("GET", f"{API}/", 404, "request.not-found"),
        ("GET", f"{API}/status/", 404, "request.not-found"),
        ("POST", f"{API}/status", 405, "request.method"),
        ("GET", f"{API}/releases", 405, "request.method"),
        ("PUT", f"{API}/work", 405, "request.method"),
        ("DELETE", "/", 405, "request.method"),
        ("POST", "/console.js", 405, "request.method"),
        ("GET", "/logout", 405, "request.method"),
        ("GET", f"{API}/status?x=1", 400, "request.malformed"),
        ("GET", f"{API}/work?open=maybe", 400, "request.malformed"),
        ("GET", f"{API}/work?open=true&open=true", 400, "request.malformed"),
        ("GET", f"{API}/runs/none", 404, "run.unknown"),
        ("GET", f"{API}/work/none", 404, "work.not-found"),
        ("GET", f"{API}/models/none", 404, "model.not-found"),
        ("POST", f"{API}/conflicts/none/settle", 404, "conflict.not-found"),
        ("POST", f"{API}/proposals/none/approve", 404, "proposal.not-found"),
    ],
)
def test_a_wrong_address(client: Any, method: str, path: str, status: int, code: str) -> None:
    reply = client.ask(method, path)
    assert (reply.status, reply.code) == (status, code)
    assert ("allow" in reply.headers) == (status == 405)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[]", b"null", b'"x"', b"[" * 60_000])
def test_a_body_that_is_no_object(client: Any, path: str, body: bytes) -> None:
    reply = client.post(path, body)
    assert (reply.status, reply.code) == (400, "request.malformed")
    assert [where for where, _ in reply.faults] == ["body"]


def test_every_wrong_field_is_named(client: Any) -> None:
    reply = client.post("/releases", {"version": 2, "sites": "all", "plann": "x"})
    assert reply.status == 400
    assert {where for where, _ in reply.faults} == {"plann", "version", "sites"}


def test_an_oversized_body_is_not_read_to_its_end(
    folder: Path, connect: Callable[..., Any]
) -> None:
    with connect(folder, body_bytes=2_000) as client:
        declared = client.post("/work", b" " * 2_001, content_length="2001")
        streamed = client.ask("POST", f"{API}/work", b" " * 1_000_000, chunk=500)
        login = client.ask("POST", "/login", b"x" * 2_001)
    for reply in (declared, streamed, login):
        assert (reply.status, reply.code) == (413, "request.too-large")
        assert reply.headers["connection"] == "close"


def test_a_body_that_does_not_come(folder: Path, connect: Callable[..., Any]) -> None:
    with connect(folder, body_seconds=0.0) as client:
        reply = client.ask("POST", f"{API}/work", b"{}", stalls=True)
    assert (reply.status, reply.code) == (408, "request.slow")


@pytest.mark.parametrize(
    "headers",
    [{"content-type": ""}, {"content-type": "text/plain"}, {"content-encoding": "gzip"},
     {"content-type": "application/x-www-form-urlencoded"}],
)  # fmt: skip
def test_content_that_is_not_offered(client: Any, headers: dict[str, str]) -> None:
    reply = client.ask("POST", f"{API}/work", b'{"site": "aws"}', headers)
    assert (reply.status, reply.code) == (415, "request.content-type")


def test_json_with_a_charset_is_json(client: Any) -> None:
    kind = {"content-type": "Application/JSON; charset=utf-8"}
    reply = client.ask("POST", f"{API}/releases?dry_run=true", {"version": "delay@2"}, kind)
    assert reply.status == 200


def test_a_bug_of_ours_is_told_here_and_not_there(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("something secret")

    monkeypatch.setattr("freehold.console.reads.status", broken)
    reply = client.ask("GET", f"{API}/status")
    assert (reply.status, reply.code) == (500, "freehold.bug")
    assert b"secret" not in reply.body
    assert any("something secret" in text for text in client.told)


def test_a_disk_that_fails_is_told(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("freehold.console.reads.status", broken)
    reply = client.ask("GET", f"{API}/status")
    assert (reply.status, reply.code) == (500, "storage.failed")


LEAVES = st.sampled_from(
    [None, True, False, 0, 1, -1, 2**53, 10**30, 1.5, "", "x", "delay@2", "delay@champion",
     "delay@", "@", "delay@-1", "a/b@1", "\ud800", "\x00", "sha256:", "onprem", "é" * 50,
     "1" * 5000]
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["count", "name", "x", ""]), inner, max_size=3)
    ),
    max_leaves=5,
)
MUTATIONS = st.dictionaries(
    st.sampled_from(
        ["version", "strategy", "sites", "plan", "site", "pipeline", "parameters", "keep", "other"]
    ),
    VALUES,
    min_size=1,
    max_size=3,
)
SHORT = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LONG = settings(SHORT, max_examples=3_000)
NAMES = st.sampled_from(
    [
        "delay",
        "delay/x",
        "..",
        "../..",
        "%2e",
        "delay@1",
        "x" * 300,
        "\ufffd",
        "\x00",
        "'",
        '"',
        "é",
    ]
)


def never_a_500(client: Any, method: str, path: str, body: bytes = b"") -> None:
    reply = client.ask(method, path, body)
    assert reply.status < 500, reply.body
    if reply.status != 200:
        assert reply.code and reply.json["error"]["what"]
    assert [text for text in client.told if "Traceback" in text] == []


def nearly_right(client: Any, path: str, changes: dict[str, Any], drop: bool) -> None:
    body = deepcopy(VALID[path])
    if drop and body:
        body.popitem()
    never_a_500(client, "POST", API + path, json.dumps({**body, **changes}).encode())


@SHORT
@given(path=st.sampled_from(POSTS), body=st.binary(max_size=200))
@example(path="/work", body=b'{"site":"\\ud800"}')
def test_any_bytes(client: Any, path: str, body: bytes) -> None:
    never_a_500(client, "POST", API + path, body)


@SHORT
@given(path=st.sampled_from(sorted(VALID)), changes=MUTATIONS, drop=st.booleans())
@example(path="/work", changes={"site": "aws", "parameters": {"count": 10**30}}, drop=False)
@example(path="/work", changes={"site": "aws", "parameters": {"count": "\ud800"}}, drop=False)
def test_any_request_that_is_nearly_right(
    client: Any, path: str, changes: dict[str, Any], drop: bool
) -> None:
    nearly_right(client, path, changes, drop)


@SHORT
@given(name=NAMES, route=st.sampled_from(ROUTES))
def test_any_name(client: Any, name: str, route: Any) -> None:
    place = route.path.replace("{proposal*}", name)
    for part in ("model", "version", "run", "work", "conflict"):
        place = place.replace(f"{{{part}}}", name)
    never_a_500(client, route.method, API + place)


def test_after_all_of_it_nothing_was_appended(client: Any, folder: Path, console: Any) -> None:
    with open_site(folder) as site:
        before = console.count(site)
        for path, body in VALID.items():
            client.post(path, body)
            client.post(path, b"{")
        assert console.count(site) == before


@pytest.mark.long
@LONG
@given(path=st.sampled_from(sorted(VALID)), changes=MUTATIONS, drop=st.booleans())
def test_any_request_that_is_nearly_right_often(
    client: Any, path: str, changes: dict[str, Any], drop: bool
) -> None:
    nearly_right(client, path, changes, drop)
