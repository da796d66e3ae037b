"""`freehold run --at SITE`: ask another site to run a pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from freehold.app.run.plan import plan_run
from freehold.app.site.opening import Site
from freehold.domain.errors import NotFound
from freehold.domain.fact import Draft
from freehold.domain.json_value import plain
from freehold.replication.leases import work_of
from freehold.replication.work import Work
from freehold.running.record import kept_apart


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


def request(site: Site, planned: PlannedRequest) -> Work:
    """Appends work.requested; it reaches the other site with the next exchange.

    A parameter that is text may say something about a person: it is kept in an attachment, as
    a run keeps it.
    """
    stated, kept = kept_apart(planned.parameters, site.attachments)
    wall = site.clock()
    lot = sha256(f"{site.ledger.writer} {wall}".encode()).hexdigest()[:8]
    name = f"{datetime.fromtimestamp(wall // 1_000_000, UTC):%Y%m%d-%H%M%S}-{lot}"
    body = {
        "parameters": stated,
        "parameters_attachment": kept,
        "pipeline": planned.pipeline,
        "site": planned.site,
        "work": name,
    }
    site.ledger.append([Draft("work.requested", body, actor=site.actor)])
    return work_of(site.state, name)
