"""Digests in rows of bytes: what a sorted set of their texts says, they say."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from freehold.replication.digests import Digests

digests = st.lists(
    st.one_of(
        st.binary(min_size=32, max_size=32),
        st.binary(max_size=2).map(lambda some: some.ljust(32, b"\0")),
        st.binary(max_size=2).map(lambda some: some.rjust(32, b"\0")),
    ).map(lambda digest: f"sha256:{digest.hex()}")
)
ZEROS = [f"sha256:{'00' * 32}", f"sha256:01{'00' * 31}", f"sha256:01{'00' * 30}01"]


@given(digests, digests)
@example(ZEROS, [*ZEROS[1:], *ZEROS])
def test_they_are_a_sorted_set(some: list[str], others: list[str]) -> None:
    mine, theirs = Digests.of(some), Digests.of(others)
    assert list(mine) == sorted(set(some))
    assert len(mine) == len(set(some))
    assert all(one in mine for one in some)
    assert list(mine.only(theirs.find(mine.rows) >= 0)) == sorted({*some} & {*others})
    places = mine.find(theirs.rows).tolist()
    assert places == [list(mine).index(one) if one in mine else -1 for one in theirs]
    assert [f"sha256:{one}" for part in mine.parts(3) for one in part] == list(mine)


@pytest.mark.parametrize(
    "text", ["", "sha256:", "0" * 64, f"sha256:{'0' * 63}\n", "sha256:" + "A" * 64]
)
def test_what_is_no_digest_is_refused_and_in_none(text: str) -> None:
    with pytest.raises(ValueError, match="digest"):
        Digests.of([text])
    assert text not in Digests.of(ZEROS)
