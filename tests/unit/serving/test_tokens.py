"""Tokens are equal where values are, under one key, and nowhere else."""

import hmac
from math import nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.serving.tokens import BYTES, TokenKey

SECRETS = st.binary(min_size=32, max_size=32)
TEXTS = st.text(max_size=40)
NUMBERS = st.floats(allow_nan=False) | st.integers(-(2**63), 2**64)


@given(SECRETS, st.lists(TEXTS, max_size=12))
def test_of_texts(secret: bytes, values: list[str]) -> None:
    tokens = TokenKey(secret).tokens("input_c", values, numbers=False)
    _are_equal_as(values, tokens)


@given(SECRETS, st.lists(NUMBERS, max_size=12))
def test_of_numbers(secret: bytes, values: list[Any]) -> None:
    """As the log has numbers: float64."""
    tokens = TokenKey(secret).tokens("input_x", values, numbers=True)
    _are_equal_as([float(value) for value in values], tokens)


def _are_equal_as(values: list[Any], tokens: list[str | None]) -> None:
    assert len(tokens) == len(values)
    assert all(token is not None and len(token) == 2 * BYTES for token in tokens)
    for a, one in zip(values, tokens, strict=True):
        for b, other in zip(values, tokens, strict=True):
            assert (one == other) == (a == b)


@given(st.lists(SECRETS, min_size=2, max_size=2, unique=True), TEXTS, NUMBERS)
def test_they_differ_between_keys_columns_and_kinds_of_column(
    secrets: list[bytes], text: str, number: float
) -> None:
    one, other = map(TokenKey, secrets)
    assert one.name != other.name
    for values, numbers in (([text], False), ([number], True)):
        mine = one.tokens("input_a", values, numbers=numbers)
        assert mine != other.tokens("input_a", values, numbers=numbers)
        assert mine != one.tokens("input_b", values, numbers=numbers)


@given(SECRETS, TEXTS, st.text(st.characters(exclude_categories=("Cs",)), max_size=300))
def test_it_is_the_hmac_that_its_page_names(secret: bytes, column: str, value: str) -> None:
    """Anybody with the key can find a person's rows by twenty lines of any language."""
    column = column.encode("utf-8", "ignore").decode()
    inner = hmac.digest(secret, column.encode(), "sha256")
    expected = hmac.digest(inner, value.encode(), "sha256")[:16].hex()
    assert TokenKey(secret).tokens(column, [value], numbers=False) == [expected]


def test_numbers_by_their_shortest_text_and_null_stays_null() -> None:
    key = TokenKey(b"k" * 32)
    inner = hmac.digest(b"k" * 32, b"input_x", "sha256")

    def token(text: str) -> str:
        return hmac.digest(inner, text.encode(), "sha256")[:16].hex()

    values = [7, 7.0, True, 0.1, -0.0, 0, 1e22, 2**63, None, nan]
    assert key.tokens("input_x", values, numbers=True) == [
        *map(token, ("7.0", "7.0", "1.0", "0.1", "0.0", "0.0", "1e+22", "9.223372036854776e+18")),
        None,
        None,
    ]
    assert key.tokens("input_c", [None, "a"], numbers=False)[0] is None
    with pytest.raises(TypeError):
        key.tokens("input_c", [7], numbers=False)


def test_a_key_is_read_back_and_does_not_show_itself() -> None:
    key = TokenKey(bytes(range(32)))
    assert TokenKey.parse(key.as_text()) == key
    shown = f"{key!r} {key} {key.name}"
    assert key.secret.hex() not in shown and repr(key.secret) not in shown
    for spoilt in (b"", b"00", b"zz" * 32, b"\xff" * 64, key.as_text() + b"00"):
        with pytest.raises(ValueError):
            TokenKey.parse(spoilt)
