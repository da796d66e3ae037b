"""`freehold drill rebuild`: a pipeline that ran here, run anew at another site and compared.

The project is copied as it is, file by file, and what differs at the other site (where objects lie,
that nothing is cached) is given to the process that runs it, not written into any file.
"""

import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from freehold.app.drill.offline.doors import Doors
from freehold.app.drill.offline.orders import drill_location
from freehold.app.drill.offline.places import Places
from freehold.app.drill.place import DrillPlace, drill_folder, sweep
from freehold.app.drill.production import differences, files_of, standing
from freehold.app.drill.project_copy import NOT_COPIED, copy_project
from freehold.app.drill.rebuild.anew import RebuildOrders
from freehold.app.drill.rebuild.comparison import Comparison, compare
from freehold.app.drill.rebuild.made import Made
from freehold.app.drill.rebuild.process import run_anew
from freehold.app.drill.rebuild.reference import NOW, Reference, reference_of
from freehold.app.project.reading import OpenProject
from freehold.domain.errors import Failed, NotFound, PolicyDenied
from freehold.domain.project import SiteSpec
from freehold.replication.travel import barred, barred_from_store

Tell = Callable[[str], None]
_NOT_PROJECT = frozenset({".freehold"})


@dataclass(frozen=True)
class RebuildReport:
    site: str
    reference: str
    """The run that was rebuilt."""
    reference_at: str
    """The site of that run's objects."""
    made_now: bool
    """Whether the reference, too, was made by the drill."""
    run: str
    pipeline: str
    parameters: Mapping[str, Any]
    stores: tuple[str, str]
    """Kinds of the two working stores, by their addresses: `file`, `s3`, `az`, `gs`."""
    commit: str
    """Of version control; empty without."""
    uncommitted: tuple[str, ...]
    """Files that were run as they lie here and are not those of the commit: changed, gone or never
    added. What version control is told to ignore is not among them."""
    tree: str
    """Digest over all files of the project, before and after."""
    files: int
    same_environment: bool
    """Whether the same packages were installed, in the same versions."""
    comparison: Comparison
    removed: int
    production_unchanged: bool
    seconds: float

    @property
    def holds(self) -> bool:
        return not self.comparison.faults

    def as_json(self) -> dict[str, Any]:
        return {
            "shape": 1,
            **vars(self),
            "stores": {"reference": self.stores[0], "rebuilt": self.stores[1]},
            "comparison": self.comparison.as_json(),
            "holds": self.holds,
        }


def rebuild_drill(
    project: OpenProject,
    at: str,
    *,
    run: str = "",
    tolerance: float = 0.005,
    keep: bool = False,
    places: Places | None = None,
    tell: Tell = lambda _: None,
) -> RebuildReport:
    """`run`: a finished run, or `now`; the latest where none is named. `places`: where the sites'
    processes run, if not here; they stay open. What differs too much is in the report: see
    `require_rebuilt`.

    Raises NotFound; PolicyDenied `label.barred` before anything is written there, where labels keep
    what the run read and made from that site or its store; Failed `drill.code-changed`,
    `drill.failed` where the project or production is not as it was, and with the code of whatever
    the process at the other site met.
    """
    if at not in project.spec.sites:
        raise NotFound(
            f"there is no site '{at}' with a store",
            why=f"under `sites` are {', '.join(project.spec.sites) or 'none'}",
            hint="name one of these, or add it to `sites` in freehold.yaml",
            code="site.unknown",
        )
    began = time.monotonic()
    sweep(project, tell)
    drill = f"drill-{secrets.token_hex(4)}"
    folder = drill_folder(project, drill)
    location = drill_location(project.spec.sites[at].store, drill, at)
    before, tree, commit = standing(project), _tree(project.root), _commit(project.root)
    uncommitted = _uncommitted(project.root) if commit else ()
    place = DrillPlace.claim(folder, {at: location})
    doors = Doors(folder / "doors", {at: location})
    try:
        reference = reference_of(project, run, folder, places, tell)
        _require_allowed(project.spec.sites, at, reference)
        tell(f"run {reference.made.run} of {reference.made.pipeline} is rebuilt at {at}")
        orders = _orders(folder / "rebuilt", at, location, reference)
        copy_project(project.root, Path(orders.root))
        said = run_anew(orders, folder / "rebuilt.json", places)
        if _tree(Path(orders.root)) != tree:
            raise _failed("running it changed the project's files at the other site")
    finally:
        left = [*doors.clear(), *place.leave(keep)]
    left += [f"{said['left']} objects below {location}"] if said["left"] else []
    if left:
        raise _failed("not everything that it made is gone", "; ".join(left))
    if _tree(project.root) != tree or _commit(project.root) != commit:
        raise _failed("files of the project changed meanwhile")
    if changed := differences(before, standing(project), set()):
        raise _failed("production is not as it was", "; ".join(changed[:10]))
    after = Made.from_json(said["made"])
    return RebuildReport(
        site=at,
        reference=reference.made.run,
        reference_at=reference.site,
        made_now=run == NOW,
        run=after.run,
        pipeline=after.pipeline,
        parameters=reference.parameters,
        stores=("file", location.partition(":")[0]),
        commit=commit,
        uncommitted=uncommitted,
        tree=tree,
        files=sum(1 for _ in files_of(project.root, _NOT_PROJECT)),
        same_environment=_environments(reference.made) == _environments(after),
        comparison=compare(reference.made, after, tolerance),
        removed=said["removed"],
        production_unchanged=True,
        seconds=time.monotonic() - began,
    )


def _orders(root: Path, at: str, location: str, reference: Reference) -> RebuildOrders:
    return RebuildOrders(
        root=str(root),
        site=at,
        pipeline=reference.made.pipeline,
        parameters=reference.parameters,
        store=location,
        codes={name: step.code for name, step in reference.made.steps.items()},
        table=str(reference.table) if reference.table else "",
    )


def require_rebuilt(report: RebuildReport) -> None:
    """Raises Failed `drill.failed` if what was made there is not what was made here."""
    if report.holds:
        return
    raise _failed(
        f"what {report.pipeline} made at {report.site} is not what it made before",
        "; ".join([f"differing: {', '.join(report.comparison.differing)}", *_first(report)]),
        "look for what a step takes from its surroundings: time, chance, files, the network",
    )


def _require_allowed(sites: Mapping[str, SiteSpec], at: str, reference: Reference) -> None:
    labels = reference.labels
    rule = barred(labels, sites[at]) or barred_from_store(labels, sites[at].store, sites)
    if rule:
        raise PolicyDenied(
            f"run {reference.made.run} may not be rebuilt at {at}",
            why=rule,
            hint="name a site that may have the data; or change what the site accepts",
            code="label.barred",
        )


def _first(report: RebuildReport) -> tuple[str, ...]:
    return report.comparison.faults[:5]


def _environments(made: Made) -> set[str]:
    return {step.environment for step in made.steps.values()}


def _tree(root: Path) -> str:
    """Over names and bytes of all files of the project, but for state and version control."""
    digest = sha256()
    for name, data in files_of(root, _NOT_PROJECT):
        digest.update(f"{name}\0{data}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def _commit(root: Path) -> str:
    """Of the repository that the project lies in; empty where there is none, or no git."""
    if shutil.which("git") is None:
        return ""
    done = _git(root, "rev-parse", "HEAD")
    return done.stdout.strip() if done.returncode == 0 else ""


def _uncommitted(root: Path) -> tuple[str, ...]:
    """Paths below the repository. Raises Failed where git does not tell."""
    elsewhere = [f":(exclude,glob)**/{name}{below}" for name in NOT_COPIED for below in ("", "/**")]
    asked = ("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all")
    done = _git(root, *asked, "--", ".", *elsewhere)
    if done.returncode:
        hint = "nothing was made; see what `git status` says in the project's folder"
        raise _failed("git does not say what is uncommitted", done.stderr.strip(), hint)
    return tuple(line[len("XY ") :] for line in done.stdout.split("\0") if line)


def _git(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Without the index's lock, so that whoever works in the checkout is not disturbed."""
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def _failed(what: str, why: str = "", hint: str = "") -> Failed:
    hint = hint or "keep the drill's copies with --keep and look at them"
    return Failed(f"the drill failed: {what}", why=why, hint=hint, code="drill.failed")
