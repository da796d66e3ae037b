"""Canonical JSON: the fast way and the general way give the same bytes."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.canonical import canonical, digest_of

_SAFE = 2**53 - 1
_texts = st.text(st.characters(exclude_categories=["Cs"]))
_plain_floats = st.floats(allow_nan=False, allow_infinity=False)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-_SAFE, _SAFE) | _texts | _plain_floats,
    lambda inner: st.lists(inner) | st.dictionaries(_texts, inner),
    max_leaves=20,
)


@given(_values)
def test_it_is_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(_plain_floats)
def test_numbers_come_back(value: float) -> None:
    # A whole number beyond 2**53 is read as an integer, with the digits that name the float.
    assert float(json.loads(canonical(value))) == value


@given(st.floats(1e-5, 1e17))
def test_numbers_near_the_change_of_notation(value: float) -> None:
    assert canonical(value) == rfc8785.dumps(value)
    assert canonical(-value) == rfc8785.dumps(-value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [True, None, "ü\n\x1f\x7f"]}, '{"a":[true,null,"ü\\n\\u001f\x7f"],"b":1}'),
        # RFC 8785 sorts by UTF-16 code units: U+1F600 (d83d) comes before U+FB33.
        ({"\ufb33": 1, "\U0001f600": 2}, '{"\U0001f600":2,"\ufb33":1}'),
        ([1.0, -0.0, 1e21, 1e-7, 0.1, 1e-5], "[1,0,1e+21,1e-7,0.1,0.00001]"),
        ((1, 2), "[1,2]"),
    ],
)  # fmt: skip
def test_examples(value: Any, expected: str) -> None:
    assert canonical(value) == expected.encode()


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**53, "\ud800", {"a": {1: 2}}, {"a": object()}, {"\ud800": 1}],
)
def test_what_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical(value)


def test_a_digest() -> None:
    assert digest_of({}) == (
        "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )
