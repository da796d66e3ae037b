"""What is known of a model at the sites of a release, for the order in which it reaches them."""

from freehold.app.site.opening import Site
from freehold.catalog.traffic import log_files
from freehold.delivery.regions import ReleaseSite, stages
from freehold.delivery.releases import releases_of
from freehold.domain.release import GUARDRAILS, Strategy

WEEK = 7 * 86_400_000_000
"""Microseconds."""


def stages_of(
    site: Site, model: str, strategy: Strategy, sites: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    """Sites of each stage of a release region after region; none where all go together.

    Rows and past releases are those that this site knows of.
    """
    wanted = site.project.spec.release
    if strategy != "rolling" and (strategy == "immediate" or not wanted.by_region):
        return ()
    found = stages([_place(site, model, name) for name in sites], wanted.rolling)
    return found if strategy == "rolling" or len(found) > 1 else ()


def _place(site: Site, model: str, name: str) -> ReleaseSite:
    since = site.clock() - WEEK
    files = log_files(site.state, name, model, answered_since=since)
    ended = [
        one
        for one in releases_of(site.state, model, name)
        if one.status != "running" and one.reaches(name)
    ]
    failed = sum(
        one.stopped_at == name
        and (one.guardrail in GUARDRAILS or one.guardrail.startswith("metric:"))
        for one in ended
    )
    spec = site.project.spec.sites.get(name)
    # Two providers may call different places the same.
    region = f"{spec.provider} {spec.region}" if spec is not None and spec.region else ""
    rows = sum(file.rows + file.sampled_out for file in files)
    return ReleaseSite(name, region, rows, len(ended), failed)
