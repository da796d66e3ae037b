import json

from hypothesis import given
from hypothesis import strategies as st

from freehold.catalog.contracts.source import Path, Source, pointer

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def paths(value: object, path: Path = ()) -> list[Path]:
    found = [path]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += paths(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            found += paths(inner, (*path, index))
    return found


@given(VALUES, st.booleans())
def test_every_value_has_the_line_it_is_written_on(value: object, plain: bool) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=plain)
    source = Source(text, "f.json")
    assert source.value == value
    lines = [source.line_of(path) for path in paths(value)]
    assert lines == sorted(lines)
    # One line for each value when indented, and others that only close a bracket.
    assert len(set(lines)) == len(lines)
    assert lines[-1] <= text.count("\n") + 1


def test_a_place_that_is_not_there_is_its_parents() -> None:
    source = Source('{\n"a": {\n"b": 1}}', "f.json")
    assert source.place(("a", "b")) == "f.json:3"
    assert source.place(("a", "c", 0)) == "f.json:2"
    assert source.place(("z",)) == "f.json:1"


def test_pointers_read_like_code() -> None:
    assert pointer(()) == "$"
    assert pointer(("expectations", 2, "kwargs", "mostly")) == "expectations[2].kwargs.mostly"
