"""`@step`: a function stays a function; what it lacks is told all at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from freehold import step
from freehold.domain.step import REQUIRED


@step
def double(number: int) -> int:
    return 2 * number


@step(
    cpus=2,
    memory="1.5GB",
    accelerators=1,
    accelerator="t4",
    retries=2,
    timeout=60.0,
    cache=False,
    labels={"pii": ""},
    after=["double"],
)
def halves(number: float, whole: bool = False) -> tuple[float, str]:
    """Two of them."""
    return number / 2, str(whole)


@step
def untyped(one, two, *rest):  # type: ignore[no-untyped-def]
    return one, two, rest


@step
def unresolved(one: "Nothing") -> int:  # type: ignore[name-defined]  # noqa: F821
    return one


@step(memory="much", accelerator="t4", retries=-1)
def unsettled(many: list[int]) -> tuple[int, ...]:
    return tuple(many)


def test_outside_a_pipeline_it_is_its_function() -> None:
    assert double(4) == 8
    assert halves(3.0) == (1.5, "False")
    assert halves.__doc__ == "Two of them."
    assert halves.__name__ == "halves"


def test_its_definition_says_all_that_was_asked() -> None:
    definition = halves.definition
    assert definition.address == f"{__name__}:halves"
    assert [one.name for one in definition.parameters] == ["number", "whole"]
    assert definition.parameters[0].default is REQUIRED
    assert definition.parameters[1].default is False
    assert definition.returns == (float, str)
    assert definition.unpacks
    assert (definition.needs.cpus, definition.needs.accelerators) == (2, 1)
    assert definition.needs.accelerator == "t4"
    assert definition.needs.memory == 1_500_000_000
    assert (definition.retries, definition.timeout, definition.cache) == (2, 60.0, False)
    assert definition.labels == {"pii": ""}
    assert definition.after == ("double",)
    assert definition.faults == ()
    assert definition.where.startswith("tests/unit/authoring/test_step.py:") or (
        definition.where.startswith("test_step.py:")
    )


def test_a_tuple_of_any_length_is_one_output() -> None:
    assert unsettled.definition.returns == (tuple[int, ...],)
    assert not unsettled.definition.unpacks


def test_all_missing_types_are_told_at_once() -> None:
    faults = untyped.definition.faults
    assert [fault.code for fault in faults] == [
        "step.annotation",
        "step.annotation",
        "step.parameter",
        "step.annotation",
    ]
    assert "'one'" in faults[0].what
    assert "'two'" in faults[1].what
    assert "'rest'" in faults[2].what
    assert all(fault.where.endswith(faults[0].where) for fault in faults)


def test_an_annotation_that_names_nothing_is_a_fault() -> None:
    (fault,) = unresolved.definition.faults
    assert fault.code == "step.annotation"
    assert "Nothing" in fault.what


def test_settings_out_of_range_are_faults() -> None:
    assert [fault.code for fault in unsettled.definition.faults] == [
        "step.setting",
        "step.memory",
        "step.setting",
    ]


def test_a_step_inside_a_function_is_a_fault() -> None:
    @step
    def inner(number: int) -> int:
        return number

    assert [fault.code for fault in inner.definition.faults] == ["step.local"]


def test_importing_freehold_loads_no_numeric_library(tmp_path: Path) -> None:
    code = (
        "import sys, freehold; freehold.step; freehold.Candidate;"
        "assert not {'numpy', 'polars', 'cryptography'} & set(sys.modules), sys.modules.keys();"
        "assert freehold.Columns.__name__ == 'Columns';"
        "assert freehold.FeatureView.__name__ == 'FeatureView'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_unknown_name_is_an_attribute_error() -> None:
    import freehold

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = freehold.nothing
