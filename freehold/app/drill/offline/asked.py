"""What is asked of an offline drill, and whether the project can do it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freehold.app.project.reading import OpenProject
from freehold.domain.errors import NotFound, WrongUsage


@dataclass(frozen=True)
class Asked:
    project: OpenProject
    cut: str
    hours: float
    model: str
    other: str
    """The site that goes on at the other side."""
    values: Mapping[str, Any]
    """Parameters of the pipeline, other than the latest run's."""

    @classmethod
    def of(cls, project: OpenProject, cut: str, hours: float, values: Mapping[str, Any]) -> "Asked":
        """Raises WrongUsage `drill.no-model`, `site.none`, NotFound `site.unknown`."""
        return cls(project, cut, hours, _model_of(project), _other_side(project, cut), values)


def _model_of(project: OpenProject) -> str:
    spec = project.spec
    models = [spec.endpoint.model] if spec.endpoint else list(spec.models)
    if len(models) != 1:
        raise WrongUsage(
            "which model is the drill to train?",
            why=f"the project has {', '.join(models) or 'none'}, and no endpoint names one",
            hint="name it under `endpoint: model:` in freehold.yaml",
            code="drill.no-model",
        )
    return models[0]


def _other_side(project: OpenProject, cut: str) -> str:
    sites = project.spec.sites
    if cut not in project.site_names:
        raise NotFound(
            f"there is no site '{cut}'",
            why=f"the project has {', '.join(project.site_names)}",
            hint="name one of these, or add it to `sites` in freehold.yaml",
            code="site.unknown",
        )
    if len(sites) < 2:
        raise WrongUsage(
            "there is nobody to cut this site off from",
            why=f"freehold.yaml names {len(sites)} sites under `sites`",
            hint="name the places under `sites`, each with its store; the guide on sites shows how",
            code="site.none",
        )
    own = project.spec.site
    return own if own != cut else next(name for name in sites if name != cut)
