"""How types read, meet and are written as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path, PosixPath
from typing import Annotated, Any, Literal, NewType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.json_value import plain, typed
from freehold.domain.stored_type import admits, describe, homes, meets

Seconds = NewType("Seconds", float)


@dataclass(frozen=True)
class Point:
    x: float
    day: date
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shape:
    points: list[Point]
    label: str | None = None
    sizes: dict[str, float] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("given_type", "wanted"),
    [
        (int, int),
        (bool, int),
        (int, float),
        (int, Any),
        (Any, int),
        (int, object),
        (int, int | None),
        (None, int | None),
        (int | None, float | None),
        (list[int], list[float]),
        (list[int], list),
        (list, list[int]),
        (list[int], Sequence[int]),
        (dict[str, int], Mapping[str, float]),
        (PosixPath, Path),
        (Literal["a"], str),
        (Literal["a"], Literal["a", "b"]),
        (Annotated[int, "years"], int),
        (Seconds, float),
        (tuple[int, ...], tuple[float, ...]),
        (tuple[int, float], tuple[float, ...]),
        (int | None, int | str | None),
    ],
)
def test_types_that_meet(given_type: Any, wanted: Any) -> None:
    assert meets(given_type, wanted)


@pytest.mark.parametrize(
    ("given_type", "wanted"),
    [
        (float, int),
        (int | None, int),
        (str, int | None),
        (list[str], list[int]),
        (list[int], tuple[int, ...]),
        (Path, PosixPath),
        (Literal["c"], Literal["a", "b"]),
        (dict[str, str], dict[str, int]),
        (Point, Shape),
        (tuple[int, str], tuple[int, ...]),
    ],
)
def test_types_that_do_not_meet(given_type: Any, wanted: Any) -> None:
    assert not meets(given_type, wanted)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (int | None, "int | None"),
        (dict[str, list[float]], "dict[str, list[float]]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Literal["a", 1], "Literal['a', 1]"),
        (Any, "Any"),
        (Path, "pathlib.Path"),
        (Annotated[Seconds, 1], "float"),
    ],
)
def test_types_read_as_they_are_written(kind: Any, text: str) -> None:
    assert describe(kind) == text


def test_values_are_checked_against_types() -> None:
    assert admits(float, 1)
    assert not admits(int, True)
    assert not admits(float, True)
    assert admits(list[int], [1, 2])
    assert not admits(list[int], [1, "2"])
    assert admits(dict[str, float], {"a": 1})
    assert not admits(dict[str, float], {"a": None})
    assert admits(tuple[int, str], (1, "a"))
    assert not admits(tuple[int, str], (1,))
    assert admits(Literal["a"] | None, None)
    assert not admits(Literal["a"], "b")


def test_types_have_homes() -> None:
    assert homes(dict[str, Any]) == ("builtins",)
    assert homes(datetime) == ("builtins",)
    assert homes(Point) == ("builtins",)
    assert homes(None) == ("builtins",)
    assert homes(PosixPath)[0] == "pathlib"


_points = st.builds(
    Point,
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.lists(st.text(), max_size=3).map(tuple),
)
_shapes = st.builds(
    Shape,
    st.lists(_points, max_size=3),
    st.none() | st.text(),
    st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False), max_size=3),
)


@given(_shapes)
def test_a_dataclass_comes_back_equal(shape: Shape) -> None:
    assert typed(Shape, plain(shape)) == shape


@given(st.datetimes(timezones=st.just(UTC)) | st.dates() | st.none() | st.integers())
def test_moments_come_back_equal(value: Any) -> None:
    assert typed(datetime | date | int | None, plain(value)) == value


@pytest.mark.parametrize("value", [float("nan"), {1: 2}, object(), {"a": {1}}, b"x"])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        plain(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, "1"),
        (date, "2013-01-01T00:00:00"),
        (date, 3),
        (Point, {"x": 1.0}),
        (Point, {"x": 1.0, "day": "2013-01-01", "z": 1}),
        (Point, []),
        (tuple[int, str], [1]),
        (Literal["a"], "b"),
        (int | None, "x"),
    ],
)
def test_json_of_another_type_is_refused(kind: Any, value: Any) -> None:
    with pytest.raises(ValueError):
        typed(kind, value)
