"""Labels hold whoever else speaks of the same bytes, and whatever a believed site asks for."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from freehold.app.artifact.fetch import plan_fetch
from freehold.app.drill.offline.places import Places, spawn
from freehold.app.drill.rebuild.drill import rebuild_drill
from freehold.app.project.reading import OpenProject, read_project
from freehold.app.release.release import plan_release
from freehold.app.run.plan import plan_run
from freehold.app.run.run import run
from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import Site, open_site
from freehold.domain.errors import PolicyDenied
from freehold.domain.fact import Draft
from freehold.ports.attachment_store import attachment_key

EU = {"residency": "EU"}
TABLE = b"a table of people"


def made(run: str, step: str, digest: str, labels: dict[str, str], *inputs: str) -> list[Draft]:
    output = {"digest": digest, "format": "parquet", "size": 7, "labels": labels}
    body = {
        "run": run,
        "step": step,
        "function": "m:f",
        "key": f"{run}/{step}",
        "components": {},
        "inputs": list(inputs),
        "outputs": [output],
        "cached": False,
        "microseconds": 1,
    }
    started = {"run": run, "pipeline": "p", "parameters": {}, "steps": 1}
    return [Draft("run.started", started), Draft("step.finished", body)]


def registered(run: str, package: str, version: int = 1) -> Draft:
    body = {
        "model": "m",
        "version": version,
        "run": run,
        "package": {"digest": package, "size": 9},
        "attestations": {},
        "headline": {},
        "champion": None,
        "rows": {"training": 1, "evaluation": 1},
    }
    return Draft("model.registered", body)


def wanted(site: str, *digests: str) -> Draft:
    return Draft("artifact.wanted", {"site": site, "digests": list(digests)})


def put(world: Any, data: bytes) -> str:
    """At onprem."""
    digest: str = world.do("onprem", lambda s: s.artifacts.put(data))
    return digest


def say(world: Any, name: str, *drafts: Draft) -> None:
    world.do(name, lambda s: s.ledger.append(list(drafts)))


def nothing_left_onprem(world: Any, *digests: str) -> None:
    why = set()
    for _ in range(3):
        world.sync("aws")
        why |= {(one.digest, one.site) for one in world.sync("onprem").copied.barred}
    world.meet()
    for name in ("aws", "azure"):
        for digest in digests:
            assert not world.do(name, lambda s, digest=digest: s.artifacts.holds(digest))
        assert not list((world.stores / name).glob("packs/*"))
    assert {(digest, "aws") for digest in digests} <= why


def denied(world: Any, name: str) -> str:
    with pytest.raises(PolicyDenied) as caught:
        world.do("aws", lambda s: plan_fetch(s, name))
    assert caught.value.code == "label.barred"
    return caught.value.why


@pytest.mark.parametrize("strategy", ["canary", "rolling"])
def test_no_release_is_planned_where_the_labels_of_its_model_forbid_it(
    world: Any, strategy: Any
) -> None:
    """By its package, or by what vouches for it; refused before anybody is asked."""
    assert release_refused(world, strategy, "aws", "azure") == {
        ("aws", "residency=EU: the site has no jurisdiction"),
        ("azure", "residency=EU: the site has no jurisdiction"),
    }


def test_no_release_is_planned_where_no_store_may_carry_its_model(world: Any) -> None:
    """The site may have it, and shares its store with one that may not."""
    file = world.root / "freehold.yaml"
    file.write_text(file.read_text().replace('/aws"}', '/azure"}\n    jurisdiction: EU'))
    assert release_refused(world, "canary", "aws") == {
        ("aws", "on the way from onprem to aws: azure: residency=EU: the site has no jurisdiction"),
    }


def release_refused(world: Any, strategy: Any, *sites: str) -> set[tuple[str, str]]:
    """Where and why, of a version made of European data at onprem; nothing is recorded."""
    table, package = put(world, TABLE), put(world, b"a model of people")
    judged = {
        "model": "m",
        "version": 1,
        "allowed": True,
        "rules": [],
        "policy": "sha256:0",
        "attestations": {},
    }
    say(world, "onprem", *made("r1", "load", table, EU), *made("r1", "fit", package, {}, table))
    say(world, "onprem", registered("r1", package), Draft("model.judged", judged))
    before = world.do("onprem", lambda s: s.ledger.logs()[0].size)
    with pytest.raises(PolicyDenied) as caught:
        world.do("onprem", lambda s: plan_release(s, "m@1", strategy, sites))
    assert caught.value.code == "label.barred"
    assert world.do("onprem", lambda s: s.ledger.logs()[0].size) == before
    return {(one.where, one.what) for one in caught.value.faults}


def test_a_second_mention_without_labels_takes_none_away(world: Any) -> None:
    digest = put(world, TABLE)
    say(world, "onprem", *made("r1", "load", digest, EU))
    say(world, "aws", *made("r2", "load", digest, {}), wanted("aws", digest))
    nothing_left_onprem(world, digest)
    assert denied(world, "r2") == "residency=EU: the site has no jurisdiction"


def test_a_version_of_another_run_takes_none_away(world: Any) -> None:
    digest = put(world, TABLE)
    say(world, "onprem", *made("r1", "load", digest, EU))
    mine = made("r2", "x", "sha256:" + "e" * 64, {})
    say(world, "aws", *mine, registered("r2", digest), wanted("aws", digest))
    nothing_left_onprem(world, digest)


def test_a_version_bears_what_its_run_read(world: Any) -> None:
    table, package, score = put(world, TABLE), put(world, b"a package"), put(world, b"a score")
    say(world, "onprem", *made("r1", "load", table, EU), *made("r2", "fit", score, {}, table))
    say(world, "onprem", registered("r2", package), wanted("aws", package))
    nothing_left_onprem(world, package)


def test_a_version_of_a_run_that_nobody_knows_stays(world: Any) -> None:
    package = put(world, b"a package")
    say(world, "onprem", registered("r9", package), wanted("aws", package))
    nothing_left_onprem(world, package)
    assert denied(world, "m@1") == "run r9 is not known here"


def test_a_part_of_a_request_log_goes_to_nobody_who_asks(world: Any) -> None:
    """Its rows are what people were judged by, and no step has said what they bear."""
    part = put(world, b"rows of a request log")
    body = {"model": "m", "digest": part, "file": "1.parquet", "rows": 1, "first": 0, "last": 0}
    say(world, "onprem", Draft("log.recorded", body), wanted("aws", part))
    for _ in range(3):
        world.sync("aws")
        world.sync("onprem")
    world.meet()
    for name in ("aws", "azure"):
        assert not world.do(name, lambda s: s.artifacts.holds(part))
        assert not list((world.stores / name).glob("packs/*"))


def test_what_was_made_of_two_places_goes_to_neither(world: Any) -> None:
    file = world.root / "freehold.yaml"
    file.write_text(file.read_text().replace('/aws"}', '/aws"}\n    jurisdiction: US'))
    table, other, package = put(world, TABLE), put(world, b"another"), put(world, b"a package")
    say(world, "onprem", *made("r", "a", table, EU), *made("r", "b", other, {"residency": "US"}))
    say(world, "onprem", registered("r", package), wanted("aws", package))
    nothing_left_onprem(world, package)
    for name in ("r", "m@1"):
        assert denied(world, name) == "residency=EU: the site's jurisdiction is US"


def test_what_no_label_keeps_goes_on_travelling(world: Any) -> None:
    package, score = put(world, b"a package"), put(world, b"a score")
    say(world, "onprem", *made("r", "fit", score, {}), registered("r", package))
    say(world, "onprem", wanted("aws", package))
    world.meet()
    assert world.do("aws", lambda s: s.artifacts.holds(package))


def test_labels_that_came_true_are_no_labels_of_data(world: Any) -> None:
    labels, package = put(world, b"what came true"), put(world, b"a package")
    body = {"model": "m", "artifact": labels, "rows": 5, "first": 1, "last": 2}
    say(world, "onprem", *made("r", "fit", package, {}), Draft("labels.added", body))
    say(world, "onprem", wanted("aws", package))
    world.meet()
    assert world.do("aws", lambda s: s.artifacts.holds(package))
    assert world.do("aws", lambda s: Labelled(s.state).of([labels, package])) == {}


def test_an_attachment_that_another_asks_for_stays(world: Any) -> None:
    def fail(site: Site) -> str:
        name = site.attachments.put(b"Traceback: ada is 36")
        body = {"run": "r", "step": "s", "function": "m:f", "attempt": 1, "code": "step.failed"}
        site.ledger.append([Draft("step.failed", {**body, "attachment": name})])
        return name

    traceback = world.do("onprem", fail)
    work = {"work": "w", "site": "aws", "pipeline": "p", "parameters": {}}
    forged = Draft("work.requested", {**work, "parameters_attachment": traceback})
    say(world, "aws", forged)
    world.meet()
    key = attachment_key(traceback)
    assert world.do("onprem", lambda s: s.objects.size(key)) is not None
    assert world.do("aws", lambda s: s.objects.size(key)) is None
    assert not [path for path in world.stores.glob("*/attachments/*/*") if path.is_file()]


PIPELINE = """\
from freehold import pipeline, step


@step(labels={"residency": "EU"})
def load(who: str) -> dict[str, str]:
    return {"who": who}


@pipeline
def people(who: str = "ada") -> dict[str, str]:
    return load(who)
"""
PROJECT = """\
project: people
pipelines: {{people: "people:people"}}
site: berlin
sites:
  berlin: {{store: {{at: "file://{stores}/berlin"}}, jurisdiction: EU}}
  ohio: {{store: {{at: "file://{stores}/ohio"}}, jurisdiction: US}}
  paris: {{store: {{at: "file://{stores}/paris"}}, jurisdiction: EU}}
"""


class Watched(Places):
    """Where processes start, as far as they are let."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def start(
        self, site: str, command: Sequence[str], environment: Mapping[str, str]
    ) -> "Popen[str]":
        self.started.append(site)
        return spawn(command, environment)

    def cut(self, site: str) -> None: ...

    def heal(self, site: str) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenProject]:
    """Its one run made data that stays in the EU."""
    root = tmp_path / "people"
    root.mkdir()
    (root / "people.py").write_text(PIPELINE)
    (root / "freehold.yaml").write_text(PROJECT.format(stores=tmp_path / "stores"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with open_site(root) as site:
        run(site, plan_run(site, "people"))
    yield read_project(root)
    sys.modules.pop("people", None)


@pytest.mark.parametrize(("which", "started"), [("", []), ("now", ["berlin"])])
def test_nothing_is_rebuilt_where_its_labels_forbid_it(
    people: OpenProject, which: str, started: list[str]
) -> None:
    places = Watched()
    with pytest.raises(PolicyDenied) as caught:
        rebuild_drill(people, "ohio", run=which, places=places)
    assert caught.value.code == "label.barred"
    assert caught.value.why == "residency=EU: the site's jurisdiction is US"
    assert places.started == started


def test_it_is_rebuilt_where_they_do_not(people: OpenProject) -> None:
    places = Watched()
    assert rebuild_drill(people, "paris", places=places).comparison.identical
    assert places.started == ["paris"]


def test_a_label_is_not_unsaid_by_a_later_fact_about_the_step(world: Any) -> None:
    """Whoever has seen the step may finish it again, and leave the label out."""
    labelled = {"digest": "sha256:" + "a" * 64, "format": "json", "size": 1, "labels": {"pii": ""}}
    body = {
        "run": "r",
        "step": "s",
        "function": "m:f",
        "key": "k",
        "components": {},
        "inputs": [],
        "outputs": [labelled],
        "cached": False,
        "microseconds": 1,
    }
    world.do("onprem", lambda s: s.ledger.append([Draft("step.finished", body)]))
    world.meet()
    bare = {**body, "outputs": [{**labelled, "labels": {}}]}
    for again in (bare, {**bare, "run": "other"}):
        world.do("aws", lambda s, again=again: s.ledger.append([Draft("step.finished", again)]))
    world.meet()
    for name in ("onprem", "aws", "azure"):
        found = world.do(name, lambda s: Labelled(s.state))
        assert found.of([labelled["digest"]]) == {"pii": ""}
        assert found.of_run("r") == {"pii": ""}
