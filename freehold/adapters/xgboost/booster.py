"""Models of XGBoost from the JSON that it writes itself."""

from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import xgboost
from numpy.typing import NDArray

from freehold.domain.errors import AdapterFailed, NotSupported

_OBJECTIVES = ("binary:logistic", "reg:logistic")
_TREES = ("gbtree", "dart")


def read_booster(data: bytes) -> xgboost.Booster:
    """Raises AdapterFailed (`model.unreadable`)."""
    # XGBoost ends the whole process on an empty model, so that it is asked for documents only.
    _learner(data)
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(data))
    except (xgboost.core.XGBoostError, ValueError) as exc:
        raise _unreadable(str(exc)) from exc
    return booster


@lru_cache(maxsize=16)
def classifier_of(data: bytes) -> xgboost.Booster:
    """The same of a classifier of two classes, with the last few kept: for answering, not for
    changing. Raises NotSupported (`model.not-binary`) too."""
    check_binary(data)
    return read_booster(data)


def check_binary(data: bytes) -> None:
    """Raises NotSupported (`model.not-binary`), AdapterFailed (`model.unreadable`)."""
    learner = _learner(data)
    try:
        objective = learner["objective"]["name"]
        kind = learner["gradient_booster"]["name"]
        targets = learner["learner_model_param"]["num_target"]
    except (KeyError, TypeError) as exc:
        raise _unreadable(f"it does not say {exc}") from exc
    if objective not in _OBJECTIVES or kind not in _TREES or targets != "1":
        raise NotSupported(
            "this XGBoost model gives no probability of one class",
            why=f"its objective is {objective}, its booster {kind}, its targets {targets}",
            hint=f"train with objective {_OBJECTIVES[0]} and booster {_TREES[0]}",
            code="model.not-binary",
        )


def probabilities(booster: xgboost.Booster, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of the positive class [n], for rows [n, k]; XGBoost reckons in single precision."""
    rows = np.ascontiguousarray(matrix, dtype=np.float32)
    return np.asarray(booster.inplace_predict(rows), dtype=np.float64)


def _learner(data: bytes) -> Any:
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        raise _unreadable(str(exc)) from exc
    if not isinstance(document, dict) or not {"learner", "version"} <= set(document):
        raise _unreadable("it is no document of a learner and a version")
    return document["learner"]


def _unreadable(why: str) -> AdapterFailed:
    return AdapterFailed("this is not an XGBoost model", why=why, code="model.unreadable")
