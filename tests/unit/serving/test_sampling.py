"""A key is in the log or it is not, whatever else is asked; and its share is the one that was asked
for."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from freehold.domain.routing import RoutingTable, Variant
from freehold.serving.routing import Division, position
from freehold.serving.sampling import Sampling

KEYS = st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=30), max_size=20)
SHARES = st.floats(0, 1, exclude_min=True, exclude_max=True)


@given(KEYS, KEYS, SHARES, st.data())
def test_a_keys_fate_is_the_same_whatever_the_batch(
    keys: list[str], others: list[str], share: float, data: Any
) -> None:
    mixed = data.draw(st.permutations([*keys, *others]))
    alone = {key for key in keys if Sampling("m", share).kept([key])}
    sampling = Sampling("m", share)
    together = {mixed[place] for place in sampling.kept(mixed)}
    assert {key for key in keys if key in together} == alone
    assert sampling.kept(mixed) == Sampling("m", share).kept(mixed)


@given(KEYS, st.tuples(SHARES, SHARES).map(sorted))
def test_a_greater_share_keeps_what_a_smaller_one_does(
    keys: list[str], shares: list[float]
) -> None:
    small, large = (set(Sampling("m", share).kept(keys)) for share in shares)
    assert small <= large


@given(KEYS, SHARES)
def test_it_is_the_hash_that_keys_are_routed_by(keys: list[str], share: float) -> None:
    bound = round(share * 2**64)
    expected = [n for n, key in enumerate(keys) if position(b"log\0m\0", key) < bound]
    sampling = Sampling("m", share)
    assert sampling.kept(keys) == expected
    assert [sampling.keeps(key) for key in keys] == [n in expected for n in range(len(keys))]


def test_the_share_is_kept() -> None:
    keys = [f"customer-{number}" for number in range(50_000)]
    for share in (0.001, 0.01, 0.1, 0.5, 0.99):
        low, high = binom.interval(0.999, len(keys), share)
        for model in ("delay", "fraud"):
            assert low <= len(Sampling(model, share).kept(keys)) <= high


def test_it_does_not_depend_on_how_keys_are_divided() -> None:
    """A canary's rows are kept as often as others'."""
    keys = [f"customer-{number}" for number in range(50_000)]
    variants = (Variant(1, "sha256:aa", 50.0, "champion"), Variant(2, "sha256:bb", 50.0, "c"))
    division = Division(RoutingTable(1, "delay", "log", variants))
    canary = [key for key in keys if division.index(key) == 1]
    low, high = binom.interval(0.999, len(canary), 0.1)
    assert low <= len(Sampling("delay", 0.1).kept(canary)) <= high
