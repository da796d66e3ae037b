"""`freehold.yaml` from the disk, with every fault that can be seen without running anything."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from freehold.app.project.limit_faults import odd_limits
from freehold.app.project.log_faults import odd_log
from freehold.app.project.money import odd_money
from freehold.app.project.release_faults import odd_release
from freehold.app.project.schema import Reader, invalid
from freehold.app.project.site_faults import placement_faults
from freehold.domain.errors import Fault, NotFound, ProjectInvalid
from freehold.domain.project import Project

FILE = "freehold.yaml"
SITE_VARIABLE = "FREEHOLD_SITE"
_SITE_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class OpenProject:
    """A project and the folder it lies in, at one of its sites."""

    root: Path
    spec: Project
    """Its `site` is the one that was asked for."""
    reader: Reader

    @property
    def state(self) -> Path:
        """Where this site keeps what it knows of the project."""
        return self.state_of(self.spec.site)

    def state_of(self, site: str) -> Path:
        folder = self.root / ".freehold"
        return folder / "sites" / site if self.spec.sites else folder

    @property
    def site_names(self) -> tuple[str, ...]:
        return tuple(self.spec.sites) or (self.spec.site,)

    def where(self, *path: str) -> str:
        return self.reader.where(path)

    def says(self, *path: str) -> bool:
        """Whether the file itself states this, so that it is no default."""
        return path in self.reader.lines


def find_root(start: Path) -> Path:
    """The nearest folder, upwards, with a project file. Raises NotFound."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder
    raise NotFound(
        "this is not a Freehold project",
        why=f"no {FILE} here or in any folder above",
        hint="go to your project's folder, or begin one: `freehold init my-project`",
        code="project.not-found",
    )


def read_project(root: Path, site: str = "") -> OpenProject:
    """At the site that is named, or that the environment names, or the project file.

    Raises ProjectInvalid with all faults, NotFound `site.unknown`.
    """
    reader = Reader(FILE)
    try:
        text = (root / FILE).read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise ProjectInvalid(
            f"{FILE} is not UTF-8 text", why=str(exc), hint="save it as UTF-8"
        ) from exc
    spec = reader.read(text, Project)
    faults = [*reader.faults, *_missing_files(root, reader)]
    if spec is None:
        raise invalid(faults, FILE)
    project = OpenProject(root, spec, reader)
    faults += [*_missing_names(project), *_odd_numbers(project), *_odd_sites(project)]
    faults += placement_faults(spec, project.where)
    faults += odd_money(spec, project.where)
    if faults:
        raise invalid(faults, FILE)
    wanted = site or os.environ.get(SITE_VARIABLE, "") or spec.site
    if spec.sites and wanted not in spec.sites:
        raise NotFound(
            f"there is no site '{wanted}'",
            why=f"the project has {', '.join(spec.sites)}",
            hint=f"say which it is: {SITE_VARIABLE}={next(iter(spec.sites))}, or `site:` in {FILE}",
            code="site.unknown",
        )
    return replace(project, spec=replace(spec, site=wanted))


def _odd_sites(project: OpenProject) -> list[Fault]:
    faults = []
    for name, one in project.spec.sites.items():
        if not _SITE_NAME.fullmatch(name):
            what = f"'{name}' is no name of a site: small letters, digits and '-' only"
            faults.append(Fault("project.wrong-value", what, project.where("sites", name)))
        for key, value in (("at", one.store.at), ("endpoint", one.store.endpoint)):
            if may_hold_secret(value):
                what = f"'{key}' has more than an address in it: no user, password, query, fragment"
                where = project.where("sites", name, "store", key)
                hint = "give secrets by the environment: FREEHOLD_<SITE>_<NAME>"
                faults.append(Fault("project.secret-in-address", what, where, hint))
        if "://" not in one.store.at:
            what = "'at' is no location of a store"
            where = project.where("sites", name, "store", "at")
            hint = "write it like file:///srv/models, s3://bucket/prefix or az://container/prefix"
            faults.append(Fault("project.wrong-value", what, where, hint))
    return faults


def may_hold_secret(address: str) -> bool:
    """Whether there is more in it than says where a store is. Addresses are shown."""
    scheme, _, rest = address.partition("://")
    named = rest.partition("/")[0] if scheme == "file" else address
    return "@" in named or "?" in address or "#" in address


def _missing_files(root: Path, reader: Reader) -> Iterator[Fault]:
    """Of what could be read, so that other faults of the file hide none of these."""
    for path, value in reader.values.items():
        where, missing = reader.where(path), ""
        match path:
            case ("pipelines", name):
                module, colon, function = value.partition(":")
                if not colon or not function.isidentifier():
                    what = f"'{value}' is not an address like 'module:function'"
                    yield Fault("project.address", what, where)
                elif not module_path(root, module):
                    missing = f"no file {module.replace('.', '/')}.py for pipeline '{name}'"
            case ("contracts", _, "suite") if not (root / value).is_file():
                missing = f"no file {value}"
            case ("policies",) | ("placement", "policies" | "consent") if (
                value and not (root / value).is_dir()
            ):
                missing = f"no folder {value}"
            case ("prices",) if value and not (root / value).is_file():
                missing = f"no file {value}"
        if missing:
            yield Fault("project.missing-file", missing, where)


def _missing_names(project: OpenProject) -> list[Fault]:
    spec = project.spec
    wanted: list[tuple[tuple[str, ...], str]] = [
        (("models", name, "pipeline"), model.pipeline) for name, model in spec.models.items()
    ]
    if spec.replay:
        wanted.append((("replay", "pipeline"), spec.replay.pipeline))
    faults = [
        Fault(
            "project.unknown-name",
            f"no pipeline named '{name}'",
            project.where(*path),
            f"there are: {', '.join(spec.pipelines) or 'none'}",
        )
        for path, name in wanted
        if name not in spec.pipelines
    ]
    if spec.endpoint and spec.endpoint.model not in spec.models:
        faults.append(
            Fault(
                "project.unknown-name",
                f"no model named '{spec.endpoint.model}'",
                project.where("endpoint", "model"),
                f"there are: {', '.join(spec.models) or 'none'}",
            )
        )
    if spec.tracking and spec.tracking.site and spec.tracking.site not in spec.sites:
        faults.append(
            Fault(
                "project.unknown-name",
                f"no site named '{spec.tracking.site}'",
                project.where("tracking", "site"),
                f"there are: {', '.join(spec.sites) or 'none'}",
            )
        )
    return faults


def _odd_numbers(project: OpenProject) -> list[Fault]:
    spec, faults = project.spec, list(odd_release(project.spec.release, project.reader))
    positive = {
        ("monitoring", "window_days"): spec.monitoring.window_days,
        ("monitoring", "minimum_rows"): spec.monitoring.minimum_rows,
    }
    for path, value in positive.items():
        if value < 1:
            what = f"'{'.'.join(path)}' must be at least 1"
            faults.append(Fault("project.wrong-value", what, project.where(*path)))
    if not spec.project.replace("-", "").replace("_", "").isalnum():
        what = "'project' may have letters, digits, '-' and '_' only"
        faults.append(Fault("project.wrong-value", what, project.where("project")))
    if spec.endpoint:
        faults += odd_log(spec.endpoint.log, project.where)
        faults += odd_limits(spec.endpoint.limits, project.where)
        for name, odd in spec.endpoint.odd_numbers().items():
            where = project.where("endpoint", name)
            faults.append(Fault("project.wrong-value", f"'endpoint.{name}' {odd}", where))
    return faults


def module_path(root: Path, module: str) -> Path | None:
    """The file of a project's module, or None."""
    relative = Path(*module.split("."))
    for candidate in (root / relative.with_suffix(".py"), root / relative / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None
