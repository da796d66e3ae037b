"""Whole projects, drawn: sites with places, rules and prices, a pipeline of labelled steps, and
what an earlier run left. Written to a folder, so that the product reads them as it reads anybody's.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st

from freehold.app.project.loading import load_pipelines, traced
from freehold.app.run.world import options_of
from freehold.app.site.opening import Site, open_site
from freehold.domain.artifact import Artifact
from freehold.domain.fact import Draft
from freehold.running.readiness import Desk

SITES = ("berlin", "paris", "ohio", "attic", "cellar")
EU, US, PII, TEAM = {"residency": "EU"}, {"residency": "US"}, {"pii": ""}, {"team": "x"}
PALETTES = ((EU,), (EU, PII), (EU, TEAM), (EU, {**EU, **PII}), (PII, TEAM), (EU, US, PII))
"""Labels that meet in one project; those of the last contradict each other."""
ACCEPTED = ((), ("pii",), ("team=y",), ("pii", "team"), ("pii", "team=x"), ("pii", "team=x"))
REGIONS = (("", ""), ("", ""), ("aws", "eu-north-1"), ("azure", "eastus"))
HERE = "here"
CLEARED = "cleared"
"""How the names of steps begin that the policy lets lower what they declare."""

CONSENT = f"""\
package freehold.review

import rego.v1

rules := {{"reviewed"}}

requires := {{"input.step": "string"}}

cleared contains "reviewed" if startswith(input.step, "{CLEARED}")

deny contains {{"rule": "reviewed", "message": "nobody reviewed this step"}} if {{
	not "reviewed" in cleared
}}
"""


@dataclass(frozen=True)
class DrawnSite:
    name: str
    jurisdiction: str
    accepts: tuple[str, ...] = ()
    private: bool = False
    store: str = ""
    """Name of the site whose folder it is; empty: its own."""
    price: float = 1.0
    """Of an hour of its machine; 0: it has none."""
    spot: bool = False
    large: bool = True
    """Its machine does for steps that need a large one."""
    keeps: tuple[str, ...] = ()
    region: tuple[str, str] = ("", "")
    """Provider and region."""

    @property
    def folder(self) -> str:
        """Of its store."""
        return self.store or self.name


@dataclass(frozen=True)
class DrawnStep:
    name: str
    reads: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    lowers: tuple[str, ...] = ()
    resumes: bool = False
    large: bool = False
    gigabytes: int = 1
    lies: str = ""
    """`here`, or the other site at which what it makes lies already; empty: it never ran."""


@dataclass(frozen=True)
class DrawnProject:
    sites: Mapping[str, DrawnSite]
    steps: tuple[DrawnStep, ...]
    here: str
    """Where the plan is made."""
    registers: bool = False
    """What the last step makes is registered as a model."""

    @property
    def unread(self) -> frozenset[str]:
        """What is shown or registered where the run is driven from."""
        return frozenset(one.name for one in self.steps) - {
            name for one in self.steps for name in one.reads
        }


@st.composite
def drawn_sites(draw: st.DrawFn) -> dict[str, DrawnSite]:
    names = SITES[: draw(st.integers(2, len(SITES)))]
    found: dict[str, DrawnSite] = {}
    for name in names:
        found[name] = DrawnSite(
            name=name,
            jurisdiction=draw(st.sampled_from(["EU", "EU", "EU", "US", ""])),
            accepts=draw(st.sampled_from(ACCEPTED)),
            private=draw(st.sampled_from([False, False, True])),
            store=draw(st.sampled_from(["", "", *names])),
            price=draw(st.sampled_from([1.0, 0.5, 2.0, 5.0, 0.0] if found else [1.0, 3.0])),
            spot=draw(st.booleans()),
            # What needs a large machine mostly has to leave the first site.
            large=draw(st.sampled_from([True, True, False] if found else [False, False, True])),
            keeps=draw(st.sampled_from([(), ("aliases",), ("models",), ("results",)])),
            region=draw(st.sampled_from(REGIONS)),
        )
    return found


@st.composite
def drawn_projects(draw: st.DrawFn) -> DrawnProject:
    sites = draw(drawn_sites())
    here = draw(st.sampled_from([SITES[0], *sites]))
    palette = draw(st.sampled_from(PALETTES))
    steps: list[DrawnStep] = []
    for number in range(draw(st.integers(3, 8))):
        lowers = draw(st.sampled_from([(), (), (), ("pii",), ("residency=EU",), ("residency",)]))
        cleared = bool(lowers) and draw(st.sampled_from([True, True, True, True, False]))
        earlier = [one.name for one in steps]
        reads = draw(st.lists(st.sampled_from(earlier), max_size=3, unique=True)) if steps else []
        steps.append(
            DrawnStep(
                name=f"{CLEARED if cleared else 'step'}{number}",
                reads=tuple(reads),
                labels=draw(st.sampled_from([{}, {}, *palette]) if number < 3 else st.just({})),
                lowers=lowers,
                resumes=draw(st.booleans()),
                large=draw(st.sampled_from([False, False, True])),
                gigabytes=draw(st.sampled_from([0, 1, 40])),
                lies=draw(st.sampled_from(["", "", HERE, HERE, *sorted({*sites} - {here})])),
            )
        )
    return DrawnProject(sites, tuple(steps), here, draw(st.booleans()))


@contextmanager
def opened(drawn: DrawnProject) -> Iterator[Site]:
    """The project in a folder of its own, at the site where it is planned, with its history.
    Afterwards the interpreter knows nothing of it."""
    path, writes = list(sys.path), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        with TemporaryDirectory(prefix="freehold-drawn-") as folder:
            root = Path(folder)
            (root / "consent").mkdir()
            (root / "consent" / "review.rego").write_text(CONSENT)
            (root / "requirements.lock").write_text("")
            (root / "drawn_steps.py").write_text(_code(drawn))
            (root / "freehold.yaml").write_text(json.dumps(_file(drawn, root)))
            with open_site(root, site=drawn.here) as site:
                _remember(site, drawn)
                yield site
    finally:
        sys.path[:], sys.dont_write_bytecode = path, writes
        sys.modules.pop("drawn_steps", None)


def _file(drawn: DrawnProject, root: Path) -> dict[str, Any]:
    return {
        "project": "drawn",
        "pipelines": {"drawn": "drawn_steps:drawn"},
        "models": {"drawn": {"pipeline": "drawn"}} if drawn.registers else {},
        "site": drawn.here,
        "placement": {"consent": "consent"},
        "sites": {name: _site(one, root) for name, one in drawn.sites.items()},
    }


def _site(one: DrawnSite, root: Path) -> dict[str, Any]:
    said: dict[str, Any] = {"store": {"at": f"file://{root}/stores/{one.folder}"}}
    said |= {"private": one.private, "accepts": list(one.accepts), "keeps": list(one.keeps)}
    if one.jurisdiction:
        said["jurisdiction"] = one.jurisdiction
    if one.region[0]:
        said["provider"], said["region"] = one.region
    if one.price:
        machine = {"cpus": 16 if one.large else 4, "memory": "16 GiB", "price": one.price}
        spot = {"spot": True, "spot_price": one.price / 4}
        said["machines"] = {"m": {**machine, **(spot if one.spot else {})}}
    return said


def _code(drawn: DrawnProject) -> str:
    lines = ["from freehold import Candidate, pipeline, step", ""]
    calls = []
    for one in drawn.steps:
        settings: dict[str, Any] = {"labels": dict(one.labels), "lowers": list(one.lowers)}
        settings |= {
            "cpus": 8 if one.large else 1,
            "resumes": one.resumes,
            "seconds": 3600,
            "output": f"{one.gigabytes}GB",
        }
        given = ", ".join(f"{name}: int" for name in one.reads)
        lines += [f"@step(**{settings!r})", f"def {one.name}({given}) -> int:", "    return 0", ""]
        calls.append(f"    of_{one.name} = {one.name}({', '.join(f'of_{n}' for n in one.reads)})")
    last = f"of_{drawn.steps[-1].name}"
    kind, result = "int", last
    if drawn.registers:
        kind, result = "Candidate", f"Candidate({last}, {last}, {last}, {last}, 'late')"
    return "\n".join(
        [*lines, "@pipeline", f"def drawn() -> {kind}:", *calls, f"    return {result}"]
    )


def digest_of(data: bytes) -> str:
    return "sha256:" + sha256(data).hexdigest()


def _remember(site: Site, drawn: DrawnProject) -> None:
    """An earlier run, as far as it came: what it made lies here, or is known to lie elsewhere."""
    pipeline = load_pipelines(site.project)["drawn"]
    graph = traced(site.project, pipeline)
    desk = Desk(graph, options_of(site, cache=True), site.state, site.artifacts)
    started = {"environment": "", "parameters": {}, "parameters_attachment": "", "run": "earlier"}
    drafts = [Draft("run.started", {**started, "pipeline": "drawn", "steps": len(drawn.steps)}, 2)]
    outputs: dict[str, tuple[Artifact, ...]] = {}
    for one in drawn.steps:
        if not one.lies or not all(name in outputs for name in one.reads):
            continue
        ready, data = desk.ready(graph.node(one.name), outputs), f"made by {one.name}".encode()
        digest = site.artifacts.put(data) if one.lies == HERE else digest_of(data)
        made = Artifact(digest, "json", one.gigabytes * 10**9, ready.labels)
        if one.lies == HERE:
            outputs[one.name] = (made,)
        body = {
            "cached": False,
            "components": dict(ready.key.components),
            "function": ready.node.step.address,
            "inputs": sorted({found.digest for found in ready.inputs.values()}),
            "key": ready.key.digest,
            "machine": "",
            "microseconds": 3_600_000_000,
            "outputs": [made.as_json()],
            "run": "earlier",
            "site": site.name if one.lies == HERE else one.lies,
            "step": one.name,
        }
        drafts.append(Draft("step.finished", body, 2))
    site.ledger.append(drafts)
