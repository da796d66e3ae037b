"""`freehold status`: what serves, what is being released, what waits."""

import json
from typing import Any

from freehold.app.loop.proposals import open_proposals
from freehold.app.release.status import held
from freehold.app.run.waiting import waiting_runs
from freehold.app.site.opening import Site
from freehold.app.traffic.client import EndpointClient
from freehold.catalog.traffic import log_files
from freehold.catalog.versions import versions_of
from freehold.delivery.releases import aliases_of, running_release
from freehold.domain.errors import Failed, Unreachable
from freehold.monitoring.assessments import assessments

ADDRESS = "endpoint.json"
"""Where an endpoint of the site says at what URL it listens."""


def status(site: Site) -> dict[str, Any]:
    """JSON: the endpoint as it answers now, each model, and the runs that wait."""
    return {
        "shape": 1,
        "project": site.project.spec.project,
        "site": site.name,
        "endpoint": _endpoint(site),
        "models": [_model(site, name) for name in site.project.spec.models],
        "unfinished_runs": [
            {"run": one.row["run"], "pipeline": one.row["pipeline"], "status": one.standing}
            for one in waiting_runs(site)
        ],
    }


def own_endpoint(site: Site) -> str:
    """URL of this site's endpoint, if it answers and shows this site's key; else empty.

    What else may listen there is a stranger, and is neither asked nor believed.
    """
    told = site.serving / ADDRESS
    if not told.is_file():
        return ""
    url = str(json.loads(told.read_text())["url"])
    routing = _routing(url)
    return url if routing and routing.get("key") == site.signer.public.fingerprint else ""


def _endpoint(site: Site) -> dict[str, Any] | None:
    spec = site.project.spec.endpoint
    if spec is None:
        return None
    url = own_endpoint(site)
    if not url:
        return {"url": f"http://{spec.host}:{spec.port}", "up": False, "routing": None}
    return {"url": url, "up": True, "routing": _routing(url)}


def _routing(url: str) -> dict[str, Any] | None:
    client = EndpointClient(url, seconds=2.0)
    try:
        return client.routing()
    except (Unreachable, Failed):
        return None
    finally:
        client.close()


def _model(site: Site, name: str) -> dict[str, Any]:
    state = site.state
    release = running_release(state, name, site.name)
    last = list(assessments(state, site.name, name))[-1:]
    return {
        "model": name,
        "versions": sum(1 for _ in versions_of(state, name)),
        "aliases": aliases_of(state, name),
        "release": None
        if release is None
        else {
            "id": release.id,
            "version": release.version,
            "weight": release.weight,
            "held": held(site, release),
        },
        "logged_rows": sum(file.rows for file in log_files(state, site.name, name)),
        "assessed": last[0] if last else None,
        "proposals": [
            {"proposal": one.name, "standing": one.standing} for one in open_proposals(site, name)
        ],
    }
