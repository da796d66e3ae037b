"""What endpoints spooled becomes facts: four kinds, once each, and nothing else is signed."""

import json
from pathlib import Path
from typing import Any

import pytest

from freehold.app.traffic.events import ASIDE, collect_events

LOADED = {
    "type": "endpoint.loaded",
    "at": 1,
    "model": "delay",
    "routing": 1,
    "variants": [{"version": 1, "digest": "sha256:ab", "weight": 100.0, "alias": "champion"}],
}
REFUSED = {"type": "endpoint.refused", "at": 2, "code": "package.signature"}
STOPPED = {"type": "endpoint.stopped", "at": 3, "rows": 10, "dropped": 0}
LOG_FAILED = {"type": "endpoint.log-failed", "at": 4, "code": "endpoint.log-unwritable"}
KNOWN = (LOADED, REFUSED, STOPPED, LOG_FAILED)
JUDGED = {
    "type": "model.judged",
    "model": "delay",
    "version": 2,
    "allowed": True,
    "rules": [],
    "policy": "sha256:0",
    "attestations": {},
}


def spool(loop: Any, number: int, event: Any) -> Path:
    folder = loop.site.serving / "events"
    folder.mkdir(parents=True, exist_ok=True)
    path: Path = folder / f"{number:016d}-77-000000.json"
    path.write_bytes(event if isinstance(event, bytes) else json.dumps(event).encode())
    return path


def left(loop: Any) -> list[str]:
    return sorted(path.name for path in (loop.site.serving / "events").iterdir())


def test_each_kind_is_committed_with_its_fields_and_its_file_is_deleted(loop: Any) -> None:
    names = [spool(loop, number, event).name for number, event in enumerate(KNOWN)]
    before = loop.count()
    assert collect_events(loop.site) == 4
    facts = loop.facts()[before:]
    assert [fact["type"] for fact in facts] == [event["type"] for event in KNOWN]
    for fact, name, event in zip(facts, names, KNOWN, strict=True):
        assert {"type": fact["type"], **fact["body"]} == {**event, "file": name}
    assert left(loop) == []
    assert collect_events(loop.site) == 0


def test_a_file_of_another_name_is_set_aside(loop: Any) -> None:
    """The name stands in the fact, and facts hold no words."""
    path = spool(loop, 1, STOPPED)
    other = path.rename(path.with_name("Jane Doe flew on Monday.json"))
    assert collect_events(loop.site) == 0
    assert left(loop) == [other.name + ASIDE]


def test_an_event_whose_file_a_crash_kept_from_being_deleted_is_committed_once(loop: Any) -> None:
    spool(loop, 1, STOPPED)
    assert collect_events(loop.site) == 1
    spool(loop, 1, STOPPED)
    spool(loop, 2, REFUSED)
    assert collect_events(loop.site) == 1
    assert len(loop.facts("endpoint.stopped")) == 1
    assert left(loop) == []


def test_a_forged_verdict_signs_nothing(loop: Any) -> None:
    path = spool(loop, 1, JUDGED)
    before = loop.count()
    loop.turn()
    assert loop.count() == before
    assert left(loop) == [path.name + ASIDE]
    assert json.loads(path.with_name(path.name + ASIDE).read_bytes()) == JUDGED


BROKEN = {
    "nothing": b"",
    "cut in half": json.dumps(STOPPED).encode()[:20],
    "no text": b"\xff\xfe\x00",
    "a list": [STOPPED],
    "a field too many": {**STOPPED, "note": "x"},
    "a field too few": {"type": "endpoint.stopped", "at": 3, "rows": 10},
    "free text": {**REFUSED, "code": "Jane Doe flew on Monday"},
    "free text below": {**LOADED, "variants": [{"alias": "Jane Doe was here"}]},
    "no name": {**REFUSED, "type": ["endpoint.refused"]},
    "not a number": b'{"type": "endpoint.stopped", "at": 3, "rows": NaN, "dropped": 0}',
    "beyond all numbers": b'{"type": "endpoint.stopped", "at": 1e999, "rows": 1, "dropped": 0}',
    "too large to be exact": {**STOPPED, "rows": 2**60},
    "nested too deep": b"[" * 200_000,
    "nested deep inside": b'{"type": "endpoint.refused", "at": 1, "code": '
    + b"[" * 3000
    + b"]" * 3000
    + b"}",
}


@pytest.mark.parametrize("event", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_set_aside_and_the_loop_goes_on(loop: Any, event: Any) -> None:
    path = spool(loop, 1, event)
    spool(loop, 2, STOPPED)
    loop.days(range(1))
    assert loop.turn().files == 2
    assert len(loop.facts("endpoint.stopped")) == 1
    assert left(loop) == [path.name + ASIDE]
    assert loop.turn().files == 0
