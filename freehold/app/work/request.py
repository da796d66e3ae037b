"""`freehold run --at SITE`: ask another site to run a pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from freehold.app.run.plan import plan_run
from freehold.app.site.opening import Site
from freehold.domain.errors import Conflict, IntegrityError, NotFound
from freehold.domain.fact import Draft
from freehold.domain.json_value import plain
from freehold.domain.projection import State
from freehold.replication.leases import WORK, work_of
from freehold.replication.work import Work
from freehold.running.record import kept_apart, parameters_of


@dataclass(frozen=True)
class PlannedRequest:
    site: str
    pipeline: str
    parameters: Mapping[str, Any]
    """All of them, as the pipeline takes them."""

    def as_json(self) -> dict[str, Any]:
        return {
            "site": self.site,
            "pipeline": self.pipeline,
            "parameters": plain(self.parameters),
        }


def plan_request(
    site: Site, at: str, pipeline: str = "", values: Mapping[str, Any] | None = None
) -> PlannedRequest:
    """Traced and checked here, with this checkout's code; the other site plans by its own.

    Raises NotFound `site.unknown`, and what planning a run raises.
    """
    if at not in site.project.site_names:
        raise NotFound(
            f"there is no site '{at}'",
            why=f"the project has {', '.join(site.project.site_names)}",
            hint="name one of these, or add it to `sites` in freehold.yaml",
            code="site.unknown",
        )
    planned = plan_run(site, pipeline, values)
    return PlannedRequest(at, planned.plan.pipeline, planned.graph.parameters)


def request(site: Site, planned: PlannedRequest, key: str = "") -> Work:
    """Appends work.requested; it reaches the other site with the next exchange.

    A parameter that is text may say something about a person: it is kept in an attachment, as
    a run keeps it.

    `key` is the asker's own name for this request. Asked again with it, whatever happened in
    between, it is the same work: the work's name is made of it, so that the ledger itself knows.
    Raises Conflict `work.other-request` if something else was asked under that key.
    """
    name = _keyed(site, key) if key else ""
    if name and (known := _asked_before(site, name, planned)):
        return known
    stated, kept = kept_apart(planned.parameters, site.attachments)
    name = name or _timed(site)
    body = {
        "parameters": stated,
        "parameters_attachment": kept,
        "pipeline": planned.pipeline,
        "site": planned.site,
        "work": name,
    }

    def decision(state: State) -> list[Draft]:
        # The same key may have come twice at once.
        known = bool(key) and state.get(WORK, name) is not None
        return [] if known else [Draft("work.requested", body, actor=site.actor)]

    if not site.ledger.decide(decision):
        return _asked_before(site, name, planned) or work_of(site.state, name)
    return work_of(site.state, name)


def _timed(site: Site) -> str:
    wall = site.clock()
    lot = sha256(f"{site.ledger.writer} {wall}".encode()).hexdigest()[:8]
    return f"{datetime.fromtimestamp(wall // 1_000_000, UTC):%Y%m%d-%H%M%S}-{lot}"


def _keyed(site: Site, key: str) -> str:
    """Says nothing of the key, which is a stranger's words."""
    return "asked-" + sha256(f"{site.name}\n{key}".encode()).hexdigest()[:20]


def _asked_before(site: Site, name: str, planned: PlannedRequest) -> Work | None:
    if site.state.get(WORK, name) is None:
        return None
    work = work_of(site.state, name)
    if (work.site, work.pipeline) == (planned.site, planned.pipeline):
        try:
            given = parameters_of({**work.as_json(), "run": name}, site.attachments)
        except IntegrityError as error:
            # What was erased cannot be compared any more; the key still says that it is the same.
            if error.code != "run.parameters-erased":
                raise
            return work
        if given == plain(planned.parameters):
            return work
    raise Conflict(
        "something else was asked under this key before",
        why=f"work {name} is {work.pipeline} at {work.site}, or has other parameters",
        hint="a key names one request: take a new one for another",
        code="work.other-request",
    )
