"""Freehold: the whole life of a model, on any mix of places, from one project definition."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from freehold.authoring import checkpoint
from freehold.authoring.pipeline import pipeline
from freehold.authoring.step import step
from freehold.domain.candidate import Candidate

if TYPE_CHECKING:
    from freehold.authoring.feature_view import FeatureView
    from freehold.authoring.graph import cascade, ensemble, post, trained, transformer
    from freehold.domain.columns import Column, Columns
    from freehold.domain.model_graph import ModelGraph
    from freehold.domain.model_graph_part import Category, Number, Scores
    from freehold.endpoint.client import Client
    from freehold.features.point_in_time import point_in_time

__all__ = [
    "Candidate",
    "Category",
    "Client",
    "Column",
    "Columns",
    "FeatureView",
    "ModelGraph",
    "Number",
    "Scores",
    "cascade",
    "checkpoint",
    "ensemble",
    "pipeline",
    "point_in_time",
    "post",
    "step",
    "trained",
    "transformer",
]

_LATER = {
    "Category": "freehold.domain.model_graph_part",
    "Client": "freehold.endpoint.client",
    "Column": "freehold.domain.columns",
    "Columns": "freehold.domain.columns",
    "FeatureView": "freehold.authoring.feature_view",
    "ModelGraph": "freehold.domain.model_graph",
    "Number": "freehold.domain.model_graph_part",
    "Scores": "freehold.domain.model_graph_part",
    "cascade": "freehold.authoring.graph",
    "ensemble": "freehold.authoring.graph",
    "point_in_time": "freehold.features.point_in_time",
    "post": "freehold.authoring.graph",
    "trained": "freehold.authoring.graph",
    "transformer": "freehold.authoring.graph",
}
"""Names whose modules load much, or are seldom used: imported when first asked for (PEP 562)."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'freehold' has no attribute '{name}'")
    value = getattr(import_module(_LATER[name]), name)
    globals()[name] = value
    return value
