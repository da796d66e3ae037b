"""What an endpoint's log and events say about a shadow and what was dropped."""

from pathlib import Path

import polars as pl
import pytest

from benchmarks.serving.costs import dropped, shadowed


def test_shares_of_rows_that_a_shadow_scored(tmp_path: Path) -> None:
    """By the size of requests, over all parts; others' sizes are left out."""
    many = [None] * 60 + [2] * 4
    parts = [
        {"request_id": ["a", "b", "c"], "shadow_version": [None, 2, None]},
        {"request_id": ["d"] * 64 + ["e"], "shadow_version": [*many, 2]},
        {"request_id": ["f", "f"], "shadow_version": [2, 2]},
    ]
    for number, part in enumerate(parts):
        schema = {"request_id": pl.String, "shadow_version": pl.Int64}
        pl.DataFrame(part, schema).write_parquet(tmp_path / f"part-{number}.parquet")
    assert shadowed(tmp_path) == {1: pytest.approx(0.5), 64: pytest.approx(4 / 64)}


def test_what_the_log_dropped(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text('{"type": "endpoint.loaded"}')
    (tmp_path / "2.json").write_text('{"type": "endpoint.stopped", "rows": 90, "dropped": 10}')
    assert dropped(tmp_path) == pytest.approx(0.1)
