"""Sketches of parts say together what a sketch of all rows says."""

import json
import math
from collections import Counter
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.statistics.sketches import (
    ERROR,
    LARGEST,
    LONGEST,
    MOST,
    SLOTS,
    SMALLEST,
    CategorySketch,
    ColumnSketch,
    NumberSketch,
    PersonalSketch,
    category_sketch,
    merged,
    number_sketch,
    sketch_from_json,
)

SIZED = st.floats(SMALLEST, LARGEST, exclude_max=True)
VALUES = st.one_of(SIZED, SIZED.map(lambda one: -one), st.just(0.0), st.integers(-9, 9).map(float))
ANYTHING = st.one_of(VALUES, st.floats())
SHARES = (0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 1.0)


def whole_of(parts: list[list[float]]) -> NumberSketch:
    return reduce(NumberSketch.merge, (number_sketch(np.array(part, float)) for part in parts))


def told(one: NumberSketch) -> tuple[object, ...]:
    counts = one.slots.tolist(), one.counts.tolist()
    return (one.rows, one.missing, one.least, one.most, *counts)


@given(st.lists(st.lists(ANYTHING, max_size=30), min_size=1, max_size=6))
def test_parts_of_numbers_are_the_whole(parts: list[list[float]]) -> None:
    together = whole_of(parts)
    alone = number_sketch(np.array([one for part in parts for one in part], float))
    assert told(together) == told(alone)
    sizes = (abs(one) for part in parts for one in part if math.isfinite(one))
    reach = max((1.0, *(min(one, LARGEST) for one in sizes)))
    assert math.isclose(together.mean, alone.mean, rel_tol=1e-9, abs_tol=1e-12 * reach)
    assert math.isclose(together.squares, alone.squares, rel_tol=1e-6, abs_tol=1e-12 * reach**2)
    assert told(whole_of(parts[::-1])) == told(alone)


@given(st.lists(VALUES, min_size=1, max_size=200), st.integers(1, 5))
def test_a_quantile_is_within_the_stated_error(values: list[float], cuts: int) -> None:
    together = whole_of([values[at::cuts] for at in range(cuts)])
    ordered = sorted(values)
    for share in SHARES:
        true = ordered[max(1, math.ceil(share * len(ordered))) - 1]
        found = together.quantile(share)
        assert found is not None
        assert abs(found - true) <= ERROR * abs(true)


def test_mean_and_deviation_are_those_of_all_rows() -> None:
    random = np.random.default_rng(5)
    values = random.normal(1000, 3, 10_000)
    together = reduce(NumberSketch.merge, map(number_sketch, np.array_split(values, 37)))
    assert together.mean == pytest.approx(values.mean(), rel=1e-12)
    assert together.deviation == pytest.approx(values.std(ddof=1), rel=1e-9)


def test_what_is_no_number_is_missing_and_what_is_huge_costs_no_room() -> None:
    odd = [math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, -0.0, 0.0, LARGEST]
    found = number_sketch(np.array(odd))
    assert (found.rows, found.missing) == (9, 3)
    assert found.slots.tolist() == [-SLOTS, 0, SLOTS]
    assert found.counts.tolist() == [1, 3, 2]
    assert (found.least, found.most) == (-1e308, 1e308)
    assert math.isfinite(found.mean) and math.isfinite(found.squares)
    empty = number_sketch(np.array([]))
    assert (empty.quantile(0.5), empty.deviation) == (None, None)
    assert told(empty.merge(found)) == told(found)


NAMES = st.integers(0, 900).map(lambda n: f"value-{n}")


@given(st.lists(st.lists(NAMES, max_size=2000), min_size=1, max_size=4))
def test_counts_of_categories_are_right_but_for_what_is_uncertain(parts: list[list[str]]) -> None:
    sketches = [category_sketch(len(part), 0, Counter(part)) for part in parts]
    together = reduce(CategorySketch.merge, sketches)
    true = Counter(one for part in parts for one in part)
    assert together.rows == true.total() and len(together.counts) <= MOST
    assert together.uncertain <= together.rows / (MOST + 1)
    for value, count in true.items():
        assert 0 <= count - together.counts.get(value, 0) <= together.uncertain
    assert set(together.counts) <= set(true)


def test_many_values_are_held_in_bounded_room() -> None:
    random = np.random.default_rng(6)
    parts = [Counter(map(str, random.zipf(1.3, 5000) % 5000)) for _ in range(20)]
    together = reduce(
        CategorySketch.merge, (category_sketch(part.total(), 0, part) for part in parts)
    )
    true = sum(parts, Counter[str]())
    assert len(together.counts) <= MOST < len(true)
    assert 0 < together.uncertain <= together.rows / (MOST + 1)
    usual = [value for value, _ in true.most_common(5)]
    assert list(together.counts)[:5] == usual


def test_a_long_value_is_counted_and_not_named() -> None:
    long = "x" * (LONGEST + 1)
    found = category_sketch(7, 1, {long: 4, "short": 2})
    assert (found.rows, dict(found.counts), found.uncertain) == (7, {"short": 2}, 4)


@given(
    st.one_of(
        st.lists(ANYTHING, max_size=20).map(lambda values: number_sketch(np.array(values, float))),
        st.lists(NAMES, max_size=20).map(lambda one: category_sketch(len(one), 0, Counter(one))),
        st.integers(0, 9).map(lambda missing: PersonalSketch(9, missing)),
    )
)
def test_a_sketch_is_read_as_it_was_written(one: ColumnSketch) -> None:
    written = json.dumps(one.as_json(), allow_nan=False)
    assert sketch_from_json(json.loads(written)).as_json() == one.as_json()


def test_what_is_no_sketch_is_refused() -> None:
    for odd in ({}, {"kind": "tree"}, {"kind": "number"}, {"kind": "category", "counts": 3}):
        with pytest.raises(ValueError, match="sketch"):
            sketch_from_json(odd)


def test_of_a_column_that_changed_only_the_rows_are_known() -> None:
    numbers = number_sketch(np.array([1.0, math.nan]))
    personal = PersonalSketch(5, 1)
    names = category_sketch(3, 0, {"a": 3})
    assert merged(numbers, personal) == merged(personal, numbers) == PersonalSketch(7, 2)
    assert merged(merged(numbers, names), names) == PersonalSketch(8, 1)
