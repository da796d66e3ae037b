"""The demo does what it says, and so does whoever types the commands that it prints."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

KEYS = {
    "shape",
    "seconds",
    "rows",
    "models",
    "months",
    "rollbacks",
    "refusals",
    "signals",
    "retrained",
    "ledger",
}
BIN = Path(sys.executable).parent


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True
    )


def demo(folder: Path, *options: str) -> tuple[dict[str, Any], list[str]]:
    """Its last object, and the commands that it printed."""
    done = shell(f"freehold demo --into played --json {' '.join(options)}", folder)
    assert done.returncode == 0, done.stderr
    commands = [line[2:] for line in done.stderr.splitlines() if line.startswith("$ ")]
    return json.loads(done.stdout), commands


def asked(command: str, folder: Path) -> Any:
    done = shell(f"freehold {command} --json", folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[str], Path]:
    folder = tmp_path_factory.mktemp("demo")
    outcome, commands = demo(folder, "--short")
    return outcome, commands, folder


def test_the_outcome_has_its_documented_shape(
    played: tuple[dict[str, Any], list[str], Path],
) -> None:
    outcome, _, _ = played
    assert set(outcome) == KEYS
    assert all({"version", "auc", "alias"} == set(one) for one in outcome["models"])
    assert all({"month", "auc_frozen", "auc_live"} <= set(one) for one in outcome["months"])
    assert all({"kind", "feature", "day"} == set(one) for one in outcome["signals"])
    assert outcome["ledger"]["verified"] is True


def test_what_must_be_refused_is_refused(played: tuple[dict[str, Any], list[str], Path]) -> None:
    outcome, _, _ = played
    refused = {one["what"]: one["code"] for one in outcome["refusals"]}
    assert len(refused) == 3
    assert refused["a model that cheats"] == "score-shift"
    assert "baseline/" in refused["a model trained on shuffled labels"]
    assert refused["a package with one byte changed"] == "package.signature"
    assert [one["guardrail"] for one in outcome["rollbacks"]] == ["score-shift"]
    assert {one["kind"] for one in outcome["signals"]} >= {"feature-drift"}


def test_the_cheat_shone_before_it_was_caught(
    played: tuple[dict[str, Any], list[str], Path],
) -> None:
    outcome, _, _ = played
    honest, cheat = outcome["models"][0], outcome["models"][2]
    assert cheat["auc"] > 0.9 > 0.8 > honest["auc"] > 0.65
    assert (honest["alias"], cheat["alias"]) == ("champion", "")


@pytest.mark.long
def test_typing_the_printed_commands_gives_the_same(
    played: tuple[dict[str, Any], list[str], Path], tmp_path: Path
) -> None:
    outcome, commands, _ = played
    script = "\n".join(f"{line} || echo {line!r} >> {tmp_path}/refused" for line in commands)
    typed = shell(script, tmp_path)
    refused = (tmp_path / "refused").read_text().splitlines()
    assert refused == ["freehold release flight-delay@2 --yes"], typed.stderr
    project = tmp_path / "played"
    models = [
        {
            "version": row["version"],
            "auc": row["headline"]["auc"],
            "alias": row["aliases"][0] if row["aliases"] else "",
        }
        for row in asked("models", project)["models"]
    ]
    assert models == outcome["models"]
    months = [
        (row["month"], row["auc_frozen"]["value"], row["auc_live"]["value"])
        for row in asked("compare flight-delay@1", project)["months"]
    ]
    assert months == [(m["month"], m["auc_frozen"], m["auc_live"]) for m in outcome["months"]]
    signals = asked("signals", project)["signals"]
    assert [
        {"kind": s["kind"], "feature": s["feature"], "day": s["window_end"]} for s in signals
    ] == outcome["signals"]
    assert asked("audit verify", project)["holds"] is True


def test_others_read_what_the_demo_left(
    played: tuple[dict[str, Any], list[str], Path],
) -> None:
    outcome, _, folder = played
    project = folder / "played"
    exported = shell("freehold audit export --to ../exported", project)
    assert exported.returncode == 0, exported.stderr
    script = Path(__file__).parents[2] / "examples" / "verify_ledger.py"
    verified = shell(f"python {script} ../exported", project)
    assert verified.returncode == 0, verified.stderr
    log = project / ".freehold" / "serving" / "log" / "*.parquet"
    (counted,) = duckdb.sql(f"select count(*) from read_parquet('{log}')").fetchall()
    assert counted[0] == outcome["rows"]


@pytest.mark.long
def test_the_whole_demo_closes_the_loop(tmp_path: Path) -> None:
    outcome, _ = demo(tmp_path)
    assert outcome["rows"] > 250_000
    assert len(outcome["refusals"]) == 3
    assert outcome["rollbacks"]
    assert outcome["retrained"]
    assert {one["kind"] for one in outcome["signals"]} & {"score-drift", "quality"}
    assert [one["month"] for one in outcome["months"]] == [f"2013-{n:02d}" for n in range(4, 13)]
    assert outcome["ledger"]["verified"] is True


@pytest.mark.long
def test_five_seeds_lead_to_the_same_events(tmp_path: Path) -> None:
    done = shell("freehold demo --into played --seeds 5 --seed 1 --json", tmp_path)
    assert done.returncode == 0, done.stderr
