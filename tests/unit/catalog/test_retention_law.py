"""Random histories, folded by the real projections, against the law read from the facts alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.adapters.keys.signer import FileSigner
from freehold.adapters.memory.ledger import MemoryLedger
from freehold.adapters.memory.object_store import MemoryObjectStore
from freehold.app.site.opening import PROJECTIONS
from freehold.catalog.retention.judgement import Docket, StoredObject, judge
from freehold.catalog.retention.law import Circumstances
from freehold.catalog.retention.references import standings
from freehold.catalog.retention.runs import open_runs
from freehold.domain.artifact import object_key
from freehold.domain.fact import Draft
from freehold.domain.project import ReleaseSpec, RetentionSpec
from freehold.domain.projection import State
from freehold.domain.release import settings_as_json
from freehold.ports.signer import Signer

SITE, MODELS = "here", ("delay", "fraud")
PIPELINES = {"delay": "train", "fraud": "detect"}
HOUR, DAY = 3_600_000_000, 86_400_000_000
BEGIN = 20_000 * DAY
WINDOW = 7
SPEC = RetentionSpec(runs_days=30, versions=2, reports_days=60, logs_days=45, grace_hours=24)


def digest(name: object) -> str:
    return "sha256:" + sha256(str(name).encode()).hexdigest()


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return FileSigner.create(tmp_path_factory.mktemp("key") / "site.key")


@dataclass
class World:
    """A site that does what sites do, one fact after the other, and remembers each."""

    signer: Signer
    now: int = BEGIN
    facts: list[tuple[int, str, Mapping[str, Any], str]] = field(default_factory=list)
    """Wall time, type, body, name."""
    noted: dict[str, int] = field(default_factory=dict)
    driven: set[str] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        self.store = MemoryObjectStore()
        self.ledger = MemoryLedger(
            writer=f"{SITE}-00000000",
            signer=self.signer,
            clock=lambda: self.now,
            projections=PROJECTIONS,
        )

    @property
    def state(self) -> State:
        return self.ledger.state

    def tell(self, kind: str, body: dict[str, Any], version: int = 1) -> None:
        (entry,) = self.ledger.append([Draft(kind, body, version)])
        self.facts.append((entry.fact.time.wall, kind, body, entry.fact.name))
        self.now += 1

    def put(self, name: object) -> str:
        made = digest(name)
        self.store.put(object_key(made), b"x" * 10)
        return made

    def new(self) -> int:
        self.count += 1
        return self.count

    def asked(self) -> Circumstances:
        return Circumstances(
            site=SITE,
            settings=SPEC,
            now=self.now,
            pipelines=frozenset(PIPELINES.values()),
            window_days=WINDOW,
            driven=frozenset(self.driven),
            unread=self.unread,
        )

    def collect(self) -> None:
        """One pass of the law over the store; what it has noted is kept for the next."""
        asked = self.asked()
        docket = Docket(
            standings=standings(self.state, asked),
            noted=self.noted,
            now=self.now,
            grace_hours=SPEC.grace_hours,
            open_since=open_runs(self.state, asked),
        )
        keys = list(self.store.keys())
        judged = list(judge([StoredObject(key, 10) for key in keys], docket))
        self.noted = {one.key: one.noted for one in judged if one.noted is not None}
        for one in judged:
            if one.verdict == "goes":
                self.store.delete(one.key)
                del self.noted[one.key]

    def bodies(self, kind: str) -> list[Mapping[str, Any]]:
        return [body for _, told, body, _ in self.facts if told == kind]


def run(world: World, draw: Any) -> None:
    """A run that ends well, ends badly, or goes on."""
    pipeline = draw(st.sampled_from((*PIPELINES.values(), "report")))
    name = f"run-{world.new()}"
    body = {
        "environment": "lock",
        "parameters": {},
        "parameters_attachment": "",
        "pipeline": pipeline,
        "run": name,
        "steps": 2,
    }
    world.tell("run.started", body, 2)
    before: list[str] = []
    save(world, name, draw(st.integers(0, 5)))
    for step in ("load", "fit")[: draw(st.integers(0, 2))]:
        made = world.put(("output", draw(st.integers(0, 6))))
        world.tell(
            "step.finished",
            {
                "cached": draw(st.booleans()),
                "components": {},
                "function": f"steps:{step}",
                "inputs": before,
                "key": digest(("key", draw(st.integers(0, 4)))),
                "microseconds": 1,
                "outputs": [{"digest": made, "format": "json", "labels": {}, "size": 10}],
                "run": name,
                "step": step,
            },
        )
        before = [made]
    ends = draw(st.sampled_from(("finished", "finished", "failed", "goes on", "was killed")))
    if ends in ("finished", "failed"):
        world.tell("run.finished", {"run": name, "status": ends})
    elif ends == "goes on":
        world.driven.add(name)


def save(world: World, name: str, times: int) -> None:
    """Checkpoints of a step of the run."""
    for number in range(1, times + 1):
        world.tell(
            "step.checkpointed",
            {
                "artifact": world.put(("checkpoint", name, number)),
                "format": "bytes",
                "key": digest("key"),
                "labels": {},
                "number": number,
                "run": name,
                "size": 10,
                "step": "fit",
            },
        )


def newest_checkpoints(world: World) -> Iterator[tuple[str, str]]:
    """Run and digest, of the three that count."""
    told = world.bodies("step.checkpointed")
    last = {body["run"]: body["number"] for body in told}
    for body in told:
        if body["number"] > last[body["run"]] - 3:
            yield body["run"], body["artifact"]


def register(world: World, draw: Any) -> None:
    model = draw(st.sampled_from(MODELS))
    runs = [b["run"] for b in world.bodies("run.started") if b["pipeline"] == PIPELINES[model]]
    if not runs:
        return
    mine = [body for body in world.bodies("model.registered") if body["model"] == model]
    number = len(mine) + 1
    world.tell(
        "model.registered",
        {
            "model": model,
            "version": number,
            "run": draw(st.sampled_from(runs)),
            "package": {"digest": world.put(("package", model, number // 2)), "size": 10},
            "attestations": {"evidence": world.put(("evidence", world.new()))},
            "headline": {},
            "champion": None,
            "rows": {"training": 1, "evaluation": 1},
        },
    )
    if draw(st.booleans()):
        judged = {"model": model, "version": number, "allowed": True, "rules": [], "policy": "x"}
        more = {"verdict.json": world.put(("verdict", world.new()))}
        world.tell("model.judged", {**judged, "attestations": more})


def champion(world: World, model: str, alias: str = "champion") -> int | None:
    moved = [b for b in world.bodies("alias.moved") if (b["model"], b["alias"]) == (model, alias)]
    return moved[-1]["version"] if moved else None


def running(world: World, model: str) -> Mapping[str, Any] | None:
    ended = {
        body["release"]
        for kind in ("release.completed", "release.rolled-back")
        for body in world.bodies(kind)
    }
    of_model = [body for body in world.bodies("release.started") if body["model"] == model]
    return next((body for body in of_model if body["release"] not in ended), None)


def move(world: World, release: Mapping[str, Any], alias: str, version: int | None) -> None:
    about = {"model": release["model"], "release": release["release"], "previous": None}
    world.tell("alias.moved", {**about, "alias": alias, "version": version})


def release(world: World, draw: Any) -> None:
    """Begin one, or end the one that runs."""
    model = draw(st.sampled_from(MODELS))
    begun, previous = running(world, model), champion(world, model)
    if begun is not None:
        about = {name: begun[name] for name in ("release", "model", "version")}
        if draw(st.booleans()):
            world.tell("release.completed", {**about, "rows": 1})
            move(world, begun, "champion", begun["version"])
        else:
            figures = {"guardrail": "errors", "value": 1.0, "limit": 0.5, "rows": 1}
            world.tell("release.rolled-back", {**about, **figures})
        move(world, begun, "challenger", None)
        return
    undone = {(b["model"], b["version"]) for b in world.bodies("release.rolled-back")}
    versions = [
        body["version"]
        for body in world.bodies("model.registered")
        if body["model"] == model and (model, body["version"]) not in undone
    ]
    if not versions:
        return
    version = draw(st.sampled_from(versions))
    if version == previous:
        return
    body = {
        "release": f"{model}/{world.new()}",
        "model": model,
        "version": version,
        "previous": previous,
        "strategy": "immediate" if previous is None else "canary",
        "settings": settings_as_json(ReleaseSpec(), "canary"),
        "sites": [SITE],
    }
    world.tell("release.started", body, 2)
    if previous is None:
        about = {name: body[name] for name in ("release", "model", "version")}
        world.tell("release.completed", {**about, "rows": 0})
        move(world, body, "champion", version)
    else:
        move(world, body, "challenger", version)


def traffic(world: World, draw: Any) -> None:
    """Labels, a report, a part of the log: each about a model."""
    model = draw(st.sampled_from(MODELS))
    asked = world.now - draw(st.integers(0, 100)) * DAY
    about = {"model": model, "rows": 1, "first": asked, "last": asked}
    kind = draw(st.sampled_from(("labels", "log", "contract", "monitoring", "usage", "bill")))
    if kind == "labels":
        made = world.put(("labels", draw(st.integers(0, 3))))
        world.tell("labels.added", {**about, "artifact": made})
    elif kind == "log":
        part = {"file": f"part-{world.new()}.parquet", "digest": digest("part")}
        world.tell("log.recorded", {**about, **part, "answered": world.now})
    elif kind == "contract":
        body = {
            "artifact": digest(("output", draw(st.integers(0, 6)))),
            "contract": digest("contract"),
            "passed": True,
            "report": world.put(("report", world.new())),
            "rows": 1,
        }
        world.tell("contract.checked", body, 2)
    elif kind in ("usage", "bill"):
        spending(world, kind, asked, draw(st.integers(0, 3)))
    else:
        report = world.put(("report", world.new()))
        figures = dict.fromkeys(("score_psi", "auc"))
        days = {"window_start": "2024-01-01", "window_end": f"2024-01-{1 + world.count % 28:02d}"}
        body = {"model": model, "version": 1, "rows": 1, "labelled": 0, "features": {}}
        world.tell("monitoring.assessed", {**body, **days, **figures, "report": report})


def spending(world: World, kind: str, asked: int, month: int) -> None:
    """Metered usage; or a bill, which takes the place of an earlier one of its month."""
    part = {"artifact": world.put((kind, world.new())), "rows": 1, "first": asked, "last": asked}
    if kind == "usage":
        world.tell("usage.recorded", {**part, "kind": "step", "site": SITE})
        return
    about = {"provider": "AWS", "account": "1", "period": f"month {month}", "currency": "USD"}
    world.tell("bill.imported", {**part, **about, "digest": digest("bytes"), "replaces": ""})


def hold(world: World, draw: Any) -> None:
    released = {body["hold"] for body in world.bodies("hold.released")}
    standing = [b["hold"] for b in world.bodies("hold.placed") if b["hold"] not in released]
    if standing and draw(st.booleans()):
        world.tell("hold.released", {"hold": draw(st.sampled_from(standing))})
        return
    registered = [f"{b['model']}@{b['version']}" for b in world.bodies("model.registered")]
    names = {
        "version": registered,
        "run": [body["run"] for body in world.bodies("run.started")],
        "digest": [digest(("output", 0)), digest(("package", "delay", 1)), digest("stray 1")],
    }
    kind = draw(st.sampled_from(sorted(names)))
    if names[kind]:
        name = draw(st.sampled_from(names[kind]))
        world.tell(
            "hold.placed", {"hold": f"hold-{world.new()}", "kind": kind, "name": name, "reason": ""}
        )


def stray(world: World, draw: Any) -> None:
    """An object that no fact names, or only one of a type from the future."""
    name = f"stray {draw(st.integers(0, 5))}"
    made = world.put(name)
    if draw(st.integers(0, 3)) == 0:
        world.tell("moon.landed", {"flag": made})
        world.unread[made] = "moon"


def end(world: World, draw: Any) -> None:
    """A run that was going on ends."""
    if world.driven:
        name = draw(st.sampled_from(sorted(world.driven)))
        world.driven.discard(name)
        world.tell("run.finished", {"run": name, "status": "finished"})


def wait(world: World, draw: Any) -> None:
    world.now += draw(st.integers(0, 40)) * DAY


ACTS = (run, run, register, release, release, traffic, hold, stray, end, wait)


def live(world: World) -> set[tuple[str, int]]:
    found = set()
    for model in MODELS:
        names = {champion(world, model), champion(world, model, "challenger")} - {None}
        begun = running(world, model)
        releases = [body for body in world.bodies("release.started") if body["model"] == model]
        for body in releases:
            if body is begun or body is releases[-1]:
                names |= {body["version"], body["previous"]}
            if body["version"] in (champion(world, model), champion(world, model, "challenger")):
                names.add(body["previous"])
        found |= {(model, version) for version in names if version is not None}
    return found


def kept(world: World) -> tuple[set[str], list[int]]:
    """The law, read from the facts: digests that must stay, and when open runs began."""
    released = {body["hold"] for body in world.bodies("hold.released")}
    holds = {
        (b["kind"], b["name"]) for b in world.bodies("hold.placed") if b["hold"] not in released
    }
    stays = {name for kind, name in holds if kind == "digest"} | set(world.unread)
    registered = world.bodies("model.registered")
    newest = {
        (model, version)
        for model in MODELS
        for version in sorted(b["version"] for b in registered if b["model"] == model)[
            -SPEC.versions :
        ]
    }
    held_runs = {name for kind, name in holds if kind == "run"}
    runs, of_held = set(held_runs), set(held_runs)
    for body in registered:
        stays |= set(body["attestations"].values())
        one = (body["model"], body["version"])
        on_hold = ("version", f"{one[0]}@{one[1]}") in holds or body["run"] in held_runs
        if one in live(world) | newest or on_hold:
            stays.add(body["package"]["digest"])
            runs.add(body["run"])
        if on_hold:
            of_held.add(body["run"])
    for body in world.bodies("model.judged"):
        stays |= set(body["attestations"].values())
    opened = dict(open_now(world))
    runs |= opened.keys() | recent(world)
    for body in world.bodies("step.finished"):
        if body["run"] in runs:
            stays |= {*body["inputs"], *(output["digest"] for output in body["outputs"])}
    for run_name, artifact in newest_checkpoints(world):
        if run_name in opened or run_name in of_held:
            stays.add(artifact)
    stays |= set(documents(world, stays))
    return stays, list(opened.values())


def recent(world: World) -> set[str]:
    times = [
        (wall, body["run"])
        for wall, kind, body, _ in world.facts
        if kind in ("run.started", "run.finished")
    ]
    return {name for wall, name in times if wall >= world.now - SPEC.runs_days * DAY}


def open_now(world: World) -> Iterator[tuple[str, int]]:
    status = {body["run"]: body["status"] for body in world.bodies("run.finished")}
    verdicts = {(body["model"], body["version"]) for body in world.bodies("model.judged")}
    judged = {
        body["run"]
        for body in world.bodies("model.registered")
        if (body["model"], body["version"]) in verdicts
    }
    begun = [(wall, body) for wall, kind, body, _ in world.facts if kind == "run.started"]
    for place, (wall, body) in enumerate(begun):
        name, pipeline = body["run"], body["pipeline"]
        later = [b["run"] for _, b in begun[place + 1 :] if b["pipeline"] == pipeline]
        overtaken = any(status.get(other) == "finished" for other in later)
        through = status.get(name) == "finished"
        waits = not through or (pipeline in PIPELINES.values() and name not in judged)
        if name in world.driven or (waits and not overtaken):
            yield name, wall


def documents(world: World, stays: set[str]) -> Iterator[str]:
    logs = world.bodies("log.recorded")
    hold = {body["period"]: body["artifact"] for body in world.bodies("bill.imported")}
    for wall, kind, body, _ in world.facts:
        if kind == "contract.checked":
            within = wall >= world.now - SPEC.reports_days * DAY
            if within or body["artifact"] in stays:
                yield body["report"]
        elif kind == "monitoring.assessed" and wall >= world.now - SPEC.reports_days * DAY:
            yield body["report"]
        elif kind == "usage.recorded":
            yield body["artifact"]
        elif kind == "bill.imported":
            within = wall >= world.now - SPEC.reports_days * DAY
            if within or hold[body["period"]] == body["artifact"]:
                yield body["artifact"]
        elif kind == "labels.added":
            of_model = [log for log in logs if log["model"] == body["model"]]
            since = max((log["last"] for log in of_model), default=0) - (WINDOW + 2) * DAY
            begun = [
                w
                for w, k, b, _ in world.facts
                if k == "release.started" and b is running(world, body["model"])
            ]
            if begun:
                answered = [log["first"] for log in of_model if log["answered"] >= begun[0]]
                since = min([since, *answered])
            within = wall >= world.now - SPEC.logs_days * DAY
            if within or body["last"] >= since:
                yield body["artifact"]


def act(world: World, draw: Any, acts: int) -> None:
    for _ in range(acts):
        draw(st.sampled_from(ACTS))(world, draw)


def there(world: World) -> set[str]:
    return {"sha256:" + key.rpartition("/")[2] for key in world.store.keys("")}


def named(world: World) -> set[str]:
    """Digests that some fact of a known type names as something stored."""
    found = set()
    for body in world.bodies("step.finished"):
        found |= {*body["inputs"], *(output["digest"] for output in body["outputs"])}
    for body in world.bodies("model.registered"):
        found |= {body["package"]["digest"], *body["attestations"].values()}
    for body in world.bodies("model.judged"):
        found |= set(body["attestations"].values())
    for kind, name in (
        ("contract.checked", "report"),
        ("monitoring.assessed", "report"),
        ("labels.added", "artifact"),
        ("usage.recorded", "artifact"),
        ("bill.imported", "artifact"),
    ):
        found |= {body[name] for body in world.bodies(kind)}
    found |= {artifact for _, artifact in newest_checkpoints(world)}
    released = {body["hold"] for body in world.bodies("hold.released")}
    for body in world.bodies("hold.placed"):
        if body["kind"] == "digest" and body["hold"] not in released:
            found.add(body["name"])
    return found | set(world.unread)


def check(data: st.DataObject, signer: Signer, acts: int) -> None:
    world = World(signer)
    act(world, data.draw, acts)
    before, first = there(world), world.now
    stays_first, _ = kept(world)
    world.collect()
    assert there(world) == before, "nothing goes at the first look"
    act(world, data.draw, acts // 4)
    world.now = max(world.now, first + SPEC.grace_hours * HOUR)
    between = there(world)
    stays, open_since = kept(world)
    world.collect()
    after = there(world)
    assert stays & between <= after, "what is referred to stays"
    # A named object was noted at the first look if it was there and nothing kept it then; one
    # that no fact names stays, too, while a run is open that began before it was noted.
    unnamed = between - named(world)
    guarded = {one for one in unnamed if any(began <= first for began in open_since)}
    due = (before - stays_first) - stays - guarded
    assert after == between - due


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_the_law_keeps_stays_and_the_rest_goes(data: st.DataObject, signer: Signer) -> None:
    check(data, signer, 30)


@pytest.mark.long
@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_the_law_holds_in_long_histories(data: st.DataObject, signer: Signer) -> None:
    check(data, signer, 80)
