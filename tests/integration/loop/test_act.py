"""What is approved is carried out once: retrained, judged, released, wherever it was interrupted.

A project of 500 rows trains in a tenth of a second; its file `mode` says what becomes of it.
"""

import contextlib
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightgbm
import pytest

import freehold
from freehold.app.audit.verify import audit
from freehold.app.costs.budgets import answer_request, budgets
from freehold.app.costs.tariff import Tariff
from freehold.app.loop import act as acting
from freehold.app.loop.act import act
from freehold.app.loop.proposals import approve, find_proposal, reject
from freehold.app.model import register as registering
from freehold.app.model.price import price_of
from freehold.app.release import release as releasing
from freehold.app.release.orders import roll_back
from freehold.app.release.release import plan_release, release
from freehold.app.run import run as running
from freehold.app.run.plan import plan_run
from freehold.app.site.opening import open_site
from freehold.cli.main import run as type_command
from freehold.domain.errors import StorageFailed
from freehold.domain.fact import Draft
from freehold.domain.offer import Figure
from freehold.monitoring.proposals import Proposal, made

PROJECT = """\
project: learning
pipelines: {{train: steps:train}}
policies: policies
models: {{delay: {{pipeline: train, retrain: {{until: today}}}}}}
endpoint: {{model: delay, port: 0}}
monitoring: {{act: {act}}}
"""
STEPS = """\
from datetime import date
from pathlib import Path

import lightgbm
import numpy as np
import polars as pl

from freehold import Candidate, Columns, pipeline, step

MODE = Path(__file__).parent / "mode"


@step(cache=False)
def rows(until: date, seed: int) -> pl.DataFrame:
    mode = MODE.read_text()
    if mode == "raises":
        raise ValueError("there is nothing to learn from")
    chance = np.random.default_rng(until.toordinal() + seed)
    distance = chance.normal(0, 2, 500)
    late = chance.random(500) < 1 / (1 + np.exp(-distance))
    if mode == "noise" and seed == 0:
        late = chance.permutation(late)
    return pl.DataFrame({"distance": distance, "late": late.astype(int)})


@step
def columns(training: pl.DataFrame) -> Columns:
    return Columns.fit(training, ["distance"])


@step
def fit(training: pl.DataFrame, columns: Columns) -> lightgbm.Booster:
    known = lightgbm.Dataset(columns.matrix(training), label=training["late"].to_numpy())
    fixed = {"objective": "binary", "verbosity": -1, "num_threads": 1, "deterministic": True}
    return lightgbm.train(fixed, known, num_boost_round=5)


@pipeline
def train(until: date = date(2024, 1, 1)) -> Candidate:
    training = rows(until, 0)
    inputs = columns(training)
    return Candidate(
        model=fit(training, inputs),
        columns=inputs,
        training=training,
        evaluation=rows(until, 1),
        target="late",
    )
"""
DAY = "2024-01-14"
NAME = f"delay/{DAY}"


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours catches it."""


def write_project(folder: Path, act: str) -> None:
    (folder / "freehold.yaml").write_text(PROJECT.format(act=act))


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, world: Any) -> Iterator[Path]:
    """Its first version is the champion."""
    folder = tmp_path_factory.mktemp("act") / "learning"
    blank = Path(freehold.__file__).parent / "templates" / "blank"
    shutil.copytree(blank / "policies", folder / "policies")
    limits = folder / "policies" / "limits.json"
    value = json.loads(limits.read_text())
    value["limits"]["evidence"]["minimum_rows"] = 300
    value["limits"]["champion"]["tolerance"] = 0.1
    limits.write_text(json.dumps(value))
    write_project(folder, "approve")
    (folder / "steps.py").write_text(STEPS)
    (folder / "mode").write_text("good")
    path = list(sys.path)
    clock = world.Clock()

    def ticking() -> int:
        """So that steps take time."""
        clock.pass_seconds()
        return int(clock())

    with open_site(folder, ticking) as site:
        version = running.run(site, plan_run(site)).version
        assert version is not None and version.allowed, version
        release(site, plan_release(site, "delay@1"))
    yield folder
    sys.path[:] = path


@pytest.fixture
def retrained(learned: Path, tmp_path: Path, world: Any) -> Iterator[Any]:
    """A copy of the site; `propose` puts a proposal into its history."""
    folder = shutil.copytree(learned, tmp_path / "learning")
    clock = world.Clock()
    clock.pass_seconds(600)
    with open_site(folder, clock) as site:
        yield world.Loop(site, clock)


def automatic(loop: Any) -> None:
    write_project(loop.site.project.root, "automatic")


def mode(loop: Any, name: str) -> None:
    (loop.site.project.root / "mode").write_text(name)


def propose(loop: Any, day: str = DAY) -> None:
    loop.site.ledger.append([made(Proposal(f"delay/{day}", "delay", 1, day, ()))])


def standing(loop: Any) -> str:
    return find_proposal(loop.site, NAME).standing


def since_the_proposal(loop: Any) -> list[dict[str, Any]]:
    facts: list[dict[str, Any]] = loop.facts()
    begin = next(n for n, fact in enumerate(facts) if fact["type"] == "proposal.made")
    return facts[begin:]


def test_a_proposal_waits_for_a_persons_word(retrained: Any) -> None:
    propose(retrained)
    before = retrained.count()
    assert retrained.turn().acted is None
    assert (retrained.count(), standing(retrained)) == (before, "made")


def test_approve_carries_it_out(retrained: Any) -> None:
    """Approved by a person, run by the approval, registered by the run, released by the verdict."""
    propose(retrained)
    root = retrained.site.project.root
    out = io.StringIO()
    with (
        contextlib.chdir(root),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        code = type_command(["approve", NAME, "--yes", "--json"])
    assert code == 0
    said = json.loads(out.getvalue())
    assert (said["standing"], said["made_version"]) == ("done", 2)
    facts = {fact["type"]: fact for fact in since_the_proposal(retrained)}
    person = retrained.site.people.me()
    assert facts["proposal.approved"]["actor"] == person
    assert facts["proposal.approved"]["cause"] == [facts["proposal.made"]["name"]]
    assert facts["run.started"]["cause"] == [
        facts["proposal.approved"]["name"],
        facts["plan.applied"]["name"],
    ]
    assert facts["run.started"]["body"]["parameters"] == {"until": DAY}
    assert facts["model.registered"]["cause"] == [facts["run.started"]["name"]]
    started = facts["release.started"]
    assert started["cause"] == [facts["model.judged"]["name"], facts["model.registered"]["name"]]
    assert facts["proposal.done"]["cause"] == [facts["proposal.approved"]["name"]]
    assert retrained.shares() == {1: 95.0, 2: 5.0}


def test_the_project_may_approve_by_itself(retrained: Any, world: Any) -> None:
    propose(retrained)
    automatic(retrained)
    with open_site(retrained.site.project.root, retrained.clock) as site:
        loop = world.Loop(site, retrained.clock)
        acted = loop.turn().acted
        assert (acted.version.version, acted.release.weight) == (2, 5)
        (approved,) = loop.facts("proposal.approved")
        assert approved["actor"] == "policy"
        assert standing(loop) == "done"
        assert "delay@2 begins at 5 % of the traffic" in loop.told
        before = loop.count()
        assert loop.turn().acted is None
        assert loop.count() == before


def test_while_a_release_runs_nothing_is_done(retrained: Any) -> None:
    site = retrained.site
    running.run(site, plan_run(site, values={"until": "2024-01-02"}))
    retrained.release(2)
    propose(retrained)
    approve(site, NAME)
    before = retrained.count()
    assert retrained.turn().acted is None
    assert (retrained.count(), standing(retrained)) == (before, "approved")
    roll_back(site, "delay")
    assert retrained.turn().acted.version.version == 3
    assert standing(retrained) == "done"


def test_a_rejected_proposal_is_not_carried_out(retrained: Any) -> None:
    propose(retrained)
    reject(retrained.site, NAME)
    assert retrained.turn().acted is None
    assert retrained.facts("run.started")[1:] == []


def test_the_oldest_that_is_approved_is_carried_out_first(retrained: Any) -> None:
    propose(retrained, "2024-01-13")
    propose(retrained)
    approve(retrained.site, NAME)
    assert retrained.turn().acted.proposal.name == NAME
    assert find_proposal(retrained.site, "delay/2024-01-13").standing == "made"


def test_a_retraining_that_raises_ends_the_proposal_as_failed_once(retrained: Any) -> None:
    mode(retrained, "raises")
    propose(retrained)
    approve(retrained.site, NAME)
    acted = retrained.turn().acted
    assert (acted.version, acted.release, acted.proposal.standing) == (None, None, "failed")
    (failed,) = retrained.facts("proposal.failed")
    assert failed["body"]["code"] == "step.raised"
    assert "retraining delay failed: [step.raised]" in retrained.told[-1]
    before = retrained.count()
    mode(retrained, "good")
    assert retrained.turn().acted is None
    assert retrained.count() == before
    assert retrained.aliases() == {"champion": 1}


def test_a_version_that_policy_denies_ends_it_as_done_without_a_release(retrained: Any) -> None:
    mode(retrained, "noise")
    propose(retrained)
    approve(retrained.site, NAME)
    acted = retrained.turn().acted
    assert acted.release is None
    assert acted.version.denials
    assert "delay@2 was denied by " in retrained.told[-1]
    assert retrained.facts("proposal.done")[0]["body"]["made_version"] == 2
    assert retrained.shares() == {1: 100.0}
    before = retrained.count()
    assert retrained.turn().acted is None
    assert retrained.count() == before


INTERRUPTIONS = {
    "before the run": (acting, "run"),
    "between the run and its registration": (running, "register"),
    "in the middle of registering": (registering, "_contents"),
    "between registration and verdict": (registering, "judge"),
    "between verdict and release": (acting, "plan_release"),
    "between the release and its table": (releasing, "publish"),
}


def kill_at(monkeypatch: pytest.MonkeyPatch, place: Any, name: str) -> None:
    def end(*_: Any, **__: Any) -> None:
        raise Killed

    monkeypatch.setattr(place, name, end)


@pytest.mark.parametrize(("place", "name"), INTERRUPTIONS.values(), ids=INTERRUPTIONS.keys())
def test_killed_and_gone_on_with_nothing_is_made_twice(
    retrained: Any, monkeypatch: pytest.MonkeyPatch, place: Any, name: str
) -> None:
    propose(retrained)
    approve(retrained.site, NAME)
    with monkeypatch.context() as patch:
        kill_at(patch, place, name)
        with pytest.raises(Killed):
            retrained.turn()
    retrained.turn()
    kinds = [fact["type"] for fact in since_the_proposal(retrained)]
    for kind in ("run.started", "model.registered", "model.judged", "release.started"):
        assert kinds.count(kind) == 1, kind
    assert [kind for kind in kinds if kind.startswith("proposal.")] == [
        *("proposal.made", "proposal.approved", "proposal.done"),
    ]
    found = find_proposal(retrained.site, NAME)
    assert (found.standing, found.made_version) == ("done", 2)
    assert retrained.shares() == {1: 95.0, 2: 5.0}
    assert audit(retrained.site).history.holds
    before = retrained.count()
    assert retrained.turn().acted is None
    assert retrained.count() == before


def test_killed_in_a_step_it_is_gone_on_with(
    retrained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the other steps made before is kept."""
    propose(retrained)
    approve(retrained.site, NAME)
    with monkeypatch.context() as patch:
        kill_at(patch, lightgbm, "train")
        with pytest.raises(Killed):
            retrained.turn()
    assert standing(retrained) == "approved"
    retrained.turn()
    kinds = [fact["type"] for fact in since_the_proposal(retrained)]
    assert (kinds.count("run.started"), kinds.count("model.registered")) == (1, 1)
    assert standing(retrained) == "done"


def test_killed_after_a_denial_it_ends_as_done(
    retrained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode(retrained, "noise")
    propose(retrained)
    approve(retrained.site, NAME)
    with monkeypatch.context() as patch:
        kill_at(patch, acting, "settle")
        with pytest.raises(Killed):
            retrained.turn()
    retrained.turn()
    kinds = [fact["type"] for fact in since_the_proposal(retrained)]
    assert [kinds.count(kind) for kind in ("model.registered", "proposal.done")] == [1, 1]
    assert "release.started" not in kinds


def test_killed_before_a_failure_is_noted_it_fails_once(
    retrained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode(retrained, "raises")
    propose(retrained)
    approve(retrained.site, NAME)
    with monkeypatch.context() as patch:
        kill_at(patch, acting, "settle")
        with pytest.raises(Killed):
            retrained.turn()
    assert standing(retrained) == "approved"
    retrained.turn()
    kinds = [fact["type"] for fact in since_the_proposal(retrained)]
    assert (kinds.count("proposal.failed"), kinds.count("run.started")) == (1, 1)


def test_a_run_that_a_person_goes_on_with_meanwhile_is_waited_for(
    retrained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process drives it: that is no failure of the retraining."""
    propose(retrained)
    approve(retrained.site, NAME)
    with monkeypatch.context() as patch:
        kill_at(patch, running, "register")
        with pytest.raises(Killed):
            retrained.turn()
    held = retrained.site.locks.take("register delay")
    assert held is not None
    assert act(retrained.site, "delay", retrained.told.append) is None
    assert standing(retrained) == "approved"
    held.release()
    assert retrained.turn().acted.version.version == 2


def test_a_release_that_a_person_began_during_the_retraining_is_waited_for(
    retrained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = retrained.site
    running.run(site, plan_run(site, values={"until": "2024-01-02"}))
    propose(retrained)
    approve(site, NAME)
    plan: Callable[..., Any] = acting.plan_release

    def begun_meanwhile(site: Any, name: str) -> Any:
        monkeypatch.undo()
        retrained.release(2)
        return plan(site, name)

    monkeypatch.setattr(acting, "plan_release", begun_meanwhile)
    assert retrained.turn().acted is None
    assert standing(retrained) == "approved"
    roll_back(site, "delay")
    acted = retrained.turn().acted
    assert (acted.version.version, acted.release.version) == (3, 3)
    assert len(retrained.facts("model.registered")) == 3


def test_a_table_that_cannot_be_written_takes_nothing_back(
    retrained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The release stands and the proposal is done; the next turn writes the table."""
    propose(retrained)
    approve(retrained.site, NAME)

    def full(*_: Any) -> None:
        raise StorageFailed("the serving folder could not be written", why="no space left")

    with monkeypatch.context() as patch:
        patch.setattr(releasing, "publish", full)
        with pytest.raises(StorageFailed):
            retrained.turn()
    assert standing(retrained) == "done"
    assert retrained.facts("proposal.failed") == []
    retrained.turn()
    assert retrained.shares() == {1: 95.0, 2: 5.0}


def budget(loop: Any, text: str) -> None:
    file = loop.site.project.root / "freehold.yaml"
    file.write_text(file.read_text() + f"budgets: {{month: {text}}}\n")


def spent(loop: Any, money: float) -> None:
    """This month, by what was metered."""
    row = {
        **dict.fromkeys(("model", "version", "pipeline", "run"), ""),
        "day": "2026-01-03",
        "site": "local",
        "kind": "step",
        "currency": "USD",
        "money": money,
        "carbon": None,
        "rows": 1,
        "unpriced": 0,
    }
    body = {
        "until": loop.clock.now,
        "rows": 1,
        "spent": [row],
        "tags": {},
        "storage": {},
        "replicas": {},
        "moved": {},
    }
    loop.site.ledger.append([Draft("usage.metered", body)])


def test_a_loop_does_not_retrain_past_its_budget(retrained: Any, world: Any) -> None:
    """Refused before anything runs, and told: the proposal's end and a signal are facts."""
    spent(retrained, 12.0)
    propose(retrained)
    automatic(retrained)
    budget(retrained, "{limit: 10}")
    with open_site(retrained.site.project.root, retrained.clock) as site:
        loop = world.Loop(site, retrained.clock)
        acted = loop.turn().acted
        assert acted is not None and acted.version is None
        assert standing(loop) == "failed"
        types = [fact["type"] for fact in since_the_proposal(loop)]
        assert "run.started" not in types and "plan.applied" not in types
        (failed,) = loop.facts("proposal.failed")
        assert failed["body"]["code"] == "budget.exceeded"
        (signal,) = loop.facts("signal.raised")
        assert (signal["body"]["kind"], signal["body"]["value"]) == ("budget-refused", 12.0)
        assert any("budget.exceeded" in line for line in loop.told)


def test_a_loop_waits_for_a_persons_word_about_money(retrained: Any, world: Any) -> None:
    spent(retrained, 12.0)
    propose(retrained)
    automatic(retrained)
    budget(retrained, "{limit: 10, then: approve}")
    with open_site(retrained.site.project.root, retrained.clock) as site:
        loop = world.Loop(site, retrained.clock)
        for _ in range(2):
            assert loop.turn().acted is None
        assert standing(loop) == "approved" and len(loop.facts("budget.asked")) == 1
        (asked,) = budgets(site)["requests"]
        answer_request(site, asked["request"], "approved")
        acted = loop.turn().acted
        assert acted is not None and acted.version is not None and acted.version.version == 2


def test_what_answers_cost_is_measured_where_the_price_is_known(retrained: Any) -> None:
    site = retrained.site
    finished = running.run(site, plan_run(site, "", {"until": "2024-01-07"}))
    version, candidate = finished.version, finished.outcome.result
    assert version is not None
    assert price_of(site, version, candidate) is None
    judged = retrained.facts("model.judged")[-1]
    assert judged["body"]["cost"] is None
    priced = Tariff(price_of=lambda *_: Figure(3.6, "USD/h", "the test"))
    cost = price_of(site, version, candidate, priced)
    assert cost is not None and cost["currency"] == "USD"
    assert cost["training"] is None, "what was metered then had no price"
    assert 0 < cost["per_thousand_predictions"] < 3.6
    assert 0 < cost["champion_per_thousand_predictions"] < 3.6


def dirty_until_six(loop: Any) -> None:
    """Its power is clean from six in the morning on, and it may wait twelve hours."""
    root = loop.site.project.root
    loop.site.close()
    (root / ".freehold").rename(root / "moved")
    (root / ".freehold/sites").mkdir(parents=True)
    (root / "moved").rename(root / ".freehold/sites/local")
    grams = [400.0] * 6 + [20.0] * 18
    file = root / "freehold.yaml"
    file.write_text(
        file.read_text()
        + "placement: {minimise: carbon, deadline_hours: 12}\n"
        + f"sites: {{local: {{store: {{at: 'file://{root}/store'}}, carbon_hours: {grams},"
        + " machines: {box: {cpus: 8, memory: 32 GiB, owned:"
        + " {purchase: 9000, years: 4, watts: 450, kwh_price: 0.28, utilisation: 0.4}}}}}\n"
    )


def hour_of_the_retraining(loop: Any) -> float:
    wall: int = loop.facts("run.started")[-1]["time"]["wall"]
    return wall / 3_600_000_000 % 24


def test_what_the_project_approves_itself_waits_for_cleaner_power(
    retrained: Any, world: Any
) -> None:
    propose(retrained)
    automatic(retrained)
    dirty_until_six(retrained)
    with open_site(retrained.site.project.root, retrained.clock) as site:
        loop = world.Loop(site, retrained.clock)
        while loop.turn().acted is None:
            assert standing(loop) == "approved"
            loop.clock.pass_seconds(1800)
        assert 6 <= hour_of_the_retraining(loop) < 7
        waits = [line for line in loop.told if "for cleaner power" in line]
        assert len(waits) == 1


def test_the_deadline_counts_from_the_approval(retrained: Any, world: Any) -> None:
    """A loop that was away over the clean hours begins when it is back, in time or too late."""
    propose(retrained)
    automatic(retrained)
    dirty_until_six(retrained)
    with open_site(retrained.site.project.root, retrained.clock) as site:
        loop = world.Loop(site, retrained.clock)
        assert loop.turn().acted is None
        loop.clock.pass_seconds(26 * 3600)
        assert loop.turn().acted is not None


def test_what_a_person_approves_does_not_wait(retrained: Any, world: Any) -> None:
    propose(retrained)
    dirty_until_six(retrained)
    with open_site(retrained.site.project.root, retrained.clock) as site:
        loop = world.Loop(site, retrained.clock)
        approve(site, NAME)
        assert loop.turn().acted is not None
