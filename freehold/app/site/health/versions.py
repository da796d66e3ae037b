"""What runs here, and which release of Freehold the other sites say that they run."""

import platform
from collections.abc import Sequence

from freehold.app.site.health.finding import Finding
from freehold.app.site.opening import PROJECTIONS, RELEASE, Site
from freehold.catalog.metering import LEFT
from freehold.domain.fact import ENVELOPE, site_of
from freehold.ports.locks import Locks
from freehold.replication.installed import installed

AGENT_LOCK = "agent"
"""Held by a site's agent as long as it lives."""


def examine_versions() -> Finding:
    what = f"Freehold {RELEASE} on Python {platform.python_version()}, {platform.system()}"
    return Finding("versions", "good", what)


def releases_at(site: Site) -> dict[str, Sequence[str]]:
    """Site of the project → releases that its logs say, the own one first for this site; several
    where several machines are one site. Empty where nothing that is held says it."""
    found: dict[str, dict[str, None]] = {name: {} for name in site.project.site_names}
    found[site.name] = {RELEASE: None}
    left = {writer for _, before in site.state.scan(LEFT) for writer in before}
    for writer, release in installed(site.state).items():
        if writer not in {site.ledger.writer, *left}:
            found.setdefault(site_of(writer), {})[release] = None
    return {name: list(found[name]) for name in site.project.site_names}


def examine_releases(site: Site) -> list[Finding]:
    """Of every other site, and of other machines of this one."""
    found = releases_at(site)
    findings = [_release(name, said) for name, said in found.items() if name != site.name]
    if len(found[site.name]) > 1:
        findings.append(_release(site.name, found[site.name]))
    return findings


def _release(name: str, said: Sequence[str]) -> Finding:
    if not said:
        why = "no fact of it that is here says so: it has not met this one, or an old release runs"
        return Finding("versions", "good", f"what {name} runs is not known", why=why, about=name)
    what = f"{name} runs Freehold {' and '.join(said)}"
    if set(said) == {RELEASE}:
        return Finding("versions", "good", what, about=name)
    return Finding(
        "versions",
        "warning",
        f"{what}, and this site {RELEASE}",
        why="facts of the newer one may mean nothing to the older one, which passes over them",
        hint="install the same release at both; the next meeting tells the others",
        about=name,
    )


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
