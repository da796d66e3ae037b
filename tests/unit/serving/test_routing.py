"""Keys stay where they are, and move one way only."""

from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.routing import RoutingTable, Variant
from freehold.serving.routing import Division, choose

KEYS = st.text(max_size=30)
WEIGHTS = st.floats(0, 100)


def table(*weights: float, salt: str = "release-7", champion: int = 0) -> RoutingTable:
    variants = tuple(
        Variant(n + 1, f"sha256:{n:064x}", w, "champion" if n == champion else f"challenger-{n}")
        for n, w in enumerate(weights)
    )
    return RoutingTable(1, "flight-delay", salt, variants)


@given(KEYS, st.text(max_size=8), st.tuples(WEIGHTS, WEIGHTS).map(sorted), st.integers(0, 1))
def test_growing_a_canary_only_moves_keys_to_it(
    key: str, salt: str, shares: list[float], champion: int
) -> None:
    def canary_answers(share: float) -> bool:
        weights = (100 - share, share) if champion == 0 else (share, 100 - share)
        chosen = choose(table(*weights, salt=salt, champion=champion), key)
        return chosen.alias != "champion"

    small, large = (canary_answers(share) for share in shares)
    assert large or not small


@given(KEYS, st.lists(st.integers(0, 100), min_size=1, max_size=6))
def test_a_variant_without_weight_answers_nothing(key: str, parts: list[int]) -> None:
    total = sum(parts)
    weights = [100 * part / total for part in parts] if total else [100.0] + [0.0] * len(parts)
    assert choose(table(*weights), key).weight > 0


@given(KEYS)
def test_a_key_is_sticky(key: str) -> None:
    shared = table(60, 40)
    assert choose(shared, key) == choose(table(60, 40), key)
    assert shared.variants[Division(shared).index(key)] == choose(shared, key)


def test_each_variant_gets_its_share() -> None:
    shared = table(70, 25, 5)
    division = Division(shared)
    counts = [0, 0, 0]
    for number in range(20_000):
        counts[division.index(f"flight-{number}")] += 1
    assert [round(count / 200) for count in counts] == [70, 25, 5]


def test_another_salt_gives_another_sample() -> None:
    keys = [f"flight-{number}" for number in range(1_000)]
    first, second = (
        {key for key in keys if choose(table(95, 5, salt=salt), key).alias != "champion"}
        for salt in ("release-1", "release-2")
    )
    assert first and second and first != second
