"""`freehold status`: what serves, what is being released, what waits."""

import json
from typing import Any

from freehold.app.loop.proposals import open_proposals
from freehold.app.run.runs import standing
from freehold.app.site.opening import Site
from freehold.app.traffic.client import EndpointClient
from freehold.catalog.traffic import log_files
from freehold.catalog.versions import versions_of
from freehold.delivery.releases import aliases_of, running_release
from freehold.domain.errors import Failed, Unreachable
from freehold.monitoring.assessments import assessments
from freehold.running.projection import unfinished


def status(site: Site) -> dict[str, Any]:
    """JSON: the endpoint as it answers now, each model, and the runs that wait."""
    return {
        "shape": 1,
        "project": site.project.spec.project,
        "site": site.project.spec.site,
        "endpoint": _endpoint(site),
        "models": [_model(site, name) for name in site.project.spec.models],
        "unfinished_runs": [
            {"run": row["run"], "pipeline": row["pipeline"], "status": standing(site, row)}
            for row in unfinished(site.state)
        ],
    }


def endpoint_url(site: Site) -> str:
    """Where this project's endpoint said that it listens, or where it would by its settings."""
    told = site.serving / "endpoint.json"
    if told.is_file():
        return str(json.loads(told.read_text())["url"])
    spec = site.project.spec.endpoint
    return f"http://{spec.host}:{spec.port}" if spec else ""


def _endpoint(site: Site) -> dict[str, Any] | None:
    url = endpoint_url(site)
    if not url:
        return None
    client = EndpointClient(url, seconds=2.0)
    try:
        routing = client.routing()
    except (Unreachable, Failed):
        return {"url": url, "up": False, "routing": None}
    finally:
        client.close()
    return {"url": url, "up": True, "routing": routing}


def _model(site: Site, name: str) -> dict[str, Any]:
    state = site.state
    release = running_release(state, name)
    last = list(assessments(state, name))[-1:]
    return {
        "model": name,
        "versions": sum(1 for _ in versions_of(state, name)),
        "aliases": aliases_of(state, name),
        "release": None
        if release is None
        else {"id": release.id, "version": release.version, "weight": release.weight},
        "logged_rows": sum(file.rows for file in log_files(state, name)),
        "assessed": last[0] if last else None,
        "proposals": [
            {"proposal": one.name, "standing": one.standing} for one in open_proposals(site, name)
        ],
    }
