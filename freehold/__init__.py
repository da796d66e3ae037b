"""Freehold: the whole life of a model, on any mix of places, from one project definition."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from freehold.authoring import checkpoint
from freehold.authoring.pipeline import pipeline
from freehold.authoring.step import step
from freehold.domain.candidate import Candidate

if TYPE_CHECKING:
    from freehold.authoring.feature_view import FeatureView
    from freehold.domain.columns import Column, Columns
    from freehold.endpoint.client import Client
    from freehold.features.point_in_time import point_in_time

__all__ = [
    "Candidate",
    "Client",
    "Column",
    "Columns",
    "FeatureView",
    "checkpoint",
    "pipeline",
    "point_in_time",
    "step",
]

_LATER = {
    "Client": "freehold.endpoint.client",
    "Column": "freehold.domain.columns",
    "Columns": "freehold.domain.columns",
    "FeatureView": "freehold.authoring.feature_view",
    "point_in_time": "freehold.features.point_in_time",
}
"""Names whose modules load large libraries: imported when first asked for (PEP 562)."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'freehold' has no attribute '{name}'")
    value = getattr(import_module(_LATER[name]), name)
    globals()[name] = value
    return value
