"""Classifiers of two classes, ready to answer."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from freehold.adapters.sklearn.persistence import read
from freehold.domain.errors import AdapterFailed, NotSupported


@lru_cache(maxsize=16)
def classifier_of(data: bytes) -> Any:
    """The last few are kept: for answering, not for changing.

    Each answers on one thread: several would add up in the order in which they end. Raises
    AdapterFailed (`model.unreadable`), NotSupported (`model.not-binary`, `model.named-columns`,
    `model.no-missing`).
    """
    estimator = read(data)
    _check(estimator)
    for part in _parts(estimator):
        if hasattr(part, "n_jobs"):
            part.n_jobs = 1
    nothing = np.full((1, estimator.n_features_in_), np.nan, dtype=np.float32)
    try:
        probabilities(estimator, nothing)
    except ValueError as exc:
        raise NotSupported(
            "this model does not answer a row with missing values",
            why=str(exc).partition("\n")[0],
            hint="put a SimpleImputer before it, with keep_empty_features=True",
            code="model.no-missing",
        ) from exc
    return estimator


def probabilities(estimator: Any, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of the second class [n], for at least one row [n, k]. Raises ValueError for rows that the
    estimator does not take."""
    rows = np.ascontiguousarray(matrix, dtype=np.float32)
    return np.asarray(estimator.predict_proba(rows)[:, 1], dtype=np.float64)


def _check(estimator: Any) -> None:
    try:
        classes, width = list(estimator.classes_), int(estimator.n_features_in_)
        told = callable(estimator.predict_proba)
    except (AttributeError, TypeError) as exc:
        raise _not_binary(estimator, str(exc)) from exc
    if not told or len(classes) != 2 or width < 1:
        raise _not_binary(estimator, f"its classes are {classes}")
    if any(hasattr(part, "feature_names_in_") for part in _parts(estimator)):
        raise NotSupported(
            "this model was fitted on a table with names",
            why="rows come as a matrix, in the order of the package's columns",
            hint="fit it on `columns.matrix(table)`",
            code="model.named-columns",
        )


def _parts(value: Any) -> Iterator[Any]:
    """The estimator and those that it holds."""
    if isinstance(value, BaseEstimator):
        yield value
        value = list(vars(value).values())
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype == object):
        for item in np.ravel(value) if isinstance(value, np.ndarray) else value:
            yield from _parts(item)


def _not_binary(estimator: Any, why: str) -> AdapterFailed:
    return NotSupported(
        f"this {type(estimator).__name__} gives no probability of one class",
        why=why,
        hint="fit a classifier of two classes that has predict_proba",
        code="model.not-binary",
    )
