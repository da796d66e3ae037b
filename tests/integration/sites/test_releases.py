"""Which release of Freehold each site runs, as its own facts tell the others."""

from typing import Any

import orjson
import pytest

from freehold.app.site.health.examination import examine
from freehold.app.site.health.overview import look_at_sites
from freehold.app.site.opening import RELEASE, Site
from freehold.app.site.trusting import rekey
from freehold.domain.fact import Draft
from freehold.domain.projection import State

OTHER = "0.0.9"
NAMES = ("onprem", "aws", "azure")
READ_BY = ("opening", "exchange", "health.versions")


class Runs:
    """Puts another release into this process, as if it were installed."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def __call__(self, release: str) -> None:
        for module in READ_BY:
            self._patch.setattr(f"freehold.app.site.{module}.RELEASE", release)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(monkeypatch)


def listed(world: Any, at: str) -> dict[str, list[str]]:
    told = world.do(at, lambda site: look_at_sites(site).as_json())
    return {one["name"]: one["freehold"] for one in told["sites"]}


def examined(world: Any, at: str) -> dict[str, Any]:
    """By the site that it is about, without what is said of this process."""
    found = examine(world.root, at).as_json()["findings"]
    return {one["about"]: one for one in found if one["check"] == "versions" and one["about"]}


def kinds(site: Site) -> list[str]:
    return [str(orjson.loads(line)["type"]) for _, line in site.ledger.lines()]


def test_each_site_says_what_it_runs_without_a_fact_of_its_own(world: Any) -> None:
    for name in NAMES:
        assert listed(world, name) == {one: [RELEASE] for one in NAMES}
        assert "site.updated" not in world.do(name, kinds)
    found = examined(world, "aws")
    assert found.keys() == {"onprem", "azure"}
    assert found["azure"]["what"] == f"azure runs Freehold {RELEASE}"
    assert {one["standing"] for one in found.values()} == {"good"}


def test_another_release_is_told_at_the_next_meeting_and_is_a_warning(
    world: Any, runs: Runs
) -> None:
    runs(OTHER)
    world.sync("azure")
    world.sync("azure")
    assert world.do("azure", kinds).count("site.updated") == 1
    assert examined(world, "azure")["aws"]["standing"] == "warning"
    runs(RELEASE)
    assert listed(world, "aws")["azure"] == [RELEASE], "aws has not heard of it"
    world.sync("aws")
    assert listed(world, "aws") == {"onprem": [RELEASE], "aws": [RELEASE], "azure": [OTHER]}
    found = examined(world, "aws")
    assert (found["azure"]["standing"], found["onprem"]["standing"]) == ("warning", "good")
    assert OTHER in found["azure"]["what"] and RELEASE in found["azure"]["what"]
    assert found["azure"]["hint"]
    world.sync("azure")
    world.sync("aws")
    assert examined(world, "aws")["azure"]["standing"] == "good"


def test_what_a_release_that_did_not_say_it_runs_is_not_known(
    strangers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened_as_before(site: Site) -> None:
        def decision(_: State) -> list[Draft]:
            body = {"key": site.signer.public.fingerprint, "site": site.name}
            return [] if any(site.ledger.lines(0, 1)) else [Draft("site.opened", body)]

        site.ledger.decide(decision)

    with monkeypatch.context() as before:
        before.setattr("freehold.app.site.opening._begin", opened_as_before)
        before.setattr("freehold.app.site.exchange.told", lambda *_: [])
        strangers.trust_everyone()
        strangers.meet()
        assert listed(strangers, "aws") == {"onprem": [], "aws": [RELEASE], "azure": []}
        found = examined(strangers, "aws")["azure"]
        assert (found["standing"], found["what"]) == ("good", "what azure runs is not known")
        assert found["why"]
    strangers.meet()
    assert listed(strangers, "aws")["azure"] == [RELEASE]
    assert strangers.do("azure", kinds).count("site.updated") == 1


def test_a_log_that_was_left_says_nothing_any_more(world: Any, runs: Runs) -> None:
    runs(OTHER)
    world.sync("azure")
    runs(RELEASE)
    world.do("azure", rekey)
    world.meet()
    assert listed(world, "aws")["azure"] == [RELEASE]
