"""Find adapters by name; import one only when it is used."""

from functools import cache
from importlib.metadata import EntryPoint, distributions
from typing import Any

from freehold.domain.errors import AdapterMissing

EXTRAS = {"polars": "", "pyarrow": "arrow", "pathlib": "", "signing": "signing", "cyclonedx": "bom"}
"""The extra that brings an adapter's packages, where it is not called as the adapter is."""


def load(port: str, name: str) -> Any:
    """The class of the adapter `name` of a port. Raises AdapterMissing with the install line."""
    spoken = port.replace("_", " ")
    entry = _all().get((f"freehold.{port}", name))
    if entry is None:
        raise AdapterMissing(
            f"no {spoken} adapter is named '{name}'",
            why=f"there are: {', '.join(names(port)) or 'none'}",
            hint="name one of these in freehold.yaml, or install the one that is meant",
            code="adapter.unknown",
        )
    try:
        return entry.load()
    except ImportError as exc:
        extra = EXTRAS.get(name, name)
        raise AdapterMissing(
            f"the {spoken} adapter '{name}' needs a package that is not installed",
            why=str(exc),
            hint=f"pip install 'freehold[{extra}]'",
        ) from exc


def names(port: str) -> tuple[str, ...]:
    """What is installed for a port, sorted."""
    return tuple(sorted(name for group, name in _all() if group == f"freehold.{port}"))


@cache
def _all() -> dict[tuple[str, str], EntryPoint]:
    """By group and name. Read once: it looks into every distribution that is installed."""
    return {
        (entry.group, entry.name): entry
        for distribution in distributions()
        for entry in distribution.entry_points
        if entry.group.startswith("freehold.")
    }
