"""Changes through the API: done once, whoever asks again, however many ask at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from freehold.app.audit.verify import audit
from freehold.app.release.release import plan_release, release
from freehold.app.site.opening import Site, open_site
from freehold.delivery.releases import aliases_of
from freehold.domain.errors import Conflict

FIRST = "delay/2024-01-14"
AT_ONCE = 6


@pytest.fixture
def site(folder: Path) -> Iterator[Site]:
    """As another process has it open."""
    with open_site(folder) as opened:
        yield opened


@pytest.fixture
def consoles(folder: Path, connect: Callable[..., Any]) -> Iterator[list[Any]]:
    """Several on one state: each with a connection of its own, as processes have."""
    with ExitStack() as stack:
        yield [stack.enter_context(connect(folder)) for _ in range(AT_ONCE)]


def codes(replies: list[Any]) -> list[str]:
    return sorted("" if one.status == 200 else one.code for one in replies)


def at_once(consoles: list[Any], *request: Any, **headers: str) -> list[Any]:
    with ThreadPoolExecutor(len(consoles)) as pool:
        return list(pool.map(lambda one: one.post(*request, **headers), consoles))


def conflict(client: Any, about: str) -> str:
    rows = client.get("/conflicts")["conflicts"]
    return str(next(row["conflict"] for row in rows if row["about"] == about))


def planned(client: Any, version: str, **more: Any) -> dict[str, Any]:
    """The body that carries out what a dry run says."""
    reply = client.post("/releases?dry_run=true", {"version": version, **more})
    assert reply.status == 200, reply.json
    return {"version": version, **more, "plan": reply.json["digest"]}


def test_a_proposal_is_approved_once(client: Any, site: Site, console: Any) -> None:
    reply = client.post(f"/proposals/{FIRST}/approve")
    assert (reply.status, reply.json["standing"]) == (200, "approved")
    again = client.post(f"/proposals/{FIRST}/approve")
    assert (again.status, again.code) == (409, "proposal.not-open")
    other = client.post(f"/proposals/{FIRST}/reject")
    assert (other.status, other.code) == (409, "proposal.not-open")
    assert console.count(site)["proposal.approved"] == 1


def test_a_proposal_is_turned_down(client: Any, site: Site, console: Any) -> None:
    reply = client.post(f"/proposals/{FIRST}/reject", {})
    assert (reply.status, reply.json["standing"]) == (200, "rejected")
    assert console.count(site)["proposal.approved"] == 0


def test_who_did_it_is_who_runs_the_console(client: Any, site: Site) -> None:
    client.post(f"/proposals/{FIRST}/approve")
    lines = [line for _, line in site.ledger.lines() if b"proposal.approved" in line]
    assert site.actor.encode() in lines[0]


def test_many_that_approve_at_once(consoles: list[Any], site: Site, console: Any) -> None:
    replies = at_once(consoles, f"/proposals/{FIRST}/approve")
    assert codes(replies) == ["", *["proposal.not-open"] * (AT_ONCE - 1)]
    assert console.count(site)["proposal.approved"] == 1


def test_a_release_is_seen_first(client: Any, site: Site, console: Any) -> None:
    before = console.count(site)
    reply = client.post("/releases?dry_run=true", {"version": "delay@2"})
    plan = reply.json["plan"]
    assert (plan["champion"], plan["strategy"], plan["steps"]) == (1, "canary", [5, 25, 100])
    assert console.count(site) == before
    without = client.post("/releases", {"version": "delay@2"})
    assert (without.status, without.faults) == (400, [("plan", "is missing")])
    wrong = client.post("/releases", {"version": "delay@2", "plan": "sha256:0"})
    assert (wrong.status, wrong.code) == (409, "release.moved")
    other = client.post("/releases", {"version": "delay@3", "plan": reply.json["digest"]})
    assert (other.status, other.code) == (409, "release.moved")
    assert console.count(site) == before
    done = client.post("/releases", {"version": "delay@2", "plan": reply.json["digest"]})
    assert (done.status, done.json["id"], done.json["status"]) == (200, plan["release"], "running")
    assert console.count(site)["release.started"] == before["release.started"] + 1


def test_a_plan_is_carried_out_once(client: Any, site: Site, console: Any) -> None:
    """Even where the world has come to look as it did: the champion is the same again."""
    body = planned(client, "delay@2", strategy="immediate")
    assert client.post("/releases", body).status == 200
    again = client.post("/releases", body)
    assert (again.status, again.code) == (409, "release.is-champion")
    assert client.post("/releases", planned(client, "delay@1", strategy="immediate")).status == 200
    late = client.post("/releases", body)
    assert (late.status, late.code) == (409, "release.moved")
    assert aliases_of(site.state, "delay")["champion"] == 1
    assert console.count(site)["release.started"] == 3


def test_a_plan_is_refused_when_the_champion_moved(client: Any, site: Site) -> None:
    body = planned(client, "delay@3")
    release(site, plan_release(site, "delay@2", "immediate"))
    reply = client.post("/releases", body)
    assert (reply.status, reply.code) == (409, "release.moved")
    assert aliases_of(site.state, "delay")["champion"] == 2


def test_what_moves_between_the_look_and_the_append_is_noticed(site: Site) -> None:
    plan = plan_release(site, "delay@3")
    release(site, plan_release(site, "delay@2", "immediate"))
    with pytest.raises(Conflict) as raised:
        release(site, plan)
    assert raised.value.code == "release.moved"
    assert aliases_of(site.state, "delay")["champion"] == 2


def test_many_that_release_at_once(consoles: list[Any], site: Site, console: Any) -> None:
    body = planned(consoles[0], "delay@2", strategy="immediate")
    replies = at_once(consoles, "/releases", body)
    assert [one.status for one in replies].count(200) == 1
    refused = {one.code for one in replies if one.status != 200}
    assert refused <= {"release.moved", "release.is-champion"}
    assert console.count(site)["release.started"] == 2


def test_a_release_at_an_unknown_site_and_of_no_version(client: Any) -> None:
    for body, code in (
        ({"version": "delay@2", "sites": ["moon"]}, "site.unknown"),
        ({"version": "delay@9"}, "model.not-found"),
        ({"version": "other@1"}, "model.not-found"),
    ):
        reply = client.post("/releases?dry_run=true", body)
        assert (reply.status, reply.code) == (404, code)


def test_a_conflict_is_settled_once(client: Any, site: Site, console: Any) -> None:
    name = conflict(client, "orchard/spring")
    reply = client.post(f"/conflicts/{name}/settle")
    assert (reply.status, reply.json["standing"]) == (200, "settled")
    again = client.post(f"/conflicts/{name}/settle")
    assert (again.status, again.code) == (409, "conflict.settled")
    assert console.count(site)["conflict.settled"] == 1


def test_many_that_settle_at_once(consoles: list[Any], site: Site, console: Any) -> None:
    name = conflict(consoles[0], "orchard/winter")
    replies = at_once(consoles, f"/conflicts/{name}/settle")
    assert codes(replies) == ["", *["conflict.settled"] * (AT_ONCE - 1)]
    assert console.count(site)["conflict.settled"] == 1


def test_keep_is_for_champions(client: Any) -> None:
    reply = client.post(f"/conflicts/{conflict(client, 'orchard/spring')}/settle", {"keep": 1})
    assert (reply.status, reply.code) == (400, "usage.keep")


WORK = {"site": "aws", "pipeline": "greeting", "parameters": {"name": "ada"}}


def test_work_is_asked_once_under_a_key(client: Any, site: Site, console: Any) -> None:
    first = client.post("/work", WORK, Idempotency_Key="mine")
    again = client.post("/work", WORK, Idempotency_Key="mine")
    assert (first.status, first.json) == (again.status, again.json) == (200, again.json)
    assert console.count(site)["work.requested"] == 1
    body = console.facts(site, "work.requested")[0]
    assert "mine" not in str(body) and "ada" not in str(body)
    other = client.post("/work", {**WORK, "parameters": {"name": "bob"}}, Idempotency_Key="mine")
    assert (other.status, other.code) == (409, "work.other-request")
    another = client.post("/work", WORK, Idempotency_Key="other")
    assert another.json["work"]["work"] != first.json["work"]["work"]
    assert console.count(site)["work.requested"] == 2


def test_a_key_holds_over_a_start_and_after_the_parameters_were_erased(
    client: Any, folder: Path, site: Site, console: Any, connect: Callable[..., Any]
) -> None:
    first = client.post("/work", WORK, Idempotency_Key="mine")
    with connect(folder) as other:
        assert other.post("/work", WORK, Idempotency_Key="mine").json == first.json
    kept = console.facts(site, "work.requested")[0]["parameters_attachment"]
    site.attachments.erase(kept)
    assert client.post("/work", WORK, Idempotency_Key="mine").json == first.json
    assert console.count(site)["work.requested"] == 1


def test_many_that_ask_under_one_key(consoles: list[Any], site: Site, console: Any) -> None:
    replies = at_once(consoles, "/work", WORK, Idempotency_Key="mine")
    assert {one.status for one in replies} == {200}
    assert len({one.json["work"]["work"] for one in replies}) == 1
    assert console.count(site)["work.requested"] == 1


def test_without_a_key_each_is_work_of_its_own(client: Any) -> None:
    names = {client.post("/work", WORK).json["work"]["work"] for _ in range(2)}
    assert len(names) == 2


def test_work_that_cannot_be_asked(client: Any, site: Site, console: Any) -> None:
    for body, status, code in (
        ({"site": "moon"}, 404, "site.unknown"),
        ({"site": "aws", "pipeline": "none"}, 400, "usage.pipeline"),
        ({"site": "aws", "pipeline": "sums", "parameters": {"n": 1}}, 400, "usage.parameter"),
        ({"site": "aws", "pipeline": "sums", "parameters": {"count": {}}}, 400, "usage.parameter"),
    ):
        reply = client.post("/work", body)
        assert (reply.status, reply.code) == (status, code)
    assert console.count(site)["work.requested"] == 0


def standing(client: Any) -> str:
    rows = client.get("/signals")["proposals"]
    return str(next(row["standing"] for row in rows if row["proposal"] == FIRST))


def test_what_is_approved_is_carried_out_by_the_loop(
    folder: Path, site: Site, console: Any, connect: Callable[..., Any]
) -> None:
    with connect(folder, every=0.02) as client:
        assert client.post(f"/proposals/{FIRST}/approve").status == 200
        console.until(lambda: standing(client) == "failed")
    made = console.count(site)
    assert (made["run.started"], made["proposal.failed"]) == (1, 1)
    assert audit(site).history.holds


def test_two_never_turn_together(
    folder: Path, site: Site, console: Any, connect: Callable[..., Any]
) -> None:
    """The lock is the agent's and the endpoint's too."""
    held = site.locks.take("loop delay")
    assert held is not None
    with connect(folder, every=0.02) as client:
        assert client.post(f"/proposals/{FIRST}/approve").status == 200

        def turned_by() -> str:
            return str(client.get("/console")["loop"]["turns"])

        console.until(lambda: turned_by() == "another process")
        assert standing(client) == "approved"
        assert console.count(site)["run.started"] == 0
        held.release()
        console.until(lambda: standing(client) == "failed")
        assert turned_by() in ("this console", "another process")
    assert console.count(site)["run.started"] == 1
