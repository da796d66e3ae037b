"""`freehold why`: the whole chain of a version, who approved it, and nothing that is another's."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from freehold.app.site.opening import Site, open_site
from freehold.domain.fact import Draft

PROPOSAL = "delay/2026-01-08"


def append(site: Site, kind: str, body: Any, actor: str = "system", cause: Any = ()) -> str:
    (entry,) = site.ledger.append([Draft(kind, body, cause=tuple(cause), actor=actor)])
    return entry.fact.name


def retrained(site: Site, actor: str, attachment: str = "") -> None:
    """A proposal made, approved and carried out: version 3 of the model."""
    proposal = {"action": "retrain", "day": "2026-01-08", "model": "delay", "proposal": PROPOSAL}
    made = append(site, "proposal.made", {**proposal, "signals": [], "version": 1})
    said = {"day": "2026-01-08", "proposal": PROPOSAL}
    approved = append(site, "proposal.approved", said, actor, [made])
    run = {
        "environment": "lock",
        "parameters": {"rows": 4},
        "parameters_attachment": attachment,
        "pipeline": "sums",
        "run": "run-3",
        "steps": 3,
    }
    began = append(site, "run.started", run, actor, [approved])
    version = {
        "attestations": {},
        "champion": 1,
        "headline": {},
        "model": "delay",
        "package": {"digest": "sha256:0", "size": 1},
        "rows": {"evaluation": 1, "training": 1},
        "run": "run-3",
        "version": 3,
    }
    append(site, "model.registered", version, cause=[began])


@pytest.fixture
def site_of(serving: Any) -> Callable[[], Any]:
    @contextlib.contextmanager
    def opened() -> Any:
        with contextlib.chdir(serving.folder), open_site() as site:
            yield site

    return opened


def told(serving: Any, name: str) -> list[tuple[str, str, str]]:
    chain = serving.freehold("why", name, "--json").json["chain"]
    return [(link["type"], link["by"], link["told"]) for link in chain]


def test_a_retraining_shows_what_was_proposed_and_that_the_rule_approved_it(
    serving: Any, site_of: Any
) -> None:
    with site_of() as site:
        retrained(site, "policy")
    chain = told(serving, "delay@3")
    assert [kind for kind, _, _ in chain] == [
        "proposal.made",
        "proposal.approved",
        "run.started",
        "model.registered",
    ]
    assert chain[1][2] == f"proposal {PROPOSAL} approved by the project's own rule"


def test_it_says_which_person_approved(serving: Any, site_of: Any) -> None:
    with site_of() as site:
        retrained(site, site.actor)
        name = site.people.name_of(site.actor)
    assert told(serving, "delay@3")[1] == (
        "proposal.approved",
        name,
        f"proposal {PROPOSAL} approved by {name}",
    )
    assert f"approved by {name}" in serving.freehold("why", "delay@3").out


def test_texts_among_the_parameters_are_shown_until_they_are_erased(
    serving: Any, site_of: Any
) -> None:
    with site_of() as site:
        kept = site.attachments.put(json.dumps({"note": "for Ada"}).encode())
        retrained(site, site.actor, kept)
    (began,) = [line for kind, _, line in told(serving, "delay@3") if kind == "run.started"]
    assert began.endswith("began with note=for Ada, rows=4")
    with site_of() as site:
        site.attachments.erase(kept)
    (began,) = [line for kind, _, line in told(serving, "delay@3") if kind == "run.started"]
    assert began.endswith("began with rows=4, and text that was erased")


def test_a_release_that_a_version_stood_beside_is_shown_with_its_end(serving: Any) -> None:
    assert serving.freehold("release", "delay@2", "--yes").code == 0
    assert serving.freehold("release", "delay@2", "--roll-back", "--yes").code == 0
    assert serving.freehold("release", "delay@2", "--strategy", "immediate", "--yes").code == 0
    first, second = told(serving, "delay@1"), told(serving, "delay@2")
    for chain in (first, second):
        lines = [line for kind, _, line in chain if kind.startswith("release.")]
        assert "release delay/2 began, canary" in lines
        assert any(line.startswith("delay@2 rolled back by ") for line in lines)
        assert "release delay/3 completed on 0 rows" in lines
    began = [line for kind, _, line in second if kind == "release.started"]
    assert began == ["release delay/2 began, canary", "release delay/3 began, immediate"]


def test_a_version_has_no_part_in_releases_of_others(serving: Any) -> None:
    """Version 1 is out of it when another follows the second; the second was not, in the first."""
    assert serving.freehold("release", "delay@2", "--strategy", "immediate", "--yes").code == 0
    assert serving.freehold("release", "delay@1", "--strategy", "immediate", "--yes").code == 0
    releases = {line.split()[1] for _, _, line in told(serving, "delay@2") if "release " in line}
    assert releases == {"delay/2", "delay/3"}
    judged = [line for kind, _, line in told(serving, "delay@1") if kind == "model.judged"]
    assert judged == ["policy: delay@1 allowed"]
