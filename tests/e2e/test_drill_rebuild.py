"""`freehold drill rebuild` as a user types it: from a folder to S3."""

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
