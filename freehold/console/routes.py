"""What stands at which path."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from freehold.app.site.opening import Site
from freehold.console import changes, reads
from freehold.console.answer import WrongMethod
from freehold.console.request import Asked
from freehold.domain.errors import RequestInvalid

API = "/api/v1"
Handler = Callable[[Site, Asked], dict[str, Any]]


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    """`{name}` stands for one part, `{name*}` for one or more."""
    handler: Handler
    query: tuple[str, ...] = ()
    """Names that it takes behind the question mark."""

    @property
    def changes(self) -> bool:
        return self.method == "POST"

    def place(self, path: str) -> Mapping[str, str] | None:
        """What the path names, or None if it is another."""
        found = re.fullmatch(_pattern(self.path), path)
        return None if found is None else found.groupdict()


ROUTES = (
    Route("GET", "/status", reads.read_status),
    Route("GET", "/models", reads.read_models),
    Route("GET", "/models/{model}", reads.read_models),
    Route("GET", "/models/{model}/versions/{version}", reads.read_version),
    Route("GET", "/models/{model}/versions/{version}/why", reads.read_why),
    Route("GET", "/runs", reads.read_runs),
    Route("GET", "/runs/{run}", reads.read_runs),
    Route("GET", "/signals", reads.read_signals, ("model",)),
    Route("GET", "/conflicts", reads.read_conflicts, ("all",)),
    Route("GET", "/sites", reads.read_sites),
    Route("GET", "/work", reads.read_work, ("open",)),
    Route("GET", "/work/{work}", reads.read_work),
    Route("POST", "/proposals/{proposal*}/approve", changes.approve_proposal),
    Route("POST", "/proposals/{proposal*}/reject", changes.reject_proposal),
    Route("POST", "/releases", changes.begin_release, ("dry_run",)),
    Route("POST", "/conflicts/{conflict}/settle", changes.settle),
    Route("POST", "/work", changes.ask_work),
)


def find_route(method: str, path: str) -> tuple[Route, Mapping[str, str]]:
    """Raises RequestInvalid `request.not-found`, `request.method`."""
    below = path.removeprefix(API) if path.startswith(f"{API}/") else ""
    places = [(route, route.place(below)) for route in ROUTES]
    here = [(route, place) for route, place in places if place is not None]
    for route, place in here:
        if route.method == method:
            return route, place
    if here:
        raise WrongMethod(method, tuple(route.method for route, _ in here))
    raise nothing(path)


def nothing(path: str) -> RequestInvalid:
    return RequestInvalid(
        f"there is nothing at {path!r:.80}",
        why=f"the API is below {API}/, and the page is at /",
        hint="the guide on the console lists what can be asked",
        code="request.not-found",
    )


def _pattern(path: str) -> str:
    return re.sub(r"\{(\w+)(\*?)\}", lambda m: f"(?P<{m[1]}>{'.+' if m[2] else '[^/]+'})", path)
