"""Adapters of the models in a graph, found by their entry points."""

from importlib.metadata import entry_points
from typing import Any

from freehold.domain.errors import AdapterMissing

CODECS = "freehold.codec"
FRAMEWORKS = "freehold.model_framework"
RUNTIMES = "freehold.model_runtime"


def adapter(group: str, name: str) -> Any:
    """An instance. Raises AdapterMissing."""
    try:
        return entry_points(group=group)[name].load()()
    except (KeyError, ImportError) as exc:
        raise AdapterMissing(
            f"a model of the graph is one of {name}, which is not installed",
            why=str(exc),
            hint=f"pip install 'freehold[{name}]'",
        ) from exc


def names(group: str) -> frozenset[str]:
    return frozenset(entry_points(group=group).names)
