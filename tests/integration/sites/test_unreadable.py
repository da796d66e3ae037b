"""A believed site writes what this release cannot read: nothing stops, and people are told."""

from itertools import count
from typing import Any

from freehold.app.site.health.examination import Surroundings, examine
from freehold.app.site.health.finding import Finding
from freehold.delivery.releases import aliases_of
from freehold.domain.fact import Draft
from freehold.domain.projection import UNREADABLE
from freehold.replication.claims import conflicts_of
from tests.later_release import append_later

START = 1_700_000_000_000_000
AROUND = Surroundings(clock=lambda: START + 60_000_000, environment={})


def by_a_later_release(world: Any, name: str, *drafts: Draft) -> list[str]:
    with world.site(name) as site:
        signer, writer = site.signer, site.ledger.writer
    clock = count(START + 1_000_000, 1000).__next__
    return append_later(world.state(name) / "ledger.db", writer, signer, clock, *drafts)


def moved(version: int) -> Draft:
    body = {"model": "m", "alias": "champion", "version": version, "previous": None, "release": ""}
    return Draft("alias.moved", body)


def told(world: Any, name: str) -> Finding:
    findings = examine(world.root, name, surroundings=AROUND).findings
    return next(one for one in findings if one.check == "facts")


def test_what_cannot_be_read_stops_nothing(world: Any) -> None:
    assert told(world, "azure").standing == "good"
    names = by_a_later_release(
        world,
        "aws",
        Draft("model.judged", {"verdict": {"of": "m"}}, version=9),
        Draft("model.judged", {"model": "m", "version": "x", "allowed": True}, version=9),
        Draft("conflict.settled", {"conflict": ["a"]}),
        moved(4),
    )
    world.meet()
    for name in ("onprem", "aws", "azure"):
        with world.site(name) as site:
            assert aliases_of(site.state, "m") == {"champion": 4}
            rows = dict(site.state.scan(UNREADABLE))
            assert sorted(rows) == sorted(names[:3])
            assert rows[names[0]]["version"] == 9
            assert "claims" in rows[names[0]]["projections"]
        finding = told(world, name)
        assert finding.standing == "warning" and "3 facts" in finding.what
        assert f"model.judged 9 of {names[0].partition('/')[0]} (2)" in finding.why
        assert "update Freehold here" in finding.hint


def test_sites_go_on_and_agree_after_it(world: Any) -> None:
    by_a_later_release(world, "aws", Draft("alias.moved", {"alias": "champion"}, version=2))
    world.meet()
    world.do("azure", lambda site: site.ledger.append([moved(2)]))
    world.do("onprem", lambda site: site.ledger.append([moved(3)]))
    world.meet()
    states = [
        world.do(
            name,
            lambda site: (
                aliases_of(site.state, "m"),
                list(conflicts_of(site.state)),
                list(site.state.scan(UNREADABLE)),
            ),
        )
        for name in ("onprem", "aws", "azure")
    ]
    assert states[0] == states[1] == states[2]
    assert states[0][0]["champion"] in (2, 3) and len(states[0][2]) == 1
