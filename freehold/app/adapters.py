"""Find adapters by name; import one only when it is used."""

from importlib.metadata import entry_points
from typing import Any

from freehold.domain.errors import AdapterMissing

EXTRAS = {"polars": "", "pyarrow": "arrow", "pathlib": "", "signing": "signing", "cyclonedx": "bom"}
"""The extra that brings an adapter's packages, where it is not called as the adapter is."""


def load(port: str, name: str) -> Any:
    """The class of the adapter `name` of a port. Raises AdapterMissing with the install line."""
    spoken = port.replace("_", " ")
    found = entry_points(group=f"freehold.{port}")
    for entry in found:
        if entry.name == name:
            try:
                return entry.load()
            except ImportError as exc:
                extra = EXTRAS.get(name, name)
                raise AdapterMissing(
                    f"the {spoken} adapter '{name}' needs a package that is not installed",
                    why=str(exc),
                    hint=f"pip install 'freehold[{extra}]'",
                ) from exc
    raise AdapterMissing(
        f"no {spoken} adapter is named '{name}'",
        why=f"there are: {', '.join(sorted(found.names)) or 'none'}",
        code="adapter.unknown",
    )


def names(port: str) -> tuple[str, ...]:
    """What is installed for a port, sorted."""
    return tuple(sorted(entry_points(group=f"freehold.{port}").names))
