import json
from math import nan

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from freehold.domain.canonical import canonical
from freehold.domain.errors import Refused
from freehold.domain.profile import Profile
from freehold.monitoring.drift import drift
from freehold.monitoring.profile import profile

numbers = st.one_of(
    st.none(), st.integers(-5, 5).map(float), st.floats(allow_nan=True, allow_infinity=True)
)
categories = st.one_of(st.none(), st.sampled_from(["a", "b", "c", "", "(none)"]))


def traffic(seed: int, count: int) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    sparse = np.where(generator.random(count) < 0.8, 0.0, generator.random(count))
    return pl.DataFrame(
        {
            "wide": generator.normal(size=count),
            "sparse": sparse,
            "hour": generator.integers(5, 24, count),
            "same": np.ones(count),
            "night": generator.random(count) < 0.1,
            "carrier": generator.choice(list("ABCDEFGHIJKLMNOP"), count, p=np.arange(16) / 120),
            "gone": pl.Series([None] * count, dtype=pl.Float64),
        }
    ).with_columns(holes=pl.when(pl.col("wide") > 1).then(None).otherwise(pl.col("wide")))


@given(st.lists(st.tuples(numbers, categories), min_size=1, max_size=60))
def test_a_table_does_not_differ_from_itself(rows: list[tuple[float | None, str | None]]) -> None:
    table = pl.DataFrame(
        {"n": [n for n, _ in rows], "c": [c for _, c in rows]},
        schema={"n": pl.Float64, "c": pl.String},
    )
    known = profile(table, scores=np.arange(len(rows)))
    assert Profile.from_json(json.loads(canonical(known.as_json()))) == known
    found = drift(known, table, scores=np.arange(len(rows)), minimum_rows=1)
    for column in (*found.columns, found.score):
        assert column.shift.psi.value == 0 and column.shift.distance == 0
        assert column.kolmogorov_smirnov.value in (0, None)
        assert column.null_share == column.baseline_null_share
    canonical(found.as_json())


def test_profiles_count_every_row_once() -> None:
    table = traffic(0, 5000)
    known = profile(table)
    assert known.rows == 5000 and known.score is None
    for name, column in known.columns.items():
        counted = column.counts.values() if name == "carrier" else column.counts
        other = column.other if name == "carrier" else 0
        assert sum(counted) + other + column.nulls == 5000
    assert known.columns["gone"].edges == () and known.columns["gone"].nulls == 5000
    wide = known.columns["wide"]
    assert len(wide.edges) == 11 and wide.counts[0] == wide.counts[-1] == 0
    assert max(wide.counts) < 510 and sum(wide.at) + sum(wide.between) == 5000


def test_a_shift_is_seen_where_it_is_and_nowhere_else() -> None:
    known = profile(traffic(0, 20_000))
    moved = traffic(1, 4000).with_columns(pl.col("wide") + 0.7, hour=pl.lit(30), same=pl.lit(2.0))
    found = {one.name: one for one in drift(known, moved).columns}
    for name in ("wide", "hour", "same"):
        assert found[name].shift.psi.low > 0.2 and found[name].p < 1e-6
    for name in ("sparse", "night", "carrier", "holes"):
        assert found[name].shift.psi.value < 0.02
    assert found["hour"].shift.distance == pytest.approx(1)


def test_new_categories_and_new_nulls_are_drift() -> None:
    known = profile(traffic(0, 20_000))
    current = traffic(1, 3000)
    new = current.with_columns(carrier=pl.lit("ZZ"), wide=pl.lit(None, dtype=pl.Float64))
    found = {one.name: one for one in drift(known, new).columns}
    assert found["carrier"].shift.distance == pytest.approx(1)
    assert found["wide"].shift.distance == pytest.approx(1)
    assert found["wide"].null_share == 1 and found["wide"].kolmogorov_smirnov.reason == "empty"
    back = current.with_columns(gone=pl.lit(1.0))
    assert {one.name: one for one in drift(known, back).columns}["gone"].shift.distance == 1


def test_kolmogorov_smirnov_against_the_profile_is_that_against_the_rows() -> None:
    first, second = traffic(0, 30_000), traffic(1, 2000).with_columns(pl.col("wide") * 1.2)
    found = {one.name: one for one in drift(profile(first), second).columns}
    for name in ("wide", "sparse", "hour"):
        peer = stats.ks_2samp(first[name].to_numpy(), second[name].to_numpy(), method="asymp")
        assert found[name].kolmogorov_smirnov.value == pytest.approx(peer.statistic, abs=0.0011)


def test_a_log_of_float32_does_not_part_equal_values() -> None:
    generator = np.random.default_rng(2)
    table = pl.DataFrame({"t": generator.choice([39.02, 39.92, 10.35702], 2000)})
    found = drift(profile(table), table.cast(pl.Float32)).columns[0]
    assert found.shift.psi.value == 0 and found.kolmogorov_smirnov.value == 0


def test_what_cannot_be_compared_says_why() -> None:
    known = profile(traffic(0, 2000), scores=[0.1] * 2000)
    window = traffic(1, 2000).drop("hour").with_columns(wide=pl.lit("text"))
    found = drift(known, window, scores=[0.2] * 100)
    named = {one.name: one for one in found.columns}
    assert named["hour"].shift.psi.reason == "missing-column"
    assert named["wide"].shift.psi.reason == "type-changed"
    assert named["carrier"].kolmogorov_smirnov.reason == "no-order"
    assert found.score.shift.psi.reason == "too-few-rows" and found.score.rows == 100
    assert drift(known, window).score is None
    small = drift(known, traffic(1, 499))
    assert {one.shift.psi.reason for one in small.columns} == {"too-few-rows"}
    assert canonical(found.as_json())


def test_categories_may_be_numbers_and_the_rarest_are_counted_together() -> None:
    table = pl.DataFrame({"code": np.arange(1500) % 1200})
    known = profile(table, categories=["code"]).columns["code"]
    assert len(known.counts) == 1000 and known.other == 1500 - 1000 - 300
    assert drift(profile(table, categories=["code"]), table).columns[0].shift.psi.value == 0


def test_columns_of_other_types_are_refused_all_at_once() -> None:
    table = pl.DataFrame({"l": [[1]], "n": [1]}).with_columns(d=pl.lit("2013-01-01").str.to_date())
    with pytest.raises(Refused) as refused:
        profile(table)
    assert [fault.where for fault in refused.value.faults] == ["l", "d"]
    assert refused.value.code == "profile.column-type"


def test_a_profile_of_another_shape_is_not_read() -> None:
    with pytest.raises(ValueError, match="shape 9"):
        Profile.from_json({"shape": 9})
    with pytest.raises(ValueError, match="not a profile"):
        Profile.from_json({"shape": 1})
    odd = {"shape": 1, "rows": 0, "score": None, "columns": {"x": {"kind": "picture"}}}
    with pytest.raises(ValueError, match="picture"):
        Profile.from_json(odd)


def test_nan_and_null_are_the_same_nothing() -> None:
    first = pl.DataFrame({"n": [1.0, nan, 2.0, nan]})
    second = pl.DataFrame({"n": [1.0, None, 2.0, None]})
    assert profile(first) == profile(second)
