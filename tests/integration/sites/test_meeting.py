"""Sites meet in stores: what is believed, what is merged, who is named."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.app.artifact.fetch import fetch, plan_fetch
from freehold.app.conflict.conflicts import conflicts, settle_conflict
from freehold.app.history.logs import held_logs
from freehold.app.site.copying import Copied
from freehold.app.site.exchange import exchange
from freehold.app.site.opening import Site, open_site
from freehold.app.site.trusting import plan_trust, rekey
from freehold.delivery.releases import aliases_of
from freehold.domain.errors import Conflict, FreeholdError, PolicyDenied, WrongUsage
from freehold.domain.fact import Draft
from freehold.governance.history import verify
from freehold.ports.ledger import KeepsLogs
from freehold.replication.publishing import publish_log
from freehold.replication.trust import TRUSTED, accused

NAMES = ("onprem", "aws", "azure")


def moved(version: int, previous: int | None = None) -> Draft:
    body = {
        "model": "m",
        "alias": "champion",
        "version": version,
        "previous": previous,
        "release": "",
    }
    return Draft("alias.moved", body)


def champion(site: Site) -> int | None:
    return aliases_of(site.state, "m").get("champion")


def sizes(site: Site) -> dict[str, int]:
    assert isinstance(site.ledger, KeepsLogs)
    return {log.writer: log.size for log in site.ledger.logs()}


def everything_verifies(site: Site) -> bool:
    return all(verify(log.lines(), log.checkpoints(), log.key).holds for log in held_logs(site))


def test_who_is_not_trusted_is_not_believed_and_named(strangers: Any) -> None:
    strangers.do("onprem", lambda s: s.ledger.append([moved(7)]))
    strangers.sync("onprem")
    done = strangers.sync("aws")
    assert (done.received, [one.site for one in done.strangers]) == (0, ["onprem"])
    key = strangers.do("onprem", lambda s: s.signer.public.fingerprint)
    assert done.strangers[0].key == key
    assert strangers.do("aws", champion) is None


def test_a_private_store_is_no_obstacle(world: Any) -> None:
    world.do("onprem", lambda s: s.ledger.append([moved(7)]))
    world.meet()
    assert {world.do(name, champion) for name in NAMES} == {7}
    assert len({str(world.do(name, sizes)) for name in NAMES}) == 1
    assert all(world.do(name, everything_verifies) for name in NAMES)


def test_nothing_new_is_quiet_for_ever(world: Any) -> None:
    before = world.do("aws", sizes)
    for _ in range(3):
        assert all(world.sync(name).quiet for name in NAMES)
    assert world.do("aws", sizes) == before


def test_a_conflict_is_found_recorded_and_settled(world: Any) -> None:
    world.do("onprem", lambda s: s.ledger.append([moved(2)]))
    world.do("aws", lambda s: s.ledger.append([moved(3)]))
    world.meet()
    shown = {name: [(o.quarrel.name, o.holds) for o in world.do(name, conflicts)] for name in NAMES}
    assert shown["onprem"] == shown["aws"] == shown["azure"]
    ((name, holds),) = shown["azure"]
    assert holds == f"@{world.do('azure', champion)}"
    world.do("azure", lambda site: settle_conflict(site, name))
    world.meet()
    assert not any(world.do(place, conflicts) for place in NAMES)


def test_a_store_that_is_gone_stops_nothing(world: Any) -> None:
    world.do("onprem", lambda s: s.ledger.append([moved(5)]))
    shutil.move(world.stores / "aws", world.stores / "away")
    (world.stores / "aws").write_text("no folder")
    done = world.sync("onprem")
    assert list(done.unreachable) == ["aws"]
    world.sync("azure")
    assert world.do("azure", champion) == 5
    (world.stores / "aws").unlink()
    shutil.move(world.stores / "away", world.stores / "aws")
    world.meet()
    assert world.do("aws", champion) == 5


def test_a_restored_state_goes_on_in_a_new_log(world: Any, tmp_path: Path) -> None:
    world.backup("aws", tmp_path / "backup")
    world.do("aws", lambda s: s.ledger.append([moved(2)]))
    world.meet()
    world.restore("aws", tmp_path / "backup")
    world.do("aws", lambda s: s.ledger.append([moved(3, 2)]))
    done = world.sync("aws")
    assert done.continued_as.endswith(".2")
    world.meet()
    for name in NAMES:
        assert world.do(name, champion) == 3
        assert world.do(name, everything_verifies)
        assert not world.do(name, lambda s: accused(s.state))
    assert len({str(world.do(name, sizes)) for name in NAMES}) == 1


@pytest.mark.parametrize("more", [1, 2, 3, 30])
def test_who_rewrites_its_past_is_named_by_every_other(
    world: Any, tmp_path: Path, more: int
) -> None:
    """The key's holder takes an entry back and signs another history, at a store that it cleaned
    of the old one."""
    world.backup("aws", tmp_path / "backup")
    world.do("aws", lambda s: s.ledger.append([moved(2)]))
    world.meet()
    world.restore("aws", tmp_path / "backup")
    world.do("aws", lambda s: s.ledger.append([moved(9)] * more))
    writer = world.do("aws", lambda s: s.ledger.writer)
    for store in world.stores.iterdir():
        shutil.rmtree(store / "logs" / writer)
    with world.site("aws") as site:
        for name in ("aws", "azure"):
            store = DiskObjectStore(world.stores / name)
            publish_log(site.ledger, writer, site.signer.public, store)
    for name in ("onprem", "azure"):
        world.sync(name)
        rows = world.do(name, lambda s: accused(s.state))
        assert [(row["writer"], row["code"]) for row in rows] == [(writer, "log.rewritten")]
        assert world.do(name, champion) == 2
        world.sync(name)
        again = world.do(name, lambda s: accused(s.state))
        assert all(row["by"].count(name) == 1 for row in again)


def test_a_new_key_is_believed_by_whoever_believed_the_old_one(world: Any) -> None:
    old = world.do("aws", lambda s: s.ledger.writer)
    key = world.do("aws", rekey)
    world.do("aws", lambda s: s.ledger.append([moved(4)]))
    new = world.do("aws", lambda s: s.ledger.writer)
    assert old != new
    assert key[7:15] in new
    world.meet()
    for name in NAMES:
        assert world.do(name, champion) == 4
        assert world.do(name, everything_verifies)
        assert not world.sync(name).strangers


def test_a_project_of_one_site_meets_nobody(tmp_path: Path) -> None:
    (tmp_path / "freehold.yaml").write_text("project: alone\npipelines: {}\n")
    with open_site(tmp_path) as site, pytest.raises(WrongUsage) as caught:
        exchange(site)
    assert caught.value.code == "site.none"


class TestArtifacts:
    """Of a version that a release or an alias asks for."""

    def register(self, site: Site, labels: dict[str, str]) -> str:
        data = site.artifacts.put(b"a table")
        package = site.artifacts.put(b"a package")
        output = {"digest": data, "format": "parquet", "size": 7, "labels": labels}
        site.ledger.append(
            [
                Draft("run.started", {"run": "r", "pipeline": "p", "parameters": {}, "steps": 1}),
                Draft(
                    "step.finished",
                    {
                        "run": "r",
                        "step": "s",
                        "function": "m:f",
                        "key": "k",
                        "components": {},
                        "inputs": [],
                        "outputs": [output],
                        "cached": False,
                        "microseconds": 1,
                    },
                ),
                Draft(
                    "model.registered",
                    {
                        "model": "m",
                        "version": 1,
                        "run": "r",
                        "package": {"digest": package, "size": 9},
                        "attestations": {"card.md": site.artifacts.put(b"a card")},
                        "headline": {},
                        "champion": None,
                        "rows": {"training": 1, "evaluation": 1},
                    },
                ),
                moved(1),
            ]
        )
        return package

    def test_they_travel_to_where_they_are_asked_for(self, world: Any) -> None:
        package = world.do("onprem", lambda s: self.register(s, {}))
        assert world.sync("onprem").copied.sent == 4
        assert world.sync("aws").copied.fetched == 2
        assert world.do("aws", lambda s: s.artifacts.get(package)) == b"a package"

    def test_what_nobody_asks_for_stays(self, world: Any) -> None:
        world.do("onprem", lambda s: self.register(s, {}))
        world.meet()
        table = world.do("onprem", lambda s: s.artifacts.put(b"a table"))
        assert not world.do("aws", lambda s: s.artifacts.holds(table))

    def test_labels_keep_them_where_they_are(self, world: Any) -> None:
        package = world.do("onprem", lambda s: self.register(s, {"residency": "EU"}))
        copied: Copied = world.sync("onprem").copied
        assert copied.sent == 0
        assert {(one.site, one.why) for one in copied.barred} == {
            (name, "residency=EU: the site has no jurisdiction") for name in ("aws", "azure")
        }
        world.meet()
        for name in ("aws", "azure"):
            assert not world.do(name, lambda s: s.artifacts.holds(package))
        for store in ("aws", "azure"):
            assert not list((world.stores / store).glob("packs/*"))

    def test_a_site_that_accepts_a_label_gets_what_bears_it(self, world: Any) -> None:
        package = world.do("onprem", lambda s: self.register(s, {"team": "fraud"}))
        world.meet()
        assert world.do("azure", lambda s: s.artifacts.holds(package))
        assert not world.do("aws", lambda s: s.artifacts.holds(package))

    def test_what_a_person_asks_for_comes(self, world: Any) -> None:
        world.do("onprem", lambda s: self.register(s, {"team": "fraud"}))
        world.meet()
        table = world.do("onprem", lambda s: s.artifacts.put(b"a table"))
        planned = world.do("azure", lambda s: plan_fetch(s, "r"))
        assert planned.lacking == (table,)
        world.do("azure", lambda s: fetch(s, plan_fetch(s, "r")))
        world.meet()
        assert world.do("azure", lambda s: s.artifacts.get(table)) == b"a table"
        assert not world.do("azure", lambda s: plan_fetch(s, table)).lacking

    def test_what_a_label_forbids_cannot_be_asked_for(self, world: Any) -> None:
        world.do("onprem", lambda s: self.register(s, {"pii": ""}))
        world.meet()
        for name in ("r", "m@1"):
            with pytest.raises(PolicyDenied) as caught:
                world.do("azure", lambda s, name=name: plan_fetch(s, name))
            assert caught.value.code == "label.barred"


class TestAttachments:
    """Text parameters of work that is asked of another site."""

    def ask(self, site: Site) -> str:
        name = site.attachments.put(b'{"who":"ada"}')
        body = {
            "work": "w",
            "site": "aws",
            "pipeline": "p",
            "parameters": {},
            "parameters_attachment": name,
        }
        site.ledger.append([Draft("work.requested", body)])
        return name

    def test_they_go_with_the_work_and_are_taken_away_after_it(self, world: Any) -> None:
        name = world.do("onprem", self.ask)
        world.sync("onprem")
        kept = [path for path in world.stores.glob("*/attachments/*/*") if path.is_file()]
        assert len(kept) == 1
        world.sync("aws")
        assert world.do("aws", lambda s: s.attachments.get(name)) == b'{"who":"ada"}'
        assert not list((world.state("azure") / "objects").glob("attachments/*/*"))
        cancelled = Draft("work.cancelled", {"work": "w"})
        world.do("onprem", lambda s: s.ledger.append([cancelled]))
        world.meet()
        assert not [path for path in world.stores.glob("*/attachments/*/*") if path.is_file()]


def test_a_history_of_one_site_is_not_passed_over(tmp_path: Path) -> None:
    """`sites` were added to a project that had run alone."""
    file = tmp_path / "freehold.yaml"
    file.write_text("project: grows\npipelines: {}\nsite: onprem\n")
    with open_site(tmp_path) as site:
        site.ledger.append([moved(1)])
    file.write_text(
        file.read_text() + f"sites:\n  onprem: {{store: {{at: 'file://{tmp_path}/s'}}}}\n"
    )
    with pytest.raises(Conflict) as caught:
        open_site(tmp_path)
    assert caught.value.code == "site.not-moved"
    (tmp_path / ".freehold").rename(tmp_path / "moved")
    (tmp_path / ".freehold" / "sites").mkdir(parents=True)
    (tmp_path / "moved").rename(tmp_path / ".freehold" / "sites" / "onprem")
    with open_site(tmp_path) as site:
        assert champion(site) == 1


def test_a_wrong_address_of_one_store_stops_no_other(strangers: Any) -> None:
    strangers.trust_everyone()
    strangers.do("aws", lambda s: s.ledger.append([moved(7)]))
    strangers.sync("aws")
    file = strangers.root / "freehold.yaml"
    wrong = f'"file://{strangers.stores}/azure"'
    file.write_text(file.read_text().replace(wrong, '"s4://bucket"'))
    done = strangers.sync("onprem")
    assert done.received > 0
    assert list(done.unreachable) == ["azure"]
    file.write_text(file.read_text().replace("s4://bucket", "s3://a bucket"))
    assert list(strangers.sync("onprem").unreachable) == ["azure"]


def test_a_wrong_key_is_refused_before_anything_is_asked(strangers: Any) -> None:
    key = "sha256:" + "0" * 64
    for name, print_of, code in (
        ("aws", "sha256:00", "usage.fingerprint"),
        ("nobody", key, "site.unknown"),
    ):
        with pytest.raises(FreeholdError) as caught:
            strangers.do("onprem", lambda s, n=name, k=print_of: plan_trust(s, n, k))
        assert caught.value.code == code
    strangers.do("onprem", lambda s: plan_trust(s, "aws", key))
    assert strangers.do("onprem", lambda s: s.state.get(TRUSTED, f"onprem/aws/{key}")) is None
