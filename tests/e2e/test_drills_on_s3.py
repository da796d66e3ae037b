"""`freehold drill offline` and `rebuild` as a user types them: a site on a folder, one on S3."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from servers.s3 import MotoServer

from freehold.app.project.init import init

SHOP = Path(__file__).parents[1] / "integration" / "drills" / "shop"


@pytest.fixture
def shop(moto: MotoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings = moto.bucket("shop")
    for name, secret in settings.secrets.items():
        monkeypatch.setenv(f"FREEHOLD_AWS_{name.upper()}", secret)
    folder = tmp_path / "shop"
    init(folder, "blank")
    shutil.rmtree(folder / "contracts")
    for name in ("shop.py", "freehold.yaml"):
        shutil.copy(SHOP / name, folder / name)
    sites = {
        "onprem": {"store": {"at": (tmp_path / "store").as_uri()}, "private": True},
        "aws": {
            "store": {
                "at": settings.location,
                "endpoint": settings.endpoint,
                "region": settings.region,
            }
        },
    }
    with (folder / "freehold.yaml").open("a") as file:
        file.write(f"sites: {json.dumps(sites)}\n")
    return folder


def freehold(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "freehold.cli.main", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def checked(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.long
def test_the_site_on_s3_is_cut_off(shop: Path) -> None:
    for arguments in (("run", "train", "--yes"), ("release", "abandon@1", "--yes")):
        assert freehold(shop, *arguments).returncode == 0
    told = checked(freehold(shop, "drill", "offline", "--cut", "aws", "--json"))
    assert told["shape"] == 1
    assert told["production_unchanged"] is True
    assert (told["cut"], told["hours"]) == ("aws", 48.0)
    met = [line for line in told["probes"] if "storage." in line]
    assert any(line.startswith("onprem → store of aws: ") for line in met)
    assert any(line.startswith("aws → store of aws: ") for line in met)
    by_site = {one["site"]: one for one in told["sites"]}
    assert by_site["aws"]["entries"]["after"] == by_site["onprem"]["entries"]["after"]
    for one in by_site.values():
        assert one["predictions"] > 100
        assert one["released"]["version"] == one["trained"]["version"]
    assert {side["site"] for side in told["conflict"]["sides"]} == {"aws", "onprem"}
    assert told["verified"]["entries_kept"] > 0
    assert not (shop / ".freehold" / "drills").exists()


def test_a_site_that_is_not_there_is_refused(shop: Path) -> None:
    done = freehold(shop, "drill", "offline", "--cut", "mars", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "site.unknown")


def test_a_store_that_does_not_answer_ends_the_drill_before_the_cut(shop: Path) -> None:
    text = (shop / "freehold.yaml").read_text()
    (shop / "freehold.yaml").write_text(text.replace("s3://bucket-", "s3://no-such-bucket-"))
    done = freehold(shop, "drill", "offline", "--cut", "aws")
    assert done.returncode == 1
    assert "error[drill.failed]" in done.stderr
    assert "aws does not reach the store of aws" in done.stderr
    assert not (shop / ".freehold").exists()


def test_what_ran_on_a_folder_runs_on_s3(shop: Path) -> None:
    assert freehold(shop, "run", "train", "--yes").returncode == 0
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    told = checked(freehold(shop, "drill", "rebuild", "--at", "aws", "--json"))
    assert told["shape"] == 1
    assert told["stores"] == {"reference": "file", "rebuilt": "s3"}
    assert told["comparison"]["identical"] is True
    assert all(one["same"] for one in told["comparison"]["artifacts"])
    assert told["removed"] >= len(told["comparison"]["artifacts"])
    after = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    ledgers = {path for path in after if path.name.startswith("ledger.db")}
    locks = {path for path in after.keys() | before.keys() if "locks" in path.parts}
    changed = {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}
    assert changed - ledgers - locks == set()


def test_what_differs_too_much_fails(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert freehold(shop, "run", "train", "--yes").returncode == 0
    monkeypatch.setenv("NOISE", "30")
    done = freehold(shop, "drill", "rebuild", "--at", "aws")
    assert done.returncode == 1
    assert "error[drill.failed]" in done.stderr
    assert "shaken.0" in done.stdout
    assert "differs" in done.stdout
    machine = freehold(shop, "drill", "rebuild", "--at", "aws", "--json")
    assert machine.returncode == 1
    assert json.loads(machine.stdout)["holds"] is False
