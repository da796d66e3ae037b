"""Feature views, as a project defines them."""

from freehold.domain.feature_view import (
    Entity,
    Feature,
    FeatureView,
    FromRow,
    Latest,
    Lookup,
    RateOver,
    Source,
    YearsSince,
)

__all__ = [
    "Entity",
    "Feature",
    "FeatureView",
    "FromRow",
    "Latest",
    "Lookup",
    "RateOver",
    "Source",
    "YearsSince",
]
