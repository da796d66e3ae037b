"""Rewriting a LightGBM model so that float32 trees decide as its float64 trees do.

LightGBM compares a value with a float64 threshold, ONNX with a float32 one. For a float32 value x,
`x <= t` holds exactly when `x <= s`, s being the largest float32 that is not above t: so every
threshold is rounded down, and no row changes sides. Rounding to the nearest, as a converter does
by default, moves a row that lies on the threshold.

Values of a size up to 1e-35 count as zero, so that a limit among them moves to their edge.

A node that saw no missing value in training reads NaN as zero (LightGBM, `Tree::NumericalDecision`)
whatever its default side says, and a categorical node sends NaN to the right
(`Tree::CategoricalDecision`). Both are written into the node's default side, which is all that ONNX
knows of missing values.
"""

import numpy as np
from numpy.typing import NDArray

from freehold.domain.errors import AdapterFailed, NotSupported

_CATEGORICAL = 1
_DEFAULT_LEFT = 2
_MISSING_SHIFT = 2
_MISSING_NONE, _MISSING_ZERO = 0, 1
_ZERO = np.float32(1e-35)
"""LightGBM reads values up to this size as zero (`kZeroThreshold`)."""


def rounded_for_float32(text: str) -> str:
    """The model's text with float32 thresholds and explicit sides for missing values.

    Its answers to float32 rows are those of the model. Raises NotSupported
    (`model.not-convertible`) for what trees of ONNX cannot say.
    """
    _check_header(text)
    lines = text.split("\n")
    threshold_at = -1
    for at, line in enumerate(lines):
        key, _, value = line.partition("=")
        if key == "threshold":
            threshold_at = at
        elif key == "decision_type":
            _, _, thresholds = lines[threshold_at].partition("=")
            lines[threshold_at], lines[at] = _rounded_tree(thresholds, value)
        elif key == "is_linear" and value != "0":
            raise _not_convertible("its leaves are linear models")
        elif key == "end of trees":
            break
    # Byte lengths of the trees, now wrong; LightGBM reads a model without them in sequence.
    return "\n".join(line for line in lines if not line.startswith("tree_sizes="))


def _check_header(text: str) -> None:
    header, found, _ = text.partition("\nTree=")
    last = text.rstrip("\n").rpartition("\n")[2]
    whole = "\nend of trees\n" in text and text.endswith("\n")
    # LightGBM ends the whole process on a model that is cut, so that it is asked for none.
    if not (header.startswith("tree\n") and found and whole) or not last.startswith(
        "pandas_categorical:"
    ):
        raise AdapterFailed("this is not a LightGBM model with trees", code="model.unreadable")
    lines = header.split("\n")
    objectives = [line.partition("=")[2] for line in lines if line.startswith("objective=")]
    if objectives != ["binary sigmoid:1"]:
        raise _not_convertible(f"its objective is {', '.join(objectives) or 'not given'}")
    if "average_output" in lines:
        raise _not_convertible("it averages its trees")


def _rounded_tree(thresholds: str, decisions: str) -> tuple[str, str]:
    limits = np.array(thresholds.split(), dtype=np.float64)
    kinds = np.array(decisions.split(), dtype=np.int64)
    categorical = (kinds & _CATEGORICAL) != 0
    missing = kinds >> _MISSING_SHIFT
    if np.any(~categorical & (missing == _MISSING_ZERO)):
        raise _not_convertible("it reads zero as missing")
    rounded = np.where(categorical, limits, _float32_limits(limits))
    zero_goes_left = ~categorical & (missing == _MISSING_NONE) & (rounded >= 0)
    fixed = categorical | (missing == _MISSING_NONE)
    kinds = np.where(fixed, kinds & ~_DEFAULT_LEFT, kinds) | (zero_goes_left * _DEFAULT_LEFT)
    written = " ".join(
        f"{int(value)}" if is_category else repr(float(value))
        for value, is_category in zip(rounded, categorical, strict=True)
    )
    return f"threshold={written}", "decision_type=" + " ".join(str(kind) for kind in kinds)


def _float32_limits(limits: NDArray[np.float64]) -> NDArray[np.float64]:
    limits = largest_float32_below(limits).astype(np.float64)
    near_zero_below = (limits >= -_ZERO) & (limits < 0)
    near_zero_above = (limits >= 0) & (limits < _ZERO)
    limits[near_zero_below] = np.nextafter(-_ZERO, np.float32(-np.inf))
    limits[near_zero_above] = _ZERO
    return limits


def largest_float32_below(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """For each value the largest float32 that is not above it."""
    with np.errstate(over="ignore"):
        nearest = values.astype(np.float32)
    above = nearest.astype(np.float64) > values
    nearest[above] = np.nextafter(nearest[above], np.float32(-np.inf))
    return nearest


def _not_convertible(why: str) -> NotSupported:
    return NotSupported(
        "this model does not convert to ONNX", why=why, code="model.not-convertible"
    )
