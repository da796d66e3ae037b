"""What another site's history refers to stays here, too."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from freehold.app.costs.rows import usage_draft, usage_rows
from freehold.app.site.exchange import exchange
from freehold.app.site.opening import Site, open_site
from freehold.app.site.trusting import trust
from freehold.app.storage import hold
from freehold.app.storage.gc import collect
from freehold.app.storage.inspection import explain
from freehold.app.storage.survey import survey
from freehold.app.storage.unread import unread
from freehold.costs.usage import Usage, frame_of_usage
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.fact import Draft
from freehold.ports.ledger import HeldLog, KeepsLogs, Stretch
from freehold.ports.signer import Signer

DAY = 86_400_000_000
FILE = """\
project: meeting
pipelines: {{}}
site: here
sites:
  here:
    store: {{at: "file://{stores}/here"}}
    {keeps}
  there:
    store: {{at: "file://{stores}/there"}}
retention: {{runs_days: 0, versions: 0}}
"""


@dataclass
class World:
    root: Path
    now: int = 1_800_000_000_000_000

    def tick(self) -> int:
        self.now += 1
        return self.now

    def begin(self, keeps: str = "private: false") -> None:
        (self.root / "freehold.yaml").write_text(
            FILE.format(stores=self.root / "stores", keeps=keeps)
        )
        keys = {}
        for name in ("here", "there"):
            with self.site(name) as site:
                keys[name] = site.signer.public.fingerprint
        for name, other in (("here", "there"), ("there", "here")):
            with self.site(name) as site:
                trust(site, other, keys[other])

    def site(self, name: str) -> Site:
        return open_site(self.root, self.tick, name)

    def meet(self) -> None:
        for name in ("there", "here", "there", "here"):
            with self.site(name) as site:
                exchange(site)

    def collect_twice(self, name: str) -> None:
        for _ in range(2):
            with self.site(name) as site:
                collect(site, survey(site))
            self.now += 2 * DAY


def package(version: int) -> bytes:
    return f"package of version {version}".encode()


def digest(version: int) -> str:
    return "sha256:" + sha256(package(version)).hexdigest()


def registered(version: int) -> list[Draft]:
    about = {"model": "delay", "version": version}
    body = {
        "run": f"run-{version}",
        "package": {"digest": digest(version), "size": len(package(version))},
        "attestations": {},
        "headline": {},
        "champion": None,
        "rows": {"training": 1, "evaluation": 1},
    }
    judged = {"allowed": True, "rules": [], "policy": "sha256:0", "attestations": {}}
    return [Draft("model.registered", about | body), Draft("model.judged", about | judged)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def prepared(world: World) -> None:
    """Two versions, registered there; the first is the champion. Their bytes are here."""
    with world.site("there") as there:
        for version in (1, 2):
            there.artifacts.put(package(version))
            there.ledger.append(registered(version))
        moved = {"alias": "champion", "version": 1, "previous": None, "release": ""}
        there.ledger.append([Draft("alias.moved", {"model": "delay", **moved})])
    with world.site("here") as here:
        for version in (1, 2):
            here.artifacts.put(package(version))


def test_what_is_live_elsewhere_stays(world: World) -> None:
    world.begin()
    prepared(world)
    world.meet()
    world.collect_twice("here")
    with world.site("here") as here:
        assert here.artifacts.holds(digest(1))
        assert not here.artifacts.holds(digest(2))


def test_what_is_on_hold_elsewhere_stays_and_a_release_of_the_hold_travels(world: World) -> None:
    world.begin()
    prepared(world)
    with world.site("there") as there:
        placed = hold.place_hold(there, "version", "delay@2", "a case there")
    world.meet()
    world.collect_twice("here")
    with world.site("here") as here:
        assert here.artifacts.holds(digest(2))
        (told,) = hold.holds(here)
        assert (told.hold, hold.reason_of(here, told)) == (placed.hold, None)
        hold.release_hold(here, placed.hold)
    world.meet()
    world.collect_twice("there")
    with world.site("there") as there:
        assert hold.holds(there) == []
        assert not there.artifacts.holds(digest(2))


def test_what_a_rule_asks_for_here_is_not_let_go_to_be_fetched_again(world: World) -> None:
    world.begin(keeps="keeps: [models]")
    prepared(world)
    world.meet()
    world.collect_twice("here")
    with world.site("here") as here:
        assert here.artifacts.holds(digest(2))
        assert explain(here, digest(2)).reason == "wanted"


@pytest.mark.parametrize("keeps", ["aliases", "spending"])
def test_what_others_spent_comes_to_the_site_that_keeps_it(world: World, keeps: str) -> None:
    world.begin(keeps=f"keeps: [{keeps}]")
    with world.site("there") as there:
        start = datetime(2026, 11, 1, tzinfo=UTC)
        usage = Usage(
            kind="step",
            site="there",
            provider="racks",
            sku="big",
            quantity=1.0,
            unit="Hours",
            unit_price=0.5,
            currency="USD",
            start=start,
            end=start + timedelta(hours=1),
        )
        there.ledger.append([usage_draft(there, frame_of_usage([usage]), "step")])
    world.meet()
    with world.site("here") as here:
        found = usage_rows(here)
        brought = keeps == "spending"
        assert (len(found.absent), found.frame.collect().height) == (not brought, brought)


class TwoLogs(KeepsLogs):
    """The two questions that are asked of a ledger that waits for what another log's entry had
    seen; a real one answers them in tests/contracts."""

    def __init__(self, lines: dict[str, list[bytes]], folded: dict[str, int]) -> None:
        self._lines, self._folded = lines, folded

    def logs(self) -> tuple[HeldLog, ...]:
        return tuple(
            HeldLog(writer, len(lines), "", self._folded[writer], None)
            for writer, lines in sorted(self._lines.items())
        )

    def log_lines(
        self, writer: str, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        return iter(list(enumerate(self._lines[writer]))[start:stop])

    def log_checkpoints(self, writer: str, above: int = 0) -> Iterator[Checkpoint]:
        raise AssertionError("a look reads entries only")

    def receive(self, stretches: Sequence[Stretch], *, fold: bool = True) -> int:
        raise AssertionError("a look reads entries only")

    def continue_as(
        self, writer: str, signer: Signer, keep: int | None, drafts: Sequence[Draft] = ()
    ) -> int:
        raise AssertionError("a look reads entries only")


def line(kind: str, version: int) -> bytes:
    body = f'{{"at":[{{"x":"{digest(version)}"}}],"type":"step.finished"}}'
    return f'{{"body":{body},"type":"{kind}","version":1,"writer":"w"}}'.encode()


def test_what_waits_to_be_folded_keeps_what_it_names() -> None:
    """And so does a fact of an unknown type, though its body says otherwise."""
    lines = {
        "a": [line("step.finished", 1), line("moon.landed", 2)],
        "b": [line("step.finished", 3), line("step.finished", 4)],
    }
    ledger = TwoLogs(lines, {"a": 2, "b": 1})
    nothing: Any = SimpleNamespace(scan=lambda table: ())
    site: Any = SimpleNamespace(ledger=ledger, state=nothing)
    assert unread(site) == {digest(2): "a/1", digest(4): "b/1"}
