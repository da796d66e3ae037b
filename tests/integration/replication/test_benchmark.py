"""The benchmark of replication runs and says what it found; how fast is no test's concern."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PARTS = ("lag", "catching-up", "merge")


def test_its_shortest_form_gives_figures_ratios_and_aims() -> None:
    """Without the part that installs a peer."""
    options = ["--short", "--json", "--stores", "folder", "--only", *PARTS]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.replication", *options],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(done.stdout)
    assert {"question", "measured", "machine", "versions"} < found.keys()
    assert found["figures"]["lag over folder, median ms"] > 0
    assert found["figures"]["300 entries over folder, taken by a new site, s"] > 0
    assert found["figures"]["three histories of 300 entries, received, entries/s"] > 0
    assert found["ratios"]["lag over folder / one put, list and get"] > 0
    assert set(found["aims"].values()) <= {"met", "missed", "not measured"}
    assert "merge over 50,000 entries/s" in found["aims"]
