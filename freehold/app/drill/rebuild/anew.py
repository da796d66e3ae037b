"""The process that runs a pipeline anew, at a site, on that site's own store."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from freehold.app.drill.corner import empty_corner
from freehold.app.drill.rebuild.made import Made, evaluation_table, made_by
from freehold.app.run.plan import PlannedRun, plan_run
from freehold.app.run.run import run
from freehold.app.site.opening import Site, open_site
from freehold.app.site.stores import open_store
from freehold.domain.embedded import EMBEDDED
from freehold.domain.errors import Refused
from freehold.ports.artifact_store import ArtifactStore
from freehold.ports.attachment_store import AttachmentStore
from freehold.ports.object_store import ObjectStore
from freehold.running.code import Code


@dataclass(frozen=True)
class RebuildOrders:
    root: str
    """A copy of the project; no file of it is changed."""
    site: str
    pipeline: str
    parameters: Mapping[str, Any]
    store: str = ""
    """Location of the drill's corner of the site's store; empty for a folder of the twin."""
    codes: Mapping[str, str] = field(default_factory=dict)
    """Step → digest of the code that it must reach; empty where nothing is asked."""
    table: str = ""
    """A file of rows to score; it is written with the run's own where it is not there."""

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2))

    @classmethod
    def read(cls, path: Path) -> "RebuildOrders":
        return cls(**json.loads(path.read_text()))


def rebuild(orders: RebuildOrders) -> dict[str, Any]:
    """Made.as_json(), and how many objects were in the store and are after it was emptied.

    Raises Refused `drill.code-changed`, and what a run raises; the store is emptied in any case.
    """
    with open_site(Path(orders.root), site=orders.site) as opened:
        store = _store(opened, orders)
        site = _site_on(opened, store)
        removed, left = 0, 0
        try:
            made = _make(site, orders)
        finally:
            if orders.store:
                removed, left = empty_corner(store)
    return {"made": made.as_json(), "removed": removed, "left": left}


def _store(site: Site, orders: RebuildOrders) -> ObjectStore:
    if not orders.store:
        return site.objects
    spec = site.project.spec.sites[orders.site].store
    return open_store(replace(spec, at=orders.store), orders.site, os.environ)


def _site_on(site: Site, store: ObjectStore) -> Site:
    """The same site with another place for its objects. Its steps run in this process, since no
    other would find them there; and no tracker hears of a drill."""
    spec = replace(site.project.spec, tracking=None, engine=EMBEDDED["engine"])
    return replace(
        site,
        project=replace(site.project, spec=spec),
        objects=store,
        artifacts=ArtifactStore(store),
        attachments=AttachmentStore(store, os.urandom),
    )


def _make(site: Site, orders: RebuildOrders) -> Made:
    planned = plan_run(site, orders.pipeline, orders.parameters, cache=False)
    if orders.codes:
        _require_same_code(planned, orders.codes)
    nodes = tuple(
        replace(node, step=replace(node.step, timeout=None)) for node in planned.graph.nodes
    )
    finished = run(site, replace(planned, graph=replace(planned.graph, nodes=nodes)))
    name = finished.outcome.run
    rows = Path(orders.table) if orders.table else None
    if rows is not None and not rows.exists():
        bare = made_by(site, name, orders.pipeline, None)
        table = evaluation_table(site, bare, planned.graph)
        if table is not None:
            table.write_parquet(rows)
    known = pl.read_parquet(rows) if rows is not None and rows.exists() else None
    return made_by(site, name, orders.pipeline, known)


def _require_same_code(planned: PlannedRun, codes: Mapping[str, str]) -> None:
    reach = Code(planned.options.sources)
    today = {node.name: reach.digest(node.step.module) for node in planned.graph.nodes}
    changed = sorted(
        name for name in today.keys() | codes.keys() if today.get(name) != codes.get(name)
    )
    if changed:
        raise Refused(
            "the code has changed since that run: it cannot be rebuilt from today's",
            why=f"of other bytes are {', '.join(changed)}",
            hint="check out the commit of that run, or compare with a run of today's code:"
            " `--run now`",
            code="drill.code-changed",
        )
