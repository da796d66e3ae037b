"""`flight-delay@2`, `flight-delay@champion`: a version as people name it."""

from freehold.app.site.opening import Site
from freehold.catalog.versions import ModelVersion, version_of, versions_of
from freehold.delivery.releases import aliases_of
from freehold.domain.errors import NotFound, WrongUsage


def resolve(site: Site, name: str) -> ModelVersion:
    """The version that a name stands for. Raises WrongUsage, NotFound."""
    model, at, rest = name.partition("@")
    if not at or not model or not rest:
        raise WrongUsage(
            f"'{name}' names no version",
            why="a version is a model's name, '@', and a number or an alias",
            hint="write it like flight-delay@2 or flight-delay@champion",
            code="usage.version",
        )
    state = site.state
    if not any(versions_of(state, model)):
        raise _unknown(site, model)
    if rest.isdigit():
        return version_of(state, model, int(rest))
    aliases = aliases_of(state, model)
    if rest not in aliases:
        raise NotFound(
            f"no version of {model} is called '{rest}'",
            why=f"aliases: {', '.join(sorted(aliases)) or 'none yet'}",
            hint=f"`freehold release {model}@VERSION` makes a champion",
            code="model.no-alias",
        )
    return version_of(state, model, aliases[rest])


def require_model(site: Site, model: str) -> None:
    """Raises NotFound unless the project names the model or it has a version."""
    if model not in site.project.spec.models and not any(versions_of(site.state, model)):
        raise _unknown(site, model)


def _unknown(site: Site, model: str) -> NotFound:
    known = sorted({v.model for v in versions_of(site.state)}) or ["none"]
    return NotFound(
        f"there is no model '{model}'",
        why=f"models so far: {', '.join(known)}",
        hint="`freehold run` makes a version",
        code="model.not-found",
    )
