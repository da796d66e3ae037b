"""`examples/three-sites/planning.py` shows what its page says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "three-sites" / "planning.py"


def test_the_plan_over_three_sites() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    home = found["home"]["placement"]
    assert {one["place"]["site"] for one in home["steps"]} == {"onprem"}
    assert home["solution"]["gap"] == 0.0
    fit = next(one for one in home["steps"] if one["step"] == "fit")
    assert {(one["site"], one["rule"]) for one in fit["refused"]} == {
        ("aws", "label"),
        ("azure", "label"),
    }
    difference = found["what_if"]["difference"]
    assert "fit" in {one["step"] for one in difference["moved"]}
    assert difference["totals"]["money"]["less"] > 0
    lowered = {one["step"]: one["place"]["site"] for one in found["lowered"]["placement"]["steps"]}
    assert lowered["fit"] == "onprem"
    assert lowered["report"] != "onprem"
    assert found["blocked"]["error"]["code"] == "budget.exceeded"
    assert found["blocked"]["error"]["faults"]
    by = {one["provider"]: one["effective"] for one in found["costs"]["totals"]}
    assert set(by) == {"AWS", "own"}
    assert by["AWS"] == pytest.approx(48.96)
    assert by["own"] > 0
