"""A project of one site, and what is brought to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest

from freehold.app.costs.bill_import import Examined, examine, keep
from freehold.app.costs.reading import ReadAs, ReadBills, read_bills
from freehold.app.costs.rows import usage_frames
from freehold.app.site.opening import Site, open_site

FILE = "project: acme\npipelines: {}\nsite: racks\n"


@dataclass
class Office:
    """Where bills arrive."""

    folder: Path
    site: Site

    def write(self, **files: bytes) -> list[Path]:
        """`january__csv_gz` → `january.csv.gz`."""
        paths = []
        for name, data in files.items():
            stem, _, endings = name.partition("__")
            paths.append(self.folder / f"{stem}.{endings.replace('_', '.')}")
            paths[-1].write_bytes(data)
        return paths

    def read(self, told: ReadAs | None = None, **files: bytes) -> ReadBills:
        """The frames of the bills are in memory."""
        with TemporaryDirectory() as scratch:
            read = read_bills(self.write(**files), told or ReadAs(), Path(scratch))
            for bill in read.bills:
                object.__setattr__(bill, "rows", bill.rows.collect().lazy())
        return read

    def bring(
        self, told: ReadAs | None = None, replace: bool = False, **files: bytes
    ) -> list[Examined]:
        read = self.read(told, **files)
        examined = examine(self.site, read, replace)
        keep(self.site, read, examined)
        return examined

    def rows(self) -> pl.DataFrame:
        return usage_frames(self.site).collect()

    def facts(self) -> int:
        return sum(1 for _ in self.site.ledger.lines())


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "freehold.yaml").write_text(FILE)
    clock = count(1_700_000_000_000_000, 1000)
    with open_site(tmp_path / "project", clock.__next__) as site:
        yield Office(tmp_path, site)
