"""Parts of the request log are found by when they were asked and by when they were answered."""

from itertools import count

from hypothesis import example, given
from hypothesis import strategies as st

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.app.site.opening import PROJECTIONS
from freehold.catalog.traffic import DAY, LogFile, log_files
from freehold.domain.fact import Draft
from freehold.ports.contracts.signer import TransientSigner

MOMENTS = st.integers(0, 6 * DAY)
"""Some share a day and some do not: a replay asks what it answers days later."""
PARTS = st.lists(st.tuples(MOMENTS, st.integers(0, DAY // 2), MOMENTS), max_size=8)


def drafted(place: int, first: int, took: int, answered: int) -> Draft:
    body = {
        "model": "m",
        "file": f"part-{place}.parquet",
        "digest": f"sha256:{place}",
        "rows": 1,
        "sampled_out": 0,
        "first": first,
        "last": first + took,
        "answered": answered,
    }
    return Draft("log.recorded", body)


@example(parts=[(DAY, 0, DAY - 1)], since=0, answered_since=1)
@given(parts=PARTS, since=MOMENTS, answered_since=MOMENTS)
def test_what_is_found_is_what_a_look_at_every_part_finds(
    parts: list[tuple[int, int, int]], since: int, answered_since: int
) -> None:
    ledger = MemoryLedger(
        writer="here-00000000",
        signer=TransientSigner(),
        clock=count(1_700_000_000_000_000).__next__,
        projections=PROJECTIONS,
    )
    drafts = [drafted(place, *part) for place, part in enumerate(parts)]
    ledger.append(drafts)
    every = [LogFile(**draft.body) for draft in drafts]
    by = "answered" if answered_since > since else "last"
    wanted = [one for one in every if one.last >= since and one.answered >= answered_since]
    wanted.sort(key=lambda one: (getattr(one, by) // DAY, one.file))
    assert list(log_files(ledger.state, "here", "m", since, answered_since)) == wanted
