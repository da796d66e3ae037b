"""Two sites judge a version without knowing of each other: people see which verdict holds."""

from typing import Any

from freehold.app.conflict.conflicts import conflicts, settle_conflict
from freehold.catalog.versions import version_of
from freehold.domain.fact import Draft

REGISTERED = {
    "model": "m",
    "version": 1,
    "run": "r",
    "package": {"digest": "sha256:" + "a" * 64, "size": 1},
    "attestations": {},
    "headline": {},
    "champion": None,
    "rows": {},
}


def judge(world: Any, name: str, *rules: str) -> None:
    body = {"model": "m", "version": 1, "allowed": not rules, "rules": list(rules), "policy": "p"}
    draft = Draft("model.judged", {**body, "attestations": {}})
    world.do(name, lambda site: site.ledger.append([draft]))


def test_the_denial_holds_and_is_shown(world: Any) -> None:
    world.do("aws", lambda site: site.ledger.append([Draft("model.registered", REGISTERED)]))
    world.meet()
    judge(world, "aws", "too-old")
    judge(world, "azure")
    world.meet()
    for name in ("onprem", "aws", "azure"):
        (shown,) = world.do(name, conflicts)
        assert (shown.quarrel.kind, shown.quarrel.about, shown.holds) == (
            "verdict",
            "m@1",
            "denied",
        )
    settled = world.do("onprem", lambda site: settle_conflict(site, shown.quarrel.name))
    assert not settled.quarrel.open and settled.holds == "denied"
    world.meet()
    judge(world, "aws")
    world.meet()
    assert world.do("azure", lambda site: version_of(site.state, "m", 1)).allowed
    assert world.do("azure", conflicts) == []
    (shown,) = world.do("azure", lambda site: conflicts(site, every=True))
    assert shown.holds == "allowed"
