"""The cache key changes when, and only when, one of its components does."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.artifact import Artifact
from freehold.running.cache_key import COMPONENTS, CacheKey, cache_key

GOLDEN = Path(__file__).parents[2] / "golden" / "cache_key.json"

CASES: dict[str, dict[str, Any]] = {
    "no arguments": {"step": "steps:load", "arguments": {}, "environment": "", "code": "sha256:c"},
    "parameters": {
        "step": "steps:load",
        "arguments": {"start": date(2013, 1, 1), "share": 0.5, "names": ["a", "ž"], "top": None},
        "environment": "sha256:e",
        "code": "sha256:c",
    },
    "inputs": {
        "step": "steps.clean:clean",
        "arguments": {
            "table": Artifact("sha256:aa", "parquet", 10, {"pii": ""}),
            "others": [Artifact("sha256:bb", "json", 2), 3],
            "by_name": {"x": Artifact("sha256:cc", "file", 4)},
        },
        "environment": "sha256:e",
        "code": "sha256:c",
    },
}


def key_of(case: dict[str, Any]) -> CacheKey:
    return cache_key(
        case["step"], case["arguments"], environment=case["environment"], code=case["code"]
    )


def test_keys_are_those_of_the_golden_file() -> None:
    made = {
        name: {"components": dict(key.components), "key": key.digest}
        for name, key in ((name, key_of(case)) for name, case in CASES.items())
    }
    assert made == json.loads(GOLDEN.read_text())


_texts = st.text(max_size=4)
_numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_artifacts = st.builds(
    Artifact,
    st.sampled_from(["sha256:1", "sha256:2"]),
    st.sampled_from(["json", "file"]),
    st.just(1),
)
_values = st.recursive(
    st.none() | st.booleans() | _numbers | _texts | _artifacts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)


@dataclass(frozen=True)
class Call:
    step: str
    arguments: dict[str, Any]
    environment: str
    code: str

    def key(self) -> CacheKey:
        return cache_key(self.step, self.arguments, environment=self.environment, code=self.code)


_calls = st.builds(
    Call,
    st.sampled_from(["m:a", "m:b"]),
    st.dictionaries(st.sampled_from(["x", "y"]), _values, max_size=2),
    st.sampled_from(["e1", "e2"]),
    st.sampled_from(["c1", "c2"]),
)


def _spelled(value: Any) -> Any:
    """A form that is equal exactly for equal arguments, 1, 1.0 and True being three."""
    if isinstance(value, Artifact):
        return ("artifact", value.format, value.digest)
    if isinstance(value, dict):
        return ("dict", *sorted((key, _spelled(item)) for key, item in value.items()))
    if isinstance(value, list):
        return ("list", *map(_spelled, value))
    return (type(value).__name__, repr(value))


@given(_calls, _calls)
def test_the_key_changes_if_and_only_if_a_component_does(one: Call, other: Call) -> None:
    same = (one.step, one.environment, one.code, repr(_spelled(one.arguments))) == (
        other.step,
        other.environment,
        other.code,
        repr(_spelled(other.arguments)),
    )
    assert (one.key().digest == other.key().digest) == same
    assert (one.key().components == other.key().components) == same


@given(_calls, st.sampled_from(COMPONENTS))
def test_a_changed_component_is_the_only_one_that_differs(call: Call, name: str) -> None:
    changed = {
        "step": Call("m:c", call.arguments, call.environment, call.code),
        "environment": Call(call.step, call.arguments, "e3", call.code),
        "code": Call(call.step, call.arguments, call.environment, "c3"),
        "parameters": Call(call.step, {**call.arguments, "z": 1}, call.environment, call.code),
        "inputs": Call(
            call.step,
            {**call.arguments, "z": Artifact("sha256:3", "json", 1)},
            call.environment,
            call.code,
        ),
    }[name]
    before, after = call.key(), changed.key()
    assert [one for one in COMPONENTS if before.components[one] != after.components[one]] == [name]
    assert before.digest != after.digest


def test_labels_are_not_part_of_the_key() -> None:
    plain, labelled = (
        cache_key("m:a", {"x": Artifact("sha256:1", "json", 1, labels)}, environment="", code="")
        for labels in ({}, {"pii": ""})
    )
    assert plain == labelled


def test_a_value_that_is_not_json_has_no_key() -> None:
    with pytest.raises(TypeError):
        cache_key("m:a", {"x": object()}, environment="", code="")
