"""Find adapters by name; import one only when it is used."""

from functools import cache
from importlib.metadata import Distribution, EntryPoint, distribution, distributions
from typing import Any

from freehold.domain.embedded import EMBEDDED
from freehold.domain.errors import AdapterMissing

EXTRAS = {"polars": "", "pyarrow": "arrow", "pathlib": "", "signing": "signing", "cyclonedx": "bom"}
"""The extra that brings an adapter's packages, where it is not called as the adapter is."""


def load(port: str, name: str) -> Any:
    """The class of the adapter `name` of a port. Raises AdapterMissing with the install line."""
    found = entry(port, name)
    try:
        return found.load()
    except ImportError as exc:
        extra = EXTRAS.get(name, name)
        raise AdapterMissing(
            f"the {port.replace('_', ' ')} adapter '{name}' needs a package that is not installed",
            why=str(exc),
            hint=f"pip install 'freehold[{extra}]'" if extra else "pip install freehold",
        ) from exc


def entry(port: str, name: str) -> EntryPoint:
    """Where the adapter `name` of a port is to be found. Raises AdapterMissing."""
    key = (f"freehold.{port}", name)
    found = _own().get(key) or _all().get(key)
    if found is None:
        raise AdapterMissing(
            f"no {port.replace('_', ' ')} adapter is named '{name}'",
            why=f"there are: {', '.join(names(port)) or 'none'}",
            hint="name one of these in freehold.yaml, or install the one that is meant",
            code="adapter.unknown",
        )
    return found


def embedded(port: str) -> Any:
    """The class that stands behind a port unless something else is asked for."""
    return load(port, EMBEDDED[port])


def names(port: str) -> tuple[str, ...]:
    """What is installed for a port, sorted."""
    return tuple(sorted(name for group, name in _all() if group == f"freehold.{port}"))


@cache
def _own() -> dict[tuple[str, str], EntryPoint]:
    """Those that come with Freehold, by group and name."""
    return _of(distribution("freehold"))


@cache
def _all() -> dict[tuple[str, str], EntryPoint]:
    """Those of strangers too. Read once: it looks into every distribution that is installed."""
    return {key: one for found in distributions() for key, one in _of(found).items()}


def _of(found: Distribution) -> dict[tuple[str, str], EntryPoint]:
    return {
        (one.group, one.name): one
        for one in found.entry_points
        if one.group.startswith("freehold.")
    }
