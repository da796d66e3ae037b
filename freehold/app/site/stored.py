"""How much lies in the site's own objects and in its store, looked at once an hour at most."""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freehold.app.site.moved import write_json
from freehold.app.site.opening import Site
from freehold.ports.object_store import ObjectStore

HOUR = 3_600_000_000
"""Microseconds."""
OBJECTS, STORE = "objects", "store"
"""The site's own objects, and the store in which others look for what it published."""
_SAMPLE = Path("metering") / "store.json"
_SIZES = Path("metering") / "sizes.json"
_PARALLEL = 16


@dataclass(frozen=True)
class Sample:
    at: int
    """Microseconds since 1970 UTC."""
    bytes: int

    def as_json(self) -> dict[str, int]:
        return {"at": self.at, "bytes": self.bytes}


def due(last: dict[str, Any] | None, now: int) -> bool:
    return last is None or now - int(last["at"]) >= HOUR


def own_objects(site: Site) -> Sample:
    """By a listing of the objects here."""
    sizes = (site.objects.size(key) for key in site.objects.keys(""))
    return Sample(site.clock(), sum(size or 0 for size in sizes))


def look_at_store(site: Site, store: ObjectStore) -> None:
    """Note how much lies in the site's store, if an hour has gone by. Its objects never change, so
    only the sizes of new ones are asked for. Raises what the store raises, and OSError."""
    last = published(site)
    if last is not None and site.clock() - last.at < HOUR:
        return
    known = _read(site.folder / _SIZES)
    keys = list(store.keys())
    new = [key for key in keys if key not in known]
    sizes = {key: known[key] for key in keys if key in known}
    sizes |= _sizes(store.size, new)
    write_json(site.folder / _SIZES, sizes)
    write_json(site.folder / _SAMPLE, Sample(site.clock(), sum(sizes.values())).as_json())


def published(site: Site) -> Sample | None:
    """As it was found last; None before that."""
    told = _read(site.folder / _SAMPLE)
    return Sample(told["at"], told["bytes"]) if told.keys() >= {"at", "bytes"} else None


def _sizes(size_of: Callable[[str], int | None], keys: Iterable[str]) -> dict[str, int]:
    with ThreadPoolExecutor(_PARALLEL) as pool:
        found = pool.map(lambda key: (key, size_of(key)), keys)
        return {key: size for key, size in found if size is not None}


def _read(path: Path) -> dict[str, int]:
    try:
        told = json.loads(path.read_bytes())
        return {str(key): int(value) for key, value in told.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}
