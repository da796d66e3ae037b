"""When an objective is missed."""

from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.project import ObjectiveSpec
from freehold.domain.signal import Window
from freehold.monitoring.objective import missed


@given(
    answered=st.floats(0.5, 0.9999),
    rows=st.integers(0, 100_000),
    share=st.floats(0, 1),
)
def test_it_is_missed_when_more_fail_than_it_leaves_room_for(
    answered: float, rows: int, share: float
) -> None:
    failed = round(share * rows)
    found = missed(ObjectiveSpec(answered=answered), rows, failed)
    assert (found is not None) == (rows >= 1000 and failed > (1 - answered) * rows)
    if found is not None:
        assert f"{failed:,} of {rows:,}" in found.sentence
        signal = found.signal("delay", Window("2026-01-01", "2026-01-28"))
        assert signal.low <= signal.value <= signal.high
        assert signal.value == failed / rows > signal.limit == 1 - answered
        assert (signal.rows, signal.severity) == (rows, "warning")


def test_where_nothing_was_promised_nothing_is_missed() -> None:
    assert missed(ObjectiveSpec(), 100_000, 100_000) is None


def test_of_nothing_asked_nothing_is_missed() -> None:
    assert missed(ObjectiveSpec(answered=0.99, rows=0), 0, 0) is None
