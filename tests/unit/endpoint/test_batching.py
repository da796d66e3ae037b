"""Many callers' rows in one call of a model: whose answers they get, and what a failure costs."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.domain.columns import Column, Columns
from freehold.domain.errors import Failed
from freehold.endpoint import batching
from freehold.endpoint.batching import Batching, BatchingPredictor, Worth, worth_of
from freehold.ports.model_runtime import Elsewhere, Predictor

COLUMNS = Columns((Column("a", "number"), Column("b", "category", ("x", "y"))))


class Model(Predictor):
    """Says its first column. Holds its first call until it is let, so that others gather."""

    width = 2

    def __init__(self, *, holds: bool = False) -> None:
        self.calls: list[int] = []
        self.begun, self.let = threading.Event(), threading.Event()
        if not holds:
            self.let.set()

    def predict(self, matrix: Any) -> Any:
        self.calls.append(len(matrix))
        self.begun.set()
        assert self.let.wait(60)
        if (matrix[:, 0] == 13).any():
            raise ValueError("thirteen")
        if (matrix[:, 0] == 17).any():
            raise Failed("too long", code="runtime.timed-out")
        if (matrix[:, 0] == 19).any():
            return np.full(len(matrix), np.nan)
        return matrix[:, 0].astype(np.float64)


def gathered(model: Model, rows: int, asked: list[list[float]]) -> list[Any]:
    """Asks the first alone, which is held until all others wait."""
    predictor = BatchingPredictor(model, Worth(rows), Batching())
    with ThreadPoolExecutor(len(asked)) as pool:
        first = pool.submit(predictor.predict, of(asked[0]))
        assert model.begun.wait(60)
        others = [pool.submit(predictor.predict, of(one)) for one in asked[1:]]
        while len(predictor._waiting) < len(others):
            pass
        model.let.set()
        found = [first, *others]
        return [one.exception(60) or one.result().tolist() for one in found]


def of(values: list[float]) -> Any:
    return np.array([[value, 0] for value in values], dtype=np.float32)


def test_who_waits_is_answered_together() -> None:
    model = Model(holds=True)
    assert gathered(model, 8, [[1], [2], [3, 4], [5]]) == [[1], [2], [3, 4], [5]]
    assert model.calls == [1, 4]


def test_a_batch_has_no_more_rows_than_it_may() -> None:
    model = Model(holds=True)
    asked = [[float(n), float(n)] for n in range(20, 31)]
    assert gathered(model, 8, asked) == asked
    assert model.calls == [2, 8, 8, 4]


def test_large_requests_go_alone() -> None:
    model = Model()
    predictor = BatchingPredictor(model, Worth(8), Batching())
    assert predictor.predict(of([1, 2, 3, 4, 5])).tolist() == [1, 2, 3, 4, 5]
    assert predictor.predict(np.empty((0, 2), dtype=np.float32)).tolist() == []


@pytest.mark.parametrize("bad", [13, 19])
def test_one_that_fails_costs_no_other_its_answer(bad: float) -> None:
    model = Model(holds=True)
    first, second, third, fourth = gathered(model, 8, [[1], [2], [bad], [4]])
    assert (first, second, fourth) == ([1], [2], [4])
    assert isinstance(third, ValueError) if bad == 13 else np.isnan(third).all()


def test_one_that_takes_too_long_takes_those_with_it_and_no_more() -> None:
    model = Model(holds=True)
    found = gathered(model, 3, [[1], [2], [17], [3], [4], [5], [6]])
    assert [getattr(one, "code", one) for one in found] == [
        [1],
        *["runtime.timed-out"] * 3,
        [4],
        [5],
        [6],
    ]


@settings(max_examples=60, deadline=None)
@given(
    asked=st.lists(
        st.lists(st.sampled_from([1.0, 2.0, 3.0, 13.0, 19.0]), min_size=1, max_size=6),
        min_size=1,
        max_size=12,
    ),
    rows=st.integers(2, 16),
)
def test_each_gets_what_it_would_get_alone(asked: list[list[float]], rows: int) -> None:
    model = Model()
    predictor = BatchingPredictor(model, Worth(rows), Batching())

    def ask(values: list[float]) -> Any:
        try:
            return repr(predictor.predict(of(values)).tolist())
        except ValueError as exc:
            return repr(exc)

    def alone(values: list[float]) -> Any:
        try:
            return repr(Model().predict(of(values)).tolist())
        except ValueError as exc:
            return repr(exc)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, asked)) == [alone(values) for values in asked]


def _missing(rows: int) -> Any:
    return np.full((rows, 2), np.nan, dtype=np.float32)


class Priced(Predictor):
    """Its cost is counted by a clock of its own."""

    width = 2

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: float, row: float) -> None:
        self.now, self.call, self.row, self.drifts = 0.0, call, row, 0.0
        monkeypatch.setattr("freehold.endpoint.batching.perf_counter", lambda: self.now)

    def predict(self, matrix: Any) -> Any:
        assert np.isnan(matrix[:, 1]).all()
        self.now += self.call + self.row * len(matrix)
        return np.full(len(matrix), 0.5 + self.drifts * len(matrix))


class PricedElsewhere(Priced, Elsewhere):
    deadline = 1.0


@pytest.mark.parametrize(
    ("call", "row", "rows"),
    [
        (0.0005, 0.0, 256),  # all for the call
        (0.0005, 0.00001, 128),  # 256 rows would take 2.6 ms longer than one
        (0.0005, 0.0005, 0),  # nothing is gained: at four rows the delay is reached
        (0.0001, 0.000001, 0),  # not worth a thread
    ],
)
def test_a_batch_is_as_large_as_gains_within_the_delay(
    monkeypatch: pytest.MonkeyPatch, call: float, row: float, rows: int
) -> None:
    assert worth_of(Priced(monkeypatch, call, row), COLUMNS, 0.002).rows == rows


def test_of_a_model_elsewhere_whatever_gains_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert worth_of(PricedElsewhere(monkeypatch, 0.0001, 0.000001), COLUMNS, 0.002).rows == 256
    assert worth_of(PricedElsewhere(monkeypatch, 0.0001, 0.001), COLUMNS, 0.002).rows == 0


def test_a_model_whose_answers_change_in_a_batch_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Priced(monkeypatch, 0.0005, 0.0)
    model.drifts = 1e-5
    assert worth_of(model, COLUMNS, 0.002).rows == 0


def test_without_a_delay_nothing_is_batched() -> None:
    model = Model()
    assert Batching(0.0).of(model, COLUMNS) is model and not model.calls


def test_a_model_that_becomes_slower_is_asked_fewer_rows_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No more than the stated delay is added for long, and what it was comes back."""
    model = PricedElsewhere(monkeypatch, 0.001, 0.00001)
    counts = Batching(delay=0.002)
    predictor = counts.of(model, COLUMNS)
    assert isinstance(predictor, BatchingPredictor)
    most = predictor._most
    took: list[float] = []

    def together(rows: int) -> int:
        """As many callers of one row as the batch takes; how many those were."""
        calls = [batching._Call(_missing(1)) for _ in range(rows)]
        predictor._waiting.extend(calls)
        predictor._is_led = True
        before, requests = model.now, counts.requests
        predictor._lead()
        took.append(model.now - before)
        predictor._waiting.clear()
        return counts.requests - requests

    assert together(300) == most and counts.late == 0
    model.row = 0.0005  # So that more than five rows add more than two milliseconds.
    for _ in range(12):
        together(300)
    assert counts.late >= 5
    late = [seconds for seconds in took[7:] if seconds > 0.00101 + 0.002]
    assert len(late) < len(took[7:]) and max(took[7:]) <= 0.001 + 7 * 0.0005
    model.row = 0.00001
    for _ in range(most):
        together(300)
    assert together(300) == most
