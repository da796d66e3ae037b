"""Several processes at one ledger: they take turns, and nobody loses anything."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import orjson

from freehold.adapters.keys.signer import FileSigner
from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.governance.history import verify_ledger

SCRIPT = """
import sys
from pathlib import Path
from time import time_ns
from freehold.adapters.keys.signer import FileSigner
from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.ports.contracts.ledger import NOTES, written

folder, name = Path(sys.argv[1]), sys.argv[2]
sys.stdin.readline()
ledger = SqliteLedger(
    folder / "ledger.db", writer="laptop", signer=FileSigner(folder / "site.key"),
    clock=lambda: time_ns() // 1000, projections=(NOTES,),
)
for number in range(25):
    def add_one(state):
        before = state.get("notes", "count") or {"text": 0}
        return [written("count", before["text"] + 1), written(name, number)]
    ledger.decide(add_one)
ledger.close()
"""


def test_processes_take_turns_from_the_first_entry_on(tmp_path: Path) -> None:
    signer = FileSigner.create(tmp_path / "site.key")
    children = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path), f"child-{number}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        for number in range(4)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    errors = [child.communicate(timeout=120)[1] for child in children]
    assert [child.returncode for child in children] == [0] * 4, errors
    with closing(
        SqliteLedger(tmp_path / "ledger.db", writer="laptop", signer=signer, clock=lambda: 0)
    ) as ledger:
        assert verify_ledger(ledger, signer.public).entries == 200
        bodies = [orjson.loads(line)["body"] for _, line in ledger.lines()]
        assert [body["text"] for body in bodies[::2]] == list(range(1, 101))
        for number in range(4):
            mine = [body["text"] for body in bodies if body["key"] == f"child-{number}"]
            assert mine == list(range(25))
        assert ledger.state.get("notes", "count") == {"text": 100, "times": 100}
