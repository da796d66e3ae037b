"""`endpoint.log` as freehold.yaml has it now: what is personal must not wait for processes that
were started before somebody said so, nor be undone by them.
"""

from freehold.app.project.reading import OpenProject, read_project
from freehold.app.site.opening import Site
from freehold.domain.endpoint_spec import LogSpec
from freehold.domain.errors import FreeholdError


def project_now(site: Site) -> OpenProject | None:
    """None while the file cannot be read: somebody may be writing it."""
    try:
        return read_project(site.project.root, site.name)
    except (FreeholdError, OSError):
        return None


def log_settings(site: Site, model: str = "") -> LogSpec | None:
    """Of the endpoint, or of a model's; None while the file cannot be read."""
    project = project_now(site)
    if project is None:
        return None
    endpoint = project.spec.endpoint
    is_its = endpoint is not None and model in ("", endpoint.model)
    return endpoint.log if endpoint is not None and is_its else LogSpec()


def as_opened(site: Site) -> LogSpec:
    """As the file had it when this process opened the site."""
    endpoint = site.project.spec.endpoint
    return LogSpec() if endpoint is None else endpoint.log
