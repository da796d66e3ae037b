"""An import that is killed: nothing of its bills is there, or all of them."""

from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from freehold.app.audit.verify import audit
from freehold.app.costs.bill_import import examine, keep
from freehold.app.costs.reading import ReadAs, read_bills
from freehold.app.costs.rows import usage_frames
from freehold.app.site.opening import open_site
from freehold.catalog.spending import bills as kept_bills
from tests.focus import bills

ACCOUNTS = ("123456789012", "999999999999")
SCRIPT = """
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from freehold.app.costs.bill_import import examine, keep
from freehold.app.costs.reading import ReadAs, read_bills
from freehold.app.site.opening import open_site

folder = Path(sys.argv[1])
with open_site(folder) as site, TemporaryDirectory() as scratch:
    files = sorted(folder.glob("*.csv"))
    read = read_bills(files, ReadAs(), Path(scratch))
    examined = examine(site, read, False)
    acknowledge("examined")
    if sys.argv[2] == "keep":
        keep(site, read, examined)
        acknowledge("kept")
"""


@pytest.fixture
def offices(tmp_path: Path) -> Callable[[], Path]:
    """Folders with a project and two bills, of two accounts."""
    numbers = count()

    def make() -> Path:
        folder = tmp_path / f"office-{next(numbers)}"
        folder.mkdir()
        (folder / "freehold.yaml").write_text("project: acme\npipelines: {}\nsite: racks\n")
        for account in ACCOUNTS:
            rows = [{**row, "BillingAccountId": account} for row in bills.january()]
            (folder / f"{account}.csv").write_bytes(bills.csv(rows))
        with open_site(folder):
            pass
        return folder

    return make


def seeds_within(first: int, lines: int) -> Iterator[int]:
    """Those whose line, as `run_until_killed` chooses it, is after `first`."""
    return (seed for seed in count() if Random(seed).randrange(1, lines + 1) > first)


def accounts(folder: Path) -> list[str]:
    with open_site(folder) as site:
        found = sorted(one.account for one in kept_bills(site.state))
        rows = usage_frames(site).collect()
        assert sorted(set(rows["BillingAccountId"])) == found
        assert rows.height == len(found) * len(bills.january())
        report = audit(site)
        assert report.history.holds, report.history.faults
    return found


def bring(folder: Path) -> None:
    with open_site(folder) as site, TemporaryDirectory() as scratch:
        read = read_bills(sorted(folder.glob("*.csv")), ReadAs(), Path(scratch))
        keep(site, read, examine(site, read, False))


@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.long)])
def test_a_kill_within_an_import_keeps_all_of_it_or_nothing(
    offices: Callable[[], Path], crash: Any, kills: int
) -> None:
    before = crash.count_lines(SCRIPT, [offices(), "look"])
    lines = crash.count_lines(SCRIPT, [offices(), "keep"])
    assert lines > before
    killed = 0
    for seed in islice(seeds_within(before, lines), kills):
        folder = offices()
        outcome = crash.run_until_killed(SCRIPT, [folder, "keep"], seed=seed, lines=lines)
        killed += outcome.killed
        assert "examined" in outcome.acknowledged, outcome.place
        found = accounts(folder)
        assert found in ([], list(ACCOUNTS)), outcome.place
        if "kept" in outcome.acknowledged:
            assert found == list(ACCOUNTS)
        bring(folder)
        assert accounts(folder) == list(ACCOUNTS)
    assert killed
