"""Whatever is asked, nothing that a step reads goes to a site, or through a store, that its labels
bar. Projects are drawn by seeds; who asks does not look at the labels at all."""

import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.app.site.exchange import exchange
from freehold.app.site.opening import Site, open_site
from freehold.app.site.trusting import trust
from freehold.app.site.ways import no_way
from freehold.delivery.releases import Venue, start
from freehold.domain.artifact import object_key
from freehold.domain.fact import Draft
from freehold.domain.numbering import Numbering
from freehold.domain.placement import Place
from freehold.domain.project import ReleaseSpec, SiteSpec
from freehold.replication import leases
from freehold.replication.holdings import what_store_has
from freehold.replication.travel import barred, barred_from_store
from freehold.replication.work import AskedStep

NAMES = ("onprem", "aws", "azure")
SEEDS = range(24)
MANY = range(24, 324)
WAYS = ("aliases", "models", "results", "an artifact", "a checkpoint", "a version", "a release")
"""By which bytes come to a site without a step that reads them: rules, and what is asked for."""


@dataclass(frozen=True)
class Case:
    """A project, what lies where, and which site is asked for the step that reads it."""

    text: str
    labels: Mapping[str, str]
    maker: str
    place: str


def drawn(seed: int, stores: Path) -> Case:
    chance = random.Random(seed)
    lines = ["project: law", "pipelines: {}", "site: onprem", "sites:"]
    for name in NAMES:
        store = "aws" if name == "azure" and chance.random() < 0.2 else name
        lines += [f"  {name}:", f'    store: {{at: "file://{stores}/{store}"}}']
        if jurisdiction := chance.choice(("", "EU", "EU", "US")):
            lines.append(f"    jurisdiction: {jurisdiction}")
        if chance.random() < 0.6:
            lines.append("    accepts: [pii]")
        if chance.random() < 0.3:
            lines.append("    private: true")
    labels = {}
    if chance.random() < 0.7:
        labels["residency"] = chance.choice(("EU", "EU", "US", "EU,US"))
    if chance.random() < 0.4:
        labels["pii"] = ""
    maker, place = chance.sample(NAMES, 2)
    return Case("\n".join(lines) + "\n", labels, maker, place)


def said(digest: str, case: Case) -> list[Draft]:
    """By onprem, that drives the run: what the step reads was made by an earlier one."""
    output = {"digest": digest, "format": "json", "labels": dict(case.labels), "size": 9}
    body = {
        "cached": False,
        "components": {},
        "function": "m:f",
        "inputs": [],
        "key": "k",
        "machine": "",
        "microseconds": 1,
        "outputs": [output],
        "run": "r",
        "site": case.maker,
        "step": "load",
    }
    started: dict[str, Any] = {"environment": "", "parameters": {}, "parameters_attachment": ""}
    started |= {"pipeline": "p", "run": "r", "steps": 2}
    return [Draft("run.started", started, 2), Draft("step.finished", body, 2)]


def ask(site: Site, digest: str, place: str) -> None:
    asked = AskedStep("r", "fit", "k2", 1, 1, Place(place), (digest,))
    manifest = site.attachments.put(b"{}")
    site.ledger.decide(lambda state: leases.ask_step(state, "r.fit.1", asked, manifest, "system"))


@pytest.fixture
def sites(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[dict[str, Site]]:
    case = drawn(request.getfixturevalue("seed"), tmp_path / "stores")
    (tmp_path / "freehold.yaml").write_text(case.text)
    with ExitStack() as stack:
        found = {name: stack.enter_context(open_site(tmp_path, site=name)) for name in NAMES}
        for site in found.values():
            for name, other in found.items():
                if other is not site:
                    trust(site, name, other.signer.public.fingerprint)
        yield found


def specs(site: Site) -> Mapping[str, SiteSpec]:
    return site.project.spec.sites


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_step_reads_goes_only_where_its_labels_allow(
    seed: int, sites: dict[str, Site], tmp_path: Path
) -> None:
    case = drawn(seed, tmp_path / "stores")
    data = f"it is {seed:03}".encode()
    digest = sites[case.maker].artifacts.put(data)
    sites["onprem"].ledger.append(said(digest, case))
    ask(sites["onprem"], digest, case.place)
    for _ in range(4):
        for site in sites.values():
            assert exchange(site).faults == []
    rules = specs(sites["onprem"])
    there = {name for name, site in sites.items() if site.artifacts.holds(digest)} - {case.maker}
    assert all(not barred(case.labels, rules[name]) for name in there)
    for name in NAMES:
        lies = (Path(rules[name].store.at.removeprefix("file://")) / object_key(digest)).exists()
        assert not (lies and barred_from_store(case.labels, rules[name].store, rules))
    assert there == (
        set() if no_way(case.labels, [case.maker], case.place, rules) else {case.place}
    )


def lying(sites: Mapping[str, Site], digest: str) -> set[str]:
    """Stores in which it lies by itself or in a pack. Packs are few and named by what is in them:
    here each store is asked what it has."""
    found = set()
    for name, spec in specs(sites["onprem"]).items():
        store = DiskObjectStore(Path(spec.store.at.removeprefix("file://")))
        if digest in what_store_has(store).digests:
            found.add(name)
    return found


def told_of(case: Case, ways: list[str], made: Mapping[str, str]) -> list[Draft]:
    """What onprem says: a run that made a table, a checkpoint and a version's package of it; and by
    which ways another site comes to want them."""
    table, checkpoint, package = made["table"], made["checkpoint"], made["package"]
    drafts = said(table, case)
    saved: dict[str, Any] = {
        "run": "r",
        "step": "fit",
        "key": "k2",
        "number": 1,
        "artifact": checkpoint,
    }
    saved |= {"format": "json", "size": 9, "labels": dict(case.labels)}
    version: dict[str, Any] = {"model": "m", "version": 1, "run": "r", "attestations": {}}
    version |= {"headline": {}}
    version |= {"package": {"digest": package, "size": 9}, "champion": None}
    version |= {"rows": {"training": 1, "evaluation": 1}}
    judged: dict[str, Any] = {"model": "m", "version": 1, "allowed": True, "rules": []}
    judged |= {"policy": "sha256:1"}
    judged |= {"attestations": {}, "cost": None}
    drafts += [Draft("step.checkpointed", saved), Draft("model.registered", version)]
    drafts += [Draft("model.judged", judged)]
    for way, digest in zip(WAYS[3:6], (table, checkpoint, package), strict=True):
        if way in ways:
            drafts.append(Draft("artifact.wanted", {"site": case.place, "digests": [digest]}))
    return drafts


def moving(seed: int, stores: Path) -> tuple[Case, list[str]]:
    """A project whose asked site keeps what the drawn ways say."""
    chance, case = random.Random(-seed), drawn(seed, stores)
    ways = chance.sample(WAYS, chance.randint(1, 3))
    keeps = [one for one in ways if one in WAYS[:3]]
    lines = case.text.splitlines()
    at = lines.index(f"  {case.place}:")
    lines.insert(at + 1, f"    keeps: [{', '.join(keeps)}]")
    labels = case.labels if chance.random() < 0.6 else {}
    return Case("\n".join(lines) + "\n", labels, case.maker, case.place), ways


def moved(seed: int, folder: Path) -> tuple[Case, list[str], set[str]]:
    """Plays it and looks that nothing lies where its labels bar it. Gives the bytes that came to
    the site that wanted them."""
    case, ways = moving(seed, folder / "stores")
    (folder / "freehold.yaml").write_text(case.text)
    with ExitStack() as stack:
        sites = {name: stack.enter_context(open_site(folder, site=name)) for name in NAMES}
        for site in sites.values():
            for name, other in sites.items():
                if other is not site:
                    trust(site, name, other.signer.public.fingerprint)
        made = {
            what: sites[case.maker].artifacts.put(f"{what} of {seed:03}".encode())
            for what in ("table", "checkpoint", "package")
        }
        onprem = sites["onprem"]
        onprem.ledger.append(told_of(case, ways, made))
        if {"a release", "aliases"} & set(ways):
            where = {"onprem", case.place} if "a release" in ways else {"onprem"}
            venue = Venue("onprem", tuple(sorted(where)), Numbering())
            onprem.ledger.decide(
                lambda state: start(state, "m", 1, "immediate", ReleaseSpec(), venue)
            )
        for _ in range(4):
            for site in sites.values():
                assert exchange(site).faults == []
        rules = specs(onprem)
        came = set()
        for what, digest in made.items():
            there = {name for name, site in sites.items() if site.artifacts.holds(digest)}
            assert all(not barred(case.labels, rules[name]) for name in there - {case.maker})
            for name in lying(sites, digest):
                assert not barred_from_store(case.labels, rules[name].store, rules)
            if case.place in there:
                came.add(what)
        if not no_way(case.labels, [case.maker], case.place, rules):
            assert expected(ways) <= came, (seed, ways, came)
        return case, ways, came


def expected(ways: list[str]) -> set[str]:
    """What comes where nothing bars it."""
    of = {
        "results": {"table"},
        "an artifact": {"table"},
        "aliases": {"package"},
        "models": {"package"},
        "a version": {"package"},
        "a release": {"package"},
    }
    return set().union(*(of.get(way, set()) for way in ways))


def test_whatever_moves_data_obeys_its_labels(tmp_path: Path) -> None:
    """Rules that keep copies, what is asked for by name, checkpoints, releases: replication has no
    way round. Each way moves something somewhere."""
    by_way: dict[str, int] = dict.fromkeys(WAYS, 0)
    stayed = 0
    for seed in SEEDS:
        folder = tmp_path / str(seed)
        folder.mkdir()
        case, ways, came = moved(seed, folder)
        stayed += bool(case.labels) and not came
        for way in ways:
            by_way[way] += bool(came)
    assert stayed and all(by_way.values()), by_way


@pytest.mark.long
@pytest.mark.parametrize("seed", MANY)
def test_whatever_moves_data_obeys_its_labels_long(seed: int, tmp_path: Path) -> None:
    moved(seed, tmp_path)


def test_the_drawn_projects_allow_and_forbid(tmp_path: Path) -> None:
    answers: dict[str, list[Any]] = {"allowed": [], "to the site": [], "on the way": []}
    for seed in SEEDS:
        case = drawn(seed, tmp_path / "stores")
        (tmp_path / "freehold.yaml").write_text(case.text)
        with open_site(tmp_path) as site:
            rule = no_way(case.labels, [case.maker], case.place, specs(site))
            at_site = barred(case.labels, specs(site)[case.place])
        kind = "allowed" if not rule else "to the site" if at_site else "on the way"
        answers[kind].append(seed)
    assert all(answers.values()), answers
