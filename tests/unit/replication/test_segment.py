"""Segments and heads: whatever bytes come, they are the right ones or a NotBelieved."""

import gzip
import re
import zlib
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.domain.canonical import canonical
from freehold.domain.errors import Refused
from freehold.domain.hybrid_time import HybridTime
from freehold.replication import segment as segment_module
from freehold.replication.fault import NotBelieved
from freehold.replication.head import decode_head, encode_head
from freehold.replication.layout import HeadName, SegmentName
from freehold.replication.segment import check_entry, pack_lines, unpack_lines

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def lines(party: Make) -> list[bytes]:
    return [line for _, line in party("a").write(5).ledger.lines()]


@pytest.fixture(scope="module")
def alice(party: Make) -> Any:
    return party("a").write(3)


def named(first: int, stop: int, data: bytes) -> SegmentName:
    return SegmentName("a", first, stop, sha256(data).hexdigest())


def test_lines_come_back(lines: list[bytes]) -> None:
    name, data = pack_lines("a", 7, lines)
    assert (name.first, name.stop) == (7, 12)
    assert unpack_lines(name, data) == lines
    assert gzip.decompress(data) == b"".join(line + b"\n" for line in lines)
    assert pack_lines("a", 7, lines) == (name, data)


@given(data=st.binary(max_size=400), stop=st.integers(1, 10**15))
def test_any_bytes_are_refused(data: bytes, stop: int) -> None:
    for content in (data, gzip.compress(data)):
        with pytest.raises(NotBelieved):
            unpack_lines(named(0, stop, content), content)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_or_a_cut_is_noticed(lines: list[bytes], data: st.DataObject) -> None:
    name, whole = pack_lines("a", 0, lines)
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    for altered in (flipped, whole[:at], whole + b"\0"):
        with pytest.raises(NotBelieved):
            unpack_lines(name, altered)
    for altered in (whole[:at], whole + b"\0", whole + whole):
        with pytest.raises(NotBelieved):
            unpack_lines(named(0, len(lines), altered), altered)


@pytest.mark.parametrize("claimed", [4, 6, 10**15])
def test_a_range_that_the_name_lies_about_is_noticed(lines: list[bytes], claimed: int) -> None:
    _, data = pack_lines("a", 0, lines)
    with pytest.raises(NotBelieved, match="lines"):
        unpack_lines(named(0, claimed, data), data)


@pytest.mark.parametrize("claimed", [1, 10**15])
def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch, claimed: int) -> None:
    monkeypatch.setattr(segment_module, "ENTRY_LIMIT", 50_000)
    monkeypatch.setattr(segment_module, "SEGMENT_LIMIT", 100_000)
    bomb = gzip.compress(b"\n" * 10_000_000)
    with pytest.raises(NotBelieved) as caught:
        unpack_lines(named(0, claimed, bomb), bomb)
    assert caught.value.kind == "segment.too-large"


def test_many_empty_lines_are_not_split() -> None:
    data = zlib.compress(b"\n" * 1_000_000, wbits=31)
    with pytest.raises(NotBelieved, match="too short"):
        unpack_lines(named(0, 1_000_000, data), data)


def test_an_entry_that_is_too_large_does_not_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_module, "ENTRY_LIMIT", 100)
    with pytest.raises(Refused) as caught:
        pack_lines("a", 0, [b"x" * 101])
    assert caught.value.code == "log.entry-too-large"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(
    field=st.sampled_from(
        sorted(
            [
                "actor",
                "body",
                "cause",
                "envelope",
                "seen",
                "sequence",
                "time",
                "type",
                "version",
                "writer",
                "more",
            ]
        )
    ),
    value=JSON,
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_entry_with_any_other_member_is_no_fact_or_canonical(
    lines: list[bytes], field: str, value: Any
) -> None:
    entry = orjson.loads(lines[2])
    entry[field] = value
    line = orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)
    with suppress(NotBelieved):
        check_entry(line, "a", 2, None)
        assert canonical(orjson.loads(line)) == line
        assert field in ("actor", "body", "cause", "seen", "time", "type", "version") or (
            line == lines[2]
        )


@given(st.binary(max_size=300))
def test_any_line_is_refused(line: bytes) -> None:
    with pytest.raises(NotBelieved):
        check_entry(line, "a", 0, None)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"writer": "b"}, "should be"),
        ({"sequence": 3}, "should be"),
        ({"sequence": True}, "canonical"),
        ({"time": {"logical": 0, "wall": 1}}, "not later"),
        ({"time": {"logical": 0, "wall": "1"}}, "not a fact"),
        ({"time": {"logical": -1, "wall": 3}}, "not a fact"),
        ({"cause": [1]}, "cause"),
        ({"seen": {"a": "1:" + "0" * 64}}, "saw itself"),
        ({"seen": {"b": "one"}}, "not a fact"),
        ({"seen": {"b": 1}}, "not a fact"),
        ({"more": 1}, "canonical"),
        ({"envelope": 2}, "not a fact"),
        ({"body": 1}, "not a fact"),
        ({"type": 1}, "not a fact"),
    ],
)
def test_what_is_wrong_in_an_entry_is_said(
    lines: list[bytes], change: dict[str, Any], match: str
) -> None:
    line = canonical({**orjson.loads(lines[2]), **change})
    with pytest.raises(NotBelieved, match=match):
        check_entry(line, "a", 2, HybridTime(2))


@pytest.mark.parametrize("wall", [2**53, 2**62, 2**63, 2**64 - 1])
def test_a_time_that_no_ledger_can_order_is_refused(lines: list[bytes], wall: int) -> None:
    """JSON has such numbers, and the bytes are as canonical as those of any other."""
    line = re.sub(rb'"wall":[0-9]+', b'"wall":%d' % wall, lines[2])
    with pytest.raises(NotBelieved, match="not a fact"):
        check_entry(line, "a", 2, None)


@pytest.mark.parametrize("version", [2**53, -(2**53), 2**64 - 1])
def test_a_version_that_no_canonical_form_has_is_refused(lines: list[bytes], version: int) -> None:
    line = re.sub(rb'"version":[0-9]+', b'"version":%d' % version, lines[2])
    with pytest.raises(NotBelieved, match="not a fact"):
        check_entry(line, "a", 2, None)


def test_depth_without_end_is_refused(lines: list[bytes]) -> None:
    deep = b"[" * 900 + b"]" * 900
    line = lines[2].replace(b'"body":{', b'"body":{"deep":' + deep + b",", 1)
    with pytest.raises(NotBelieved):
        check_entry(line, "a", 2, None)


def test_a_head_comes_back(party: Make) -> None:
    one = party("a").write(3)
    checkpoint = next(one.ledger.checkpoints())
    name, data = encode_head(checkpoint)
    assert decode_head(name, data, one.public) == checkpoint


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_a_head_that_is_not_what_was_signed_is_refused(alice: Any, data: st.DataObject) -> None:
    _, whole = encode_head(next(alice.ledger.checkpoints()))
    at = data.draw(st.integers(0, 300))
    flipped = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    spaced = orjson.dumps(orjson.loads(whole), option=orjson.OPT_INDENT_2)
    for altered in (
        flipped,
        whole[:at],
        spaced,
        data.draw(st.binary()),
        data.draw(JSON.map(repr)).encode(),
    ):
        name = HeadName("a", 3, sha256(altered).hexdigest())
        with pytest.raises(NotBelieved):
            decode_head(name, altered, alice.public)


def test_a_head_of_another_key_writer_or_size_is_refused(party: Make) -> None:
    one, other = party("a").write(3), party("b").write(3)
    name, data = encode_head(next(one.ledger.checkpoints()))
    with pytest.raises(NotBelieved) as caught:
        decode_head(name, data, other.public)
    assert caught.value.kind == "head.signature"
    for lie in (HeadName("b", 3, name.digest), HeadName("a", 4, name.digest)):
        with pytest.raises(NotBelieved, match="claims"):
            decode_head(lie, data, one.public)
