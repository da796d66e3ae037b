"""Bodies, queries and keys: every fault is named at once."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.console.request import LONGEST_KEY, Asked, Field, key_of, query_of
from freehold.domain.errors import RequestInvalid

FIELDS = (
    Field("version", str, required=True),
    Field("keep", int),
    Field("sites", list),
    Field("parameters", dict),
)


def wheres(error: pytest.ExceptionInfo[RequestInvalid]) -> list[str]:
    assert error.value.code == "request.malformed"
    return [fault.where for fault in error.value.faults]


def test_what_was_given() -> None:
    body = b'{"version": "a@1", "keep": 3, "sites": ["x"], "parameters": {"n": 1}}'
    assert Asked({}, body=body).fields(*FIELDS) == orjson.loads(body)
    assert Asked({}, body=b' {"version": "a@1"} ').fields(*FIELDS) == {"version": "a@1"}
    assert Asked({}).fields() == {}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", ["version"]),
        (b"{}", ["version"]),
        (b"[]", ["body"]),
        (b"7", ["body"]),
        (b"{", ["body"]),
        (b"\xff", ["body"]),
        (b"[" * 60_000, ["body"]),
        (b'{"version": 1}', ["version"]),
        (b'{"version": null}', ["version"]),
        (b'{"version": "a", "keep": true}', ["keep"]),
        (b'{"version": "a", "keep": 1.0}', ["keep"]),
        (b'{"version": "a", "keep": 9007199254740992}', ["keep"]),
        (b'{"version": "a", "keep": 99999999999999999999999}', ["keep"]),
        (b'{"version": "a", "sites": "x"}', ["sites"]),
        (b'{"version": "a", "sites": [1]}', ["sites"]),
        (b'{"version": "a", "parameters": []}', ["parameters"]),
        (b'{"other": 1, "keep": "x", "sites": {}}', ["other", "version", "keep", "sites"]),
    ],
)
def test_what_is_wrong_is_named_all_at_once(body: bytes, named: list[str]) -> None:
    with pytest.raises(RequestInvalid) as raised:
        Asked({}, body=body).fields(*FIELDS)
    assert wheres(raised) == named


def test_a_place_in_text_that_is_no_json() -> None:
    with pytest.raises(RequestInvalid, match="cannot be read") as raised:
        Asked({}, body=b'{"version":\n oops}').fields(*FIELDS)
    assert "line 2 column" in raised.value.faults[0].what


JSON = st.sampled_from(
    [None, True, 0, 3, -(2**53), 2**53, 1.0, "", "a", [], ["a"], ["a", 1], [None], {}, {"a": [1]}]
)


@given(
    value=st.dictionaries(st.sampled_from(["version", "keep", "sites", "parameters", "x"]), JSON)
)
def test_a_value_is_taken_whole_or_its_faults_are_exactly_its_wrong_fields(value: Any) -> None:
    kinds: dict[str, Any] = {one.name: one.kind for one in FIELDS}

    def fits(name: str) -> bool:
        one = value[name]
        if name not in kinds:
            return False
        if kinds[name] is int:
            return type(one) is int and abs(one) < 2**53
        if kinds[name] is list:
            return isinstance(one, list) and all(isinstance(each, str) for each in one)
        return isinstance(one, kinds[name])

    body = orjson.dumps(value)
    wrong = {name for name in value if not fits(name)} | {"version"} - set(value)
    if not wrong:
        assert Asked({}, body=body).fields(*FIELDS) == value
        return
    with pytest.raises(RequestInvalid) as raised:
        Asked({}, body=body).fields(*FIELDS)
    assert set(wheres(raised)) == wrong


def test_queries() -> None:
    assert query_of({"query_string": b"open=true"}, ("open",)) == {"open": "true"}
    assert query_of({}, ("open",)) == {}
    for query, named in (
        (b"opne=true", ["opne"]),
        (b"open=1&open=2", ["open"]),
        (b"a=1&open=2&b=3", ["a", "b"]),
        (b"&".join(b"a=1" for _ in range(30)), ["query"]),
        (b"%ff=\xff", ["\ufffd"]),
    ):
        with pytest.raises(RequestInvalid) as raised:
            query_of({"query_string": query}, ("open",))
        assert wheres(raised) == named


def test_flags() -> None:
    assert Asked({}, {"open": "true"}).flag("open")
    assert not Asked({}, {"open": "false"}).flag("open") and not Asked({}).flag("open")
    with pytest.raises(RequestInvalid) as raised:
        Asked({}, {"open": "yes"}).flag("open")
    assert wheres(raised) == ["open"]


def test_keys() -> None:
    name = b"idempotency-key"
    assert key_of([]) == ""
    assert key_of([(name, b" one ")]) == "one"
    assert key_of([(name, b"k" * LONGEST_KEY)]) == "k" * LONGEST_KEY
    for wrong in ([(name, b" ")], [(name, b"k" * 201)], [(name, b"a"), (name, b"a")]):
        with pytest.raises(RequestInvalid) as raised:
            key_of(wrong)
        assert wheres(raised) == ["Idempotency-Key"]
