"""`freehold signals`: drift and quality of what served, day by day, and what crossed a line."""

from typing import Any

from freehold.app.site.opening import Site
from freehold.monitoring.assessments import assessments
from freehold.monitoring.proposals import proposals_of, signals_of


def signals(site: Site, model: str = "") -> dict[str, Any]:
    """JSON: assessments, signals and proposals of a model, or of every model."""
    names = [model] if model else list(site.project.spec.models)
    state = site.state
    # Those about the whole project's costs are of no model.
    about = names if model else ["", *names]
    return {
        "shape": 1,
        "assessments": [row for name in names for row in assessments(state, site.name, name)],
        "signals": [one.as_json() for name in about for one in signals_of(state, name)],
        "proposals": [one.as_json() for name in names for one in proposals_of(state, name)],
    }
