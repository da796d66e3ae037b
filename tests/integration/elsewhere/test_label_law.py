"""Whatever is asked, nothing that a step reads goes to a site, or through a store, that its labels
bar. Projects are drawn by seeds; who asks does not look at the labels at all."""

import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from freehold.app.site.exchange import exchange
from freehold.app.site.opening import Site, open_site
from freehold.app.site.trusting import trust
from freehold.app.site.ways import no_way
from freehold.domain.artifact import object_key
from freehold.domain.fact import Draft
from freehold.domain.placement import Place
from freehold.domain.project import SiteSpec
from freehold.replication import leases
from freehold.replication.travel import barred, barred_from_store
from freehold.replication.work import AskedStep

NAMES = ("onprem", "aws", "azure")
SEEDS = range(24)


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
    started = {"environment": "", "parameters": {}, "parameters_attachment": "", "pipeline": "p"}
    started |= {"run": "r", "steps": 2}
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
