"""What counts as labels: 0 and 1 however they are written, at a time, or a fault that says why."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from freehold.app.traffic.label_file import labels_of_file
from freehold.app.traffic.labels import SCHEMA, read_labels
from freehold.domain.errors import Refused

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def table(labels: Any = (1, 0), times: Any = None, ids: Any = None) -> pl.DataFrame:
    size = len(labels)
    return pl.DataFrame(
        {
            "prediction_id": ids if ids is not None else [f"p{n}" for n in range(size)],
            "label": labels,
            "labelled_at": times if times is not None else [NOON] * size,
        }
    )


def faults(given: pl.DataFrame) -> list[tuple[str, str, str]]:
    with pytest.raises(Refused) as caught:
        read_labels(given)
    assert all(one.hint for one in caught.value.faults)
    return [(one.code, one.where, one.what) for one in caught.value.faults]


@pytest.mark.parametrize(
    "labels",
    [
        [1, 0, None],
        [True, False, None],
        [1.0, 0.0, float("nan")],
        ["1", "0", ""],
        ["true", " False ", "null"],
        pl.Series([1, 0, None], dtype=pl.UInt64),
    ],
    ids=str,
)
def test_these_are_one_nought_and_not_known(labels: Any) -> None:
    read = read_labels(table(labels))
    assert read.rows["label"].to_list() == [1, 0]
    assert read.rows.schema == SCHEMA
    assert read.left_out == 1


@pytest.mark.parametrize(
    ("labels", "count", "shown"),
    [
        ([5, 1, 0], 1, "'5'"),
        ([2**40, 1, -1], 2, f"'{2**40}', '-1'"),
        ([0.7, 1.0], 1, "'0.7'"),
        (["yes", "no", "1"], 2, "'yes', 'no'"),
        ([2, 3, 4, 5, 5], 5, "'2', '3', '4', …"),
    ],
)
def test_any_other_label_is_counted_and_shown(labels: Any, count: int, shown: str) -> None:
    """One such label in the store would make every later figure impossible."""
    ((code, where, what),) = faults(table(labels))
    assert (code, where) == ("labels.values", "label")
    assert what == f"{count} of {len(labels)} rows have another label: {shown}"


def test_lists_are_no_labels() -> None:
    assert faults(table([[1], [0]]))[0][:2] == ("labels.values", "label")


@pytest.mark.parametrize(
    "time",
    [
        NOON,
        datetime(2026, 1, 1, 12),
        datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2))),
        "2026-01-01T12:00:00Z",
        "2026-01-01 12:00",
        "2026-01-01T14:00:00+02:00",
    ],
    ids=str,
)
def test_these_are_the_same_time(time: Any) -> None:
    assert read_labels(table([1], [time])).rows["labelled_at"].to_list() == [NOON]


def test_a_day_begins_at_midnight_utc() -> None:
    midnight = datetime(2026, 1, 1, tzinfo=UTC)
    for day in (date(2026, 1, 1), "2026-01-01"):
        assert read_labels(table([1], [day])).rows["labelled_at"].to_list() == [midnight]


def test_a_time_that_cannot_be_read_is_counted_and_shown() -> None:
    ((code, where, what),) = faults(table([1, 0, 1], ["2026-01-01", "yesterday", ""]))
    assert (code, where) == ("labels.times", "labelled_at")
    assert what == "1 of 3 rows have no time: 'yesterday'"


@pytest.mark.parametrize("times", [[1_767_268_800], [1.5], [True]])
def test_a_number_is_no_time(times: Any) -> None:
    assert faults(table([1], times))[0][:2] == ("labels.times", "labelled_at")


def test_all_faults_come_at_once() -> None:
    found = faults(table([5], ["then"], pl.Series([b"x"]).reshape((1, 1))))
    assert [code for code, _, _ in found] == ["labels.columns", "labels.values", "labels.times"]
    missing = faults(pl.DataFrame({"label": [1]}))
    assert [where for _, where, _ in missing] == ["prediction_id", "labelled_at"]


def test_rows_without_an_id_or_a_time_are_left_out() -> None:
    read = read_labels(table([1, 0, 1], [NOON, None, NOON], ["a", "b", None]))
    assert read.rows["prediction_id"].to_list() == ["a"]
    assert read.as_json() == {
        "rows": 1,
        "positives": 1,
        "left_out": 2,
        "first": NOON.isoformat(),
        "last": NOON.isoformat(),
    }


def test_an_empty_table_has_nothing_to_keep() -> None:
    read = read_labels(pl.DataFrame(schema=SCHEMA))
    assert read.as_json() == {
        "rows": 0,
        "positives": 0,
        "left_out": 0,
        "first": None,
        "last": None,
    }


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    lines = ["prediction_id,label,labelled_at", "007,1,2026-01-01T12:00:00Z", "b,false,2026-01-01"]
    (tmp_path / "labels.csv").write_text("\n".join([*lines, "c,,2026-01-01"]) + "\n")
    from_csv = labels_of_file(tmp_path / "labels.csv")
    assert from_csv.rows["prediction_id"].to_list() == ["007", "b"]
    assert from_csv.rows["label"].to_list() == [1, 0]
    from_csv.rows.write_parquet(tmp_path / "labels.parquet")
    assert labels_of_file(tmp_path / "labels.parquet").rows.equals(from_csv.rows)
