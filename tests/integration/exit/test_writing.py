"""What an exit writes: all that the project has, whole, and nothing of it changes the site."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from freehold.adapters.keys.signer import FileSigner
from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.app.costs.rows import usage_draft
from freehold.app.drill.exit.leaving import Written, write
from freehold.app.site.opening import Site, open_site
from freehold.costs.usage import Usage, frame_of_usage
from freehold.domain.errors import Refused
from freehold.domain.fact import Draft, writer_name
from freehold.ports.ledger import Stretch


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a site's state, but for locks, which belong to processes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "locks" not in path.parts
    }


def left_by(shop: Path, to: Path, change: Callable[[Site], None] = lambda _: None) -> Written:
    with open_site(shop) as site:
        change(site)
        return write(site, to, lambda *_: None)


def test_production_stays_as_it_was(shop: Path, tmp_path: Path) -> None:
    with open_site(shop):
        pass
    before = contents(shop)
    assert ".freehold/ledger.db" in before
    assert any(name.startswith(".freehold/objects/") for name in before)
    assert left_by(shop, tmp_path / "left").faults == ()
    assert contents(shop) == before


def test_usage_and_bills_leave_as_tables(shop: Path, tmp_path: Path) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    usage = Usage(
        kind="step",
        site="shop",
        provider="Acme",
        sku="dl380",
        quantity=1.0,
        unit="Hours",
        unit_price=2.0,
        currency="EUR",
        start=start,
        end=start + timedelta(hours=1),
    )

    def spend(site: Site) -> None:
        site.ledger.append([usage_draft(site, frame_of_usage([usage]), "step")])

    assert left_by(shop, tmp_path / "left", spend).faults == ()
    index = json.loads((tmp_path / "left" / "tables" / "index.json").read_text())
    # Beside what the shop's own runs were metered to take.
    parts = {
        entry["path"]: entry
        for entry in index
        if entry["kind"] == "usage"
        and pl.read_parquet(tmp_path / "left" / entry["path"])["EffectiveCost"].to_list() == [2.0]
    }
    [told] = parts.values()
    assert (told["rows"], told["made"][0]["kind"]) == (1, "step")


def test_everything_has_its_place(once: tuple[Path, Written]) -> None:
    folder, written = once
    assert (written.faults, written.absent) == ((), ())
    places = {path.relative_to(folder).parts[0] for path in folder.rglob("*") if path.is_file()}
    assert places == {
        "README.md",
        "artifacts",
        "code",
        "contracts",
        "history",
        "lineage",
        "manifest.json",
        "models",
        "policies",
        "read_back",
        "tables",
    }
    beside = {path.name for path in (folder / "models/abandon/1").iterdir()}
    assert beside == {
        "admission.json",
        "bom.cdx.json",
        "card.html",
        "card.md",
        "evidence.json",
        "lineage.json",
        "model.sig",
        "package.zip",
        "payload",
        "question.json",
        "verdict.json",
    }
    assert {path.name for path in (folder / "code").iterdir()} >= {"shop.py", "freehold.yaml"}
    assert (folder / "contracts/baskets.json").is_file()
    assert (folder / "policies/limits.json").is_file()


def test_every_table_is_there_as_it_is_stored(made: Path, once: tuple[Path, Written]) -> None:
    stored = {
        path.name
        for path in (made / ".freehold/objects/artifacts/sha256").rglob("*")
        if path.is_file() and path.read_bytes()[:4] == b"PAR1"
    }
    index = json.loads((once[0] / "tables/index.json").read_bytes())
    listed = {one["digest"].removeprefix("sha256:") for one in index if one["kind"] != "requests"}
    assert listed == stored
    for one in index:
        data = (once[0] / one["path"]).read_bytes()
        assert "sha256:" + sha256(data).hexdigest() == one["digest"]


def test_rows_are_the_history_s_where_it_says_so(once: tuple[Path, Written]) -> None:
    index = json.loads((once[0] / "tables/index.json").read_bytes())
    known = sorted((one["kind"], one["rows"]) for one in index if one["rows_from"] == "history")
    # What was metered meanwhile differs with how often that was.
    known = [one for one in known if one[0] != "usage"]
    assert known == [("artifact", 8000), ("artifact", 8000), ("labels", 2), ("requests", 7)]
    (unread,) = [one for one in index if one["kind"] == "requests" and "where" not in one]
    assert (unread["rows"], unread["rows_from"]) == (3, "file")


def test_what_was_erased_stays_erased(once: tuple[Path, Written]) -> None:
    index = json.loads((once[0] / "history/attachments/index.json").read_bytes())
    (erased,) = [one for one in index if one["erased"]]
    (kept,) = [one for one in index if not one["erased"]]
    name = erased["attachment"].removeprefix("salted-sha256:")
    assert not list(once[0].rglob(name))
    told = json.loads((once[0] / kept["path"]).read_bytes()[16:])
    assert told["name"] in ("Grace", "Blaise")


def test_no_private_key_and_no_names_leave(once: tuple[Path, Written]) -> None:
    files = [path for path in once[0].rglob("*") if path.is_file()]
    assert not [path for path in files if path.name in ("people.json", "site.key")]
    private = [path for path in files if b"PRIVATE KEY" in path.read_bytes()]
    assert [path for path in private if path.parent.name != "read_back"] == []


def test_the_manifest_has_the_bytes_that_were_meant(once: tuple[Path, Written]) -> None:
    folder, written = once
    listed = json.loads((folder / "manifest.json").read_bytes())["files"]
    assert len(listed) == written.files
    assert sum(one["size"] for one in listed) == written.size
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {one["path"] for one in listed} == files - {"manifest.json"}


@pytest.mark.parametrize("place", ["there", "file"])
def test_a_folder_that_is_there_is_refused(shop: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("mine")
    with pytest.raises(Refused) as caught:
        left_by(shop, tmp_path / ("there" if place == "there" else "there/file"))
    assert caught.value.code == "drill.folder-exists"
    assert (tmp_path / "there" / "file").read_text() == "mine"


def test_the_site_s_own_state_is_refused(shop: Path) -> None:
    with pytest.raises(Refused) as caught:
        left_by(shop, shop / ".freehold" / "left")
    assert caught.value.code == "drill.folder-inside-state"
    assert not (shop / ".freehold" / "left").exists()


def test_an_exit_inside_the_project_does_not_hold_itself(shop: Path) -> None:
    left_by(shop, shop / "left")
    assert (shop / "left/code/shop.py").is_file()
    assert not (shop / "left/code/left").exists()


def objects_of(shop: Path, kind: bytes) -> list[Path]:
    folder = shop / ".freehold/objects/artifacts/sha256"
    return [p for p in sorted(folder.rglob("*")) if p.is_file() and p.read_bytes()[:4] == kind]


def test_a_damaged_artifact_is_a_fault(shop: Path, tmp_path: Path) -> None:
    table = objects_of(shop, b"PAR1")[0]
    table.chmod(0o644)
    table.write_bytes(table.read_bytes()[:-9] + b"\0\0\0\0\0PAR1")
    (fault,) = left_by(shop, tmp_path / "left").faults
    kind, _, said = fault.partition(" ")
    assert kind in {"artifact", "labels", "usage"}
    assert said == f"sha256:{table.name}: artifact sha256:{table.name} is corrupt"


def test_a_lost_artifact_is_a_fault_unless_it_was_collected(shop: Path, tmp_path: Path) -> None:
    table = objects_of(shop, b"PAR1")[0]
    table.unlink()
    (fault,) = left_by(shop, tmp_path / "first").faults
    assert table.name in fault

    def collected(site: Site) -> None:
        body = {"objects": 1, "bytes": 1, "parts": 0, "part_bytes": 0}
        site.ledger.append([Draft("storage.collected", body)])

    written = left_by(shop, tmp_path / "second", collected)
    assert written.faults == ()
    assert [table.name in one for one in written.absent] == [True]
    objects_of(shop, b"PAR1")[0].unlink()
    assert len(left_by(shop, tmp_path / "third").faults) == 1


def test_evidence_is_never_collected(shop: Path, tmp_path: Path) -> None:
    def collected(site: Site) -> None:
        (row,) = [one for key, one in site.state.scan("versions") if key.endswith("/00000001")]
        site.objects.delete(f"artifacts/sha256/{_key(row['attestations']['card.md'])}")
        body = {"objects": 9, "bytes": 1, "parts": 9, "part_bytes": 0}
        site.ledger.append([Draft("storage.collected", body)])

    (fault,) = left_by(shop, tmp_path / "left", collected).faults
    assert fault.startswith("card.md of abandon@1: it is gone")


def _key(digest: str) -> str:
    name = digest.removeprefix("sha256:")
    return f"{name[:2]}/{name}"


def test_a_request_log_that_was_changed_or_lost_is_a_fault(shop: Path, tmp_path: Path) -> None:
    part = shop / ".freehold/serving/log/0001.parquet"
    pl.DataFrame({"model": ["abandon"]}).write_parquet(part)
    (fault,) = left_by(shop, tmp_path / "first").faults
    assert fault == "request log 0001.parquet: it is not what was recorded"
    part.unlink()
    (fault,) = left_by(shop, tmp_path / "second").faults
    assert fault.startswith("request log 0001.parquet: it is gone")


class TestOtherWriters:
    """A site whose ledger holds another site's log."""

    @pytest.fixture
    def signer(self, tmp_path: Path) -> FileSigner:
        return FileSigner.create(tmp_path / "berlin.key")

    @pytest.fixture
    def writer(self, signer: FileSigner) -> str:
        return writer_name("berlin", signer.public.fingerprint)

    @pytest.fixture
    def shared(self, shop: Path, signer: FileSigner, writer: str, tmp_path: Path) -> Path:
        step = {
            "cached": False,
            "components": {},
            "function": "shop:baskets",
            "inputs": [],
            "key": "k",
            "microseconds": 1,
            "outputs": [
                {"digest": "sha256:" + "0" * 64, "format": "parquet", "size": 1, "labels": {}}
            ],
            "run": "run-berlin",
            "step": "baskets",
        }
        moments = iter(range(1_790_000_000_000_000, 1_790_000_000_001_000))
        berlin = SqliteLedger(
            tmp_path / "berlin.db", writer=writer, signer=signer, clock=moments.__next__
        )
        started: dict[str, Any] = {"run": "run-berlin", "pipeline": "train", "steps": 1}
        started |= {"environment": "", "parameters": {}, "parameters_attachment": ""}
        berlin.append([Draft("run.started", started, 2), Draft("step.finished", step)])
        lines = [line for _, line in berlin.lines()]
        stretch = Stretch(writer, 0, lines, list(berlin.checkpoints()))
        berlin.close()
        with open_site(shop) as site:
            assert isinstance(site.ledger, SqliteLedger)
            assert site.ledger.receive([stretch]) == 2
        return shop

    def test_each_log_has_a_folder(
        self, shared: Path, signer: FileSigner, writer: str, tmp_path: Path
    ) -> None:
        with open_site(shared) as site:
            own = site.ledger.writer
            site.keyring.add(signer.public)
            written = write(site, tmp_path / "left", lambda *_: None)
        assert written.faults == ()
        index = json.loads((tmp_path / "left/history/index.json").read_bytes())
        assert [one["writer"] for one in index] == [own, writer]
        assert index[1]["entries"] == 2
        names = {path.name for path in (tmp_path / "left/history" / writer).iterdir()}
        assert names == {"entries.jsonl", "checkpoints.jsonl", "site.pub", "verify_ledger.py"}

    def test_what_only_the_other_site_has_is_no_fault(
        self, shared: Path, signer: FileSigner, tmp_path: Path
    ) -> None:
        with open_site(shared) as site:
            site.keyring.add(signer.public)
            written = write(site, tmp_path / "left", lambda *_: None)
        assert written.faults == ()
        (absent,) = written.absent
        assert absent.startswith("artifact sha256:0000")

    def test_a_key_that_is_not_known_is_a_fault(
        self, shared: Path, writer: str, tmp_path: Path
    ) -> None:
        (fault,) = left_by(shared, tmp_path / "left").faults
        assert fault == f"history of {writer}: its public key is not kept here"
