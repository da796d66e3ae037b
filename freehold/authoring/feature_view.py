"""Feature views, as a project defines them."""

from freehold.domain.feature_view import (
    FeatureView,
    FromRow,
    Latest,
    Lookup,
    RateOver,
    Source,
    YearsSince,
)

__all__ = ["FeatureView", "FromRow", "Latest", "Lookup", "RateOver", "Source", "YearsSince"]
