"""Fuzzing by what the code does with an input: a little here each time, much in the long form."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fuzzing.law import check
from fuzzing.targets import ALL, TARGETS

ROOT = Path(__file__).parents[3]
SHORT, LONG = 2_000, 100_000
REACHED = re.compile(r"(INITED|DONE)\s+cov: (\d+)")


def fuzzed(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    """As a person types it; with one seed, and no chance in the order of sets.

    By a shell: the most memory that a process ever held, which the fuzzer bounds, begins with what
    the one had that started it, and tests hold more than a shell.
    """
    typed = [sys.executable, "-m", "tests.fuzzing", *map(str, words)]
    command = ["/bin/sh", "-c", '"$@"; exit $?', "sh", *typed]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace"
    )


def campaign(name: str, found: Path, runs: int, seed: int = 1) -> None:
    ended = fuzzed(name, "--runs", str(runs), "--seed", str(seed), "--found", found)
    assert ended.returncode == 0, ended.stderr[-6000:]
    assert f"Done {runs} runs" in ended.stderr
    reached = {moment: int(count) for moment, count in REACHED.findall(ended.stderr)}
    assert reached["DONE"] > reached["INITED"] > 0, "no input reached more than the seeds"
    assert not list(found.iterdir())


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks_a_law(name: str, tmp_path: Path) -> None:
    campaign(name, tmp_path / "found", SHORT // TARGETS[name].of_counts)


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_no_input_of_very_many_breaks_a_law(name: str, tmp_path: Path) -> None:
    campaign(name, tmp_path / "found", LONG // TARGETS[name].of_counts, seed=2)


@pytest.mark.parametrize("name", ALL)
def test_most_seeds_are_taken(name: str) -> None:
    target = ALL[name]
    taken = sum(check(target, data) for data in target.seeds)
    assert 0 < len(target.seeds) - 1 <= taken or taken == len(target.seeds) == 1


def test_what_is_wrong_is_found_told_and_tried_again(tmp_path: Path) -> None:
    ended = fuzzed("planted", "--runs", "-1", "--found", tmp_path)
    assert ended.returncode == 1
    (found,) = tmp_path.iterdir()
    assert "KeyError: 'planted'" in ended.stderr
    assert f"found: {found.read_bytes()!r}" in ended.stderr
    assert f"replay: python -m tests.fuzzing planted --replay {found}" in ended.stderr
    again = fuzzed("planted", "--replay", found)
    assert again.returncode == 1 and "KeyError: 'planted'" in again.stderr
    good = tmp_path / "good"
    good.write_bytes(b"good")
    right = fuzzed("planted", "--replay", good)
    assert (right.returncode, right.stdout) == (0, f"{good}: taken, as it should be\n")


def test_the_same_seed_gives_the_same_inputs(tmp_path: Path) -> None:
    kept = []
    for corpus in (tmp_path / "one", tmp_path / "two"):
        ended = fuzzed("routing", "--runs", "1500", "--corpus", corpus, "--found", tmp_path / "no")
        assert ended.returncode == 0, ended.stderr[-3000:]
        kept.append({path.name: path.read_bytes() for path in corpus.iterdir()})
    assert kept[0] == kept[1] and len(kept[0]) > len(TARGETS["routing"].seeds)


def test_what_cannot_be_asked_for_is_named() -> None:
    ended = fuzzed("nothing")
    assert ended.returncode == 2 and "messages" in ended.stderr
    listed = fuzzed("--list").stdout
    assert all(name in listed for name in ALL)
