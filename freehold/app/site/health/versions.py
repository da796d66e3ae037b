"""What runs here."""

import platform
from importlib.metadata import version

from freehold.app.site.health.finding import Finding
from freehold.app.site.opening import PROJECTIONS, Site
from freehold.domain.fact import ENVELOPE
from freehold.ports.locks import Locks

AGENT_LOCK = "agent"
"""Held by a site's agent as long as it lives."""


def examine_versions() -> Finding:
    what = f"Freehold {version('freehold')} on Python {platform.python_version()}"
    why = "what the other sites run stands in no fact: ask there, with `freehold doctor`"
    return Finding("versions", "good", f"{what}, {platform.system()}", why=why)


def examine_layout(site: Site) -> Finding:
    """That the ledger is open says that its layout and its tables are this release's."""
    tables = ", ".join(f"{one.name} {one.version}" for one in PROJECTIONS)
    kind = type(site.ledger).__name__
    what = f"the ledger ({kind}) has a layout that this release reads; facts have shape {ENVELOPE}"
    return Finding("versions", "good", what, why=f"its tables are folded by {tables}")


def examine_agent(locks: Locks, site: str) -> Finding:
    held = locks.take(AGENT_LOCK)
    if held is None:
        return Finding("agent", "good", "its agent runs")
    held.release()
    why = "sites meet only when somebody types `freehold sync`"
    return Finding(
        "agent", "good", "no agent runs here", why=why, hint=f"freehold agent --site {site}"
    )
