"""`freehold agent`, `freehold work`, `freehold run --at`: as processes where it is about them."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from math import exp
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import grpc
import pytest

from freehold.app.site.opening import open_site
from freehold.app.site.trusting import rekey
from freehold.replication.leases import all_work
from freehold.serving.inference_messages import HEALTH_SERVICE, HealthCheckResponse

SITES = """\
project: tiny
site: onprem
engine: {engine}
pipelines:
  sums: steps:sums
sites:
  onprem: {{store: {{at: "file://{stores}/onprem"}}, keys: [{onprem}]}}
  aws: {{store: {{at: "file://{stores}/aws"}}, keys: [{aws}]}}
"""
STEPS = '''\
"""The first step waits for a file, so that whoever runs it can be stopped there."""

import time
from pathlib import Path

from freehold import pipeline, step

HERE = Path(__file__).parent


@step(cache=False)
def waiting(count: int) -> int:
    (HERE / "begun").touch()
    while not (HERE / "go").exists():
        time.sleep(0.01)
    return count


@step(cache=False)
def doubled(count: int) -> int:
    return 2 * count


@pipeline
def sums(count: int = 4) -> int:
    return doubled(waiting(count))
'''
PATIENCE = 60
"""Seconds after which something counts as not coming at all."""


def eventually(happened: Callable[[], Any]) -> Any:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if found := happened():
            return found
        time.sleep(0.02)
    raise AssertionError("it has not happened")


def event(process: "subprocess.Popen[str]", kind: str) -> dict[str, Any]:
    """The next one of this kind that the agent prints."""
    assert process.stdout is not None
    for line in process.stdout:
        told: dict[str, Any] = json.loads(line)
        if told["event"] == kind:
            return told
    assert process.stderr is not None
    raise AssertionError(f"the agent ended: {process.stderr.read()}")


@pytest.fixture
def checkouts(project: Any) -> tuple[Any, Any]:
    """Two checkouts of a project of two sites that know each other's keys: both machines of aws,
    and the first is onprem, too."""
    first, second = project, type(project)(project.folder.parent / "second")
    keys: dict[str, list[str]] = {"onprem": [], "aws": []}
    stores = project.folder.parent / "stores"
    engine = "subprocess"
    for one, sites in ((first, ("onprem", "aws")), (second, ("aws",))):
        one.write("steps.py", STEPS)
        one.write("freehold.yaml", SITES.format(stores=stores, engine=engine, onprem="", aws=""))
        for site in sites:
            with open_site(one.folder, site=site) as opened:
                keys[site].append(opened.signer.public.fingerprint)
    listed = {site: ", ".join(found) for site, found in keys.items()}
    for one in (first, second):
        one.write("freehold.yaml", SITES.format(stores=stores, engine=engine, **listed))
    return first, second


@pytest.fixture
def started(checkouts: tuple[Any, Any]) -> Any:
    """Starts an agent of aws in a checkout; what is left of them is ended."""
    processes = []

    def start(checkout: Any, *more: str) -> "subprocess.Popen[str]":
        process: subprocess.Popen[str] = checkout.start(
            "agent", "--site", "aws", "--json", "--every", "0.2", "--lease", "1", *more
        )
        processes.append(process)
        event(process, "agent.started")
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def ask(checkout: Any) -> str:
    said = checkout.freehold("run", "--at", "aws", "--set", "count=5", "--yes", "--json")
    assert said.code == 0, said.err
    assert said.json["work"]["standing"] == "waiting"
    return str(said.json["work"]["work"])


def row(checkout: Any, name: str) -> dict[str, Any]:
    assert checkout.freehold("sync", "--json").code == 0
    found = checkout.freehold("work", "--json").json["work"]
    return next(one for one in found if one["work"] == name)


def ended(checkout: Any, process: "subprocess.Popen[str]") -> Any:
    process.send_signal(signal.SIGTERM)
    return checkout.finish(process)


def test_a_site_does_what_another_one_asked(checkouts: tuple[Any, Any], started: Any) -> None:
    here, there = checkouts
    there.write("go", "")
    agent = started(there)
    name = ask(here)
    assert event(agent, "work.claimed")["work"] == name
    done = event(agent, "work.completed")
    assert (done["status"], done["accepted"]) == ("finished", True)
    told = eventually(lambda: (r := row(here, name))["standing"] == "finished" and r)
    assert told["run"] == done["run"]
    assert ended(there, agent).code == 0
    said = here.freehold("work")
    assert name in said.out
    assert "finished" in said.out
    assert "next: freehold runs" in said.err


def test_what_an_agent_that_was_killed_had_begun_another_machine_ends(
    checkouts: tuple[Any, Any], started: Any
) -> None:
    first, second = checkouts
    second.write("go", "")
    name = ask(first)
    dying = started(first)
    eventually((first.folder / "begun").exists)
    dying.kill()
    other = started(second)
    claimed = event(other, "work.claimed")
    assert (claimed["how"], claimed["fence"]) == ("taken over", 2)
    assert event(other, "work.completed")["accepted"]
    assert ended(second, other).code == 0
    assert row(first, name)["standing"] == "finished"


WORKS = 6


def test_two_agents_of_a_site_that_run_at_once_complete_each_work_once(
    checkouts: tuple[Any, Any], started: Any
) -> None:
    """Both are inside a step before either may go on, and both live until all is done."""
    first, second = checkouts
    agents = {one.folder: started(one) for one in (first, second)}
    asked = {ask(first) for _ in range(WORKS)}
    eventually(lambda: all((folder / "begun").exists() for folder in agents))
    for folder in agents:
        (folder / "go").touch()
    places = ((first, "onprem"), (first, "aws"), (second, "aws"))
    eventually(lambda: first.freehold("sync").code == 0 and all_over(places))
    assert [agent.poll() for agent in agents.values()] == [None, None]
    done = []
    for one in (first, second):
        said = ended(one, agents[one.folder])
        assert (said.code, "Traceback" in said.err) == (0, False), said.err
        events = [json.loads(line) for line in said.out.splitlines()]
        done.append({(e["work"], e["run"]) for e in events if e["event"] == "work.completed"})
    for one, site in (*places, *places):
        assert one.freehold("sync", "--site", site).code == 0
    onprem, *others = (completions(one, site) for one, site in places)
    assert onprem.keys() == asked
    assert all(other == onprem for other in others)
    assert {status for status, _, _ in onprem.values()} == {"finished"}
    assert len({fact for _, fact, _ in onprem.values()}) == WORKS
    assert all(done), "each of the two was inside one"
    # Of a work that both had claimed before they met, two runs were made, and one counts.
    assert {(work, run) for work, (_, _, run) in onprem.items()} <= done[0] | done[1]


def completions(checkout: Any, site: str) -> dict[str, tuple[str, str, str]]:
    """By work, as this site has it: the status, the fact and the run of the one that holds."""
    with open_site(checkout.folder, site=site) as opened:
        return {
            one.name: (end.status, end.fact, end.run) if (end := one.completion) else ("", "", "")
            for one in all_work(opened.state)
        }


def all_over(places: tuple[tuple[Any, str], ...]) -> bool:
    standing = [completions(*place) for place in places]
    return all(len(one) == WORKS and all(e[0] for e in one.values()) for one in standing)


def test_an_agent_that_is_stopped_gives_its_work_back(
    checkouts: tuple[Any, Any], started: Any
) -> None:
    first, second = checkouts
    name = ask(first)
    agent = started(first)
    eventually((first.folder / "begun").exists)
    said = ended(first, agent)
    assert said.code == 0, said.err
    kinds = [json.loads(line)["event"] for line in said.out.splitlines()]
    assert [kind for kind in kinds if kind != "exchanged"][-3:] == [
        "work.released",
        "agent.stopping",
        "agent.stopped",
    ]
    assert row(first, name)["standing"] == "waiting"
    second.write("go", "")
    other = started(second)
    assert event(other, "work.claimed")["how"] == "taken"
    assert event(other, "work.completed")["accepted"]


def test_one_agent_for_a_state(checkouts: tuple[Any, Any], started: Any) -> None:
    here, _ = checkouts
    started(here)
    said = here.freehold("agent", "--site", "aws", "--once")
    assert said.code == 1
    assert "error[agent.running]" in said.err
    assert "hint:" in said.err


def test_a_site_that_is_cut_off_asks_when_it_is_back(
    checkouts: tuple[Any, Any], tmp_path: Path
) -> None:
    here, there = checkouts
    stores = tmp_path / "stores"
    if stores.exists():
        stores.rename(tmp_path / "away")
    stores.write_text("no folder: nothing can be stored in it")
    said = here.freehold("run", "--at", "aws", "--yes")
    assert said.code == 0, said.err
    assert "not reached: the stores of aws, onprem" in said.err
    stores.unlink()
    if (tmp_path / "away").exists():
        (tmp_path / "away").rename(stores)
    assert here.freehold("sync").code == 0
    there.write("go", "")
    assert there.freehold("agent", "--site", "aws", "--once").code == 0
    (told,) = here.freehold("work", "--json").json["work"]
    assert row(here, told["work"])["standing"] == "finished"


def test_work_that_is_cancelled_is_not_done(checkouts: tuple[Any, Any]) -> None:
    here, there = checkouts
    name = ask(here)
    said = here.freehold("work", "cancel", name, "--yes", "--json")
    assert said.json["work"]["standing"] == "cancelled"
    assert here.freehold("work", "cancel", name, "--yes").code == 1
    assert here.freehold("sync").code == 0
    assert there.freehold("agent", "--site", "aws", "--once").code == 0
    assert not (there.folder / "begun").exists()


def test_what_cannot_be_asked_is_refused(checkouts: tuple[Any, Any]) -> None:
    here, _ = checkouts
    for arguments, code in (
        (("--at", "mars"), "site.unknown"),
        (("--at", "aws", "--resume"), "usage.at"),
        (("--at", "aws", "--set", "count=many"), "usage"),
    ):
        said = here.freehold("run", *arguments, "--yes")
        assert said.code in (1, 2)
        assert f"error[{code}" in said.err
    assert here.freehold("work", "--json").json["work"] == []


def test_an_endpoint_is_kept_as_released(serving: Any) -> None:
    agent = serving.start("agent", "--json", "--every", "0.2")
    first = event(agent, "endpoint.started")["url"]
    assert served(first) == [1]
    (child,) = children(agent.pid)
    os.kill(child, signal.SIGKILL)
    event(agent, "endpoint.died")
    second = event(agent, "endpoint.started")["url"]
    assert serving.freehold("status", "--json").json["endpoint"]["url"] == second
    assert serving.freehold("release", "delay@2", "--strategy", "immediate", "--yes").code == 0
    eventually(lambda: served(second) == [2])
    said = ended(serving, agent)
    assert said.code == 0, said.err
    assert not (serving.folder / ".freehold" / "serving" / "endpoint.json").exists()


def test_its_endpoint_answers_by_grpc_where_the_project_says_so(serving: Any) -> None:
    file = serving.folder / "freehold.yaml"
    file.write_text(file.read_text().replace("endpoint:\n", "endpoint:\n  grpc_port: 0\n"))
    agent = serving.start("agent", "--json", "--every", "0.2")
    address = event(agent, "endpoint.started")["grpc"]
    with grpc.insecure_channel(address) as channel:
        ready = channel.unary_unary(f"/{HEALTH_SERVICE}/Check")
        answer = HealthCheckResponse.FromString(ready(b"", timeout=PATIENCE))
    assert answer.status == 1, "serving"
    assert ended(serving, agent).code == 0


def test_a_port_that_cannot_be_is_refused_before_anything_is_done(serving: Any) -> None:
    for option in ("--port", "--grpc-port"):
        said = serving.freehold("agent", option, "99999")
        assert said.code == 2
        assert "error[usage.endpoint]" in said.err


@pytest.fixture
def shared(checkouts: tuple[Any, Any]) -> tuple[Any, Any]:
    """The first makes three versions of a model, and releases one at all sites; the second has made
    and released nothing."""
    first, second = checkouts
    first.write("go", "")
    run = first.freehold("run", "--yes", "--json").json["run"]
    first.serve(1, 2, 3, run=run)
    second.serve()
    release(first, "delay@1", "--sites", "all", "--strategy", "immediate")
    return first, second


def release(checkout: Any, *arguments: str) -> None:
    said = checkout.freehold("release", *arguments, "--yes")
    assert said.code == 0, said.err
    assert checkout.freehold("sync").code == 0


def test_what_one_site_releases_and_takes_back_the_agent_of_another_serves(
    shared: tuple[Any, Any], started: Any
) -> None:
    """Nothing is typed at the second one: releases, the rollback and packages come to it by
    replication."""
    first, second = shared
    agent = started(second)
    url = event(agent, "endpoint.started")["url"]
    assert served(url) == [1]
    assert predicted(url) == answer_of(1)
    release(first, "delay@2", "--sites", "all", "--strategy", "immediate")
    eventually(lambda: served(url) == [2])
    assert predicted(url) == answer_of(2)
    release(first, "delay@3", "--sites", "all", "--strategy", "canary")
    eventually(lambda: served(url) == [2, 3])
    release(first, "abort", "delay")
    eventually(lambda: served(url) == [2])
    assert predicted(url) == answer_of(2)
    said = ended(second, agent)
    assert said.code == 0, said.err
    with open_site(second.folder, site="aws") as site:
        own = {json.loads(line)["type"] for _, line in site.ledger.lines()}
    assert not own & {"model.registered", "release.started", "release.rolled-back"}


def predicted(url: str) -> tuple[list[int], list[float]]:
    """Versions that answered and scores, for a row whose columns add up to nothing."""
    body = json.dumps({"dataframe_records": [{"distance": 0.0, "carrier": "AA"}]}).encode()
    asked = Request(f"{url}/invocations", body, {"Content-Type": "application/json"})
    with urlopen(asked, timeout=PATIENCE) as answer:
        told = json.load(answer)
    return told["versions"], told["predictions"]


def answer_of(version: int) -> tuple[list[int], list[Any]]:
    return [version], [pytest.approx(1 / (1 + exp(-version)))]


def served(url: str) -> list[int]:
    with urlopen(f"{url}/freehold/routing", timeout=PATIENCE) as answer:
        return [variant["version"] for variant in json.load(answer)["variants"]]


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_an_agent_follows_its_site_into_a_new_log(checkouts: Any, started: Any) -> None:
    """A key is replaced under a running agent: it opens the site again, and answers work."""
    first, _ = checkouts
    agent = started(first)
    with open_site(first.folder, site="aws") as site:
        rekey(site)
    again = event(agent, "agent.started")
    with open_site(first.folder, site="aws") as site:
        assert again["writer"] == site.ledger.writer
    (first.folder / "go").touch()
    name = ask(first)
    assert event(agent, "work.completed")["text"]
    assert row(first, name)["standing"] == "finished"
