"""The exported history, verified by a script that knows nothing of ours."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from freehold.adapters.keys.signer import FileSigner
from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.domain.fact import Draft
from freehold.governance.export import export_lines
from freehold.governance.history import verify_ledger

SCRIPT = Path(__file__).parents[3] / "examples" / "verify_ledger.py"


@pytest.fixture
def exported(tmp_path: Path) -> tuple[Path, str]:
    """A folder, and the root over its eleven entries."""
    signer = FileSigner.create(tmp_path / "site.key")
    ledger = SqliteLedger(
        tmp_path / "ledger.db", writer="büro", signer=signer, clock=count(10**15).__next__
    )
    for size in (5, 1, 5):
        ledger.append([Draft("a.done", {"n": n, "text": "früh\n"}) for n in range(size)])
    folder = tmp_path / "exported"
    folder.mkdir()
    for name, lines in export_lines(ledger):
        (folder / name).write_bytes(b"".join(lines))
    (folder / "site.pub").write_bytes(signer.public.pem)
    root = verify_ledger(ledger, signer.public).root
    ledger.close()
    return folder, root


def run(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(folder)], capture_output=True, text=True
    )


def test_a_good_export_verifies(exported: tuple[Path, str]) -> None:
    folder, root = exported
    done = run(folder)
    assert (done.returncode, done.stdout) == (0, f"size 11 root {root}\n"), done.stderr


def test_an_empty_export_verifies(exported: tuple[Path, str]) -> None:
    folder, _ = exported
    for name in ("entries.jsonl", "checkpoints.jsonl"):
        (folder / name).write_bytes(b"")
    assert run(folder).stdout.startswith("size 0 root e3b0c442")


def _swap(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[6], *lines[4:6], lines[3], *lines[7:]]


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda lines: [*lines[:8], lines[8].replace(b'"n":2', b'"n":3'), *lines[9:]], 9),
        (lambda lines: [bytes([lines[0][0] ^ 1]) + lines[0][1:], *lines[1:]], 1),
        (lambda lines: [*lines[:4], *lines[5:]], 5),
        (lambda lines: lines[:-1], 11),
        (_swap, 4),
        (lambda lines: [*lines, lines[0]], 12),
    ],
    ids=["altered", "flipped", "dropped", "cut", "swapped", "added"],
)
def test_the_first_bad_entry_is_named(
    exported: tuple[Path, str], damage: Callable[[list[bytes]], list[bytes]], line: int
) -> None:
    file = exported[0] / "entries.jsonl"
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"".join(text + b"\n" for text in damage(lines)))
    done = run(exported[0])
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"entries.jsonl line {line} ")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("root", "00" * 32),
        ("size", 7),
        ("signature", "00"),
        ("signature", 3),
        ("leaves", ["00" * 32]),
        ("leaves", []),
        ("leaves", None),
        ("wall", 0),
    ],
)
def test_the_first_bad_checkpoint_is_named(
    exported: tuple[Path, str], field: str, value: object
) -> None:
    file = exported[0] / "checkpoints.jsonl"
    lines = file.read_text().splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), field: value})
    file.write_text("".join(line + "\n" for line in lines))
    done = run(exported[0])
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("checkpoints.jsonl line 2")


def test_the_script_is_short_and_knows_nothing_of_ours() -> None:
    source = SCRIPT.read_text()
    assert len(source.splitlines()) <= 40
    nodes = list(ast.walk(ast.parse(source)))
    imported = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    imported |= {str(n.module).split(".")[0] for n in nodes if isinstance(n, ast.ImportFrom)}
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}
