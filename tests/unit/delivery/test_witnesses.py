"""Which requests a rollback is told by."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.delivery.witnesses import FEW, Witness, witnesses

ROW = st.fixed_dictionaries(
    {
        "request_id": st.sampled_from("abcdef"),
        "at": st.integers(0, 5),
        "error": st.none() | st.just("endpoint.model-failed"),
        "latency_us": st.none() | st.floats(0, 1e6),
        "reference_latency_us": st.none() | st.floats(0, 1e6),
    }
)
SCHEMA = {
    "request_id": pl.String,
    "at": pl.Int64,
    "error": pl.String,
    "latency_us": pl.Float64,
    "reference_latency_us": pl.Float64,
}


def table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA).cast({"at": pl.Datetime("us", "UTC")})


@given(rows=st.lists(ROW, max_size=12))
def test_the_first_that_failed(rows: list[dict[str, Any]]) -> None:
    failed = sorted((row for row in rows if row["error"]), key=lambda row: row["at"])
    keys = list(dict.fromkeys((row["request_id"], row["at"]) for row in failed))
    found = witnesses(table(rows), "error-rate")
    assert [(one.request, one.at) for one in found] == keys[:FEW]
    assert all(one.error and one.ratio is None for one in found)


@given(rows=st.lists(ROW, max_size=12))
def test_the_slowest_beside_the_champion(rows: list[dict[str, Any]]) -> None:
    known = [row for row in rows if row["latency_us"] is not None and row["reference_latency_us"]]
    ratios: dict[Any, float] = {}
    for row in known:
        key, ratio = (row["request_id"], row["at"]), row["latency_us"] / row["reference_latency_us"]
        if ratio < float("inf"):
            ratios[key] = max(ratio, ratios.get(key, 0.0))
    found = witnesses(table(rows), "latency-ratio")
    assert [one.ratio for one in found] == sorted(ratios.values(), reverse=True)[:FEW]
    assert all(ratios[one.request, one.at] == one.ratio for one in found)


@pytest.mark.parametrize("guardrail", ["score-shift", "quality-drop", "metric:revenue", "trial"])
def test_what_all_rows_tell_together_has_none(guardrail: str) -> None:
    row = {"request_id": "a", "at": 0, "error": "e", "latency_us": 9, "reference_latency_us": 1}
    assert witnesses(table([row]), guardrail) == ()


def test_one_is_told_and_read_back() -> None:
    at = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp()) * 1_000_000
    for one in (Witness("r", at, "e"), Witness("r", at, ratio=12.345)):
        assert Witness.from_json(one.as_json()) == one
    assert Witness("r", at, "e").sentence == "request r failed: e"
    assert Witness("r", at, ratio=12.345).sentence == "request r took 12.3 times as long"
