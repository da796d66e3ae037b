"""When an objective is missed."""

from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.project import ObjectiveSpec
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
    how = missed(ObjectiveSpec(answered=answered), rows, failed)
    assert bool(how) == (rows >= 1000 and failed > (1 - answered) * rows)
    assert not how or f"{failed:,} of {rows:,}" in how


def test_where_nothing_was_promised_nothing_is_missed() -> None:
    assert missed(ObjectiveSpec(), 100_000, 100_000) == ""
