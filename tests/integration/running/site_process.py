"""A site on disk for the tests, and the process that runs a pipeline or one step in it.

site_process.py run FOLDER ENGINE PIPELINE name=value…
site_process.py resume FOLDER ENGINE PIPELINE RUN
site_process.py step FOLDER ADDRESS
"""

import contextlib
import importlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from freehold.adapters.disk.object_store import DiskObjectStore  # noqa: E402
from freehold.adapters.documents.codec import JsonCodec  # noqa: E402
from freehold.adapters.filelock.locks import FileLocks  # noqa: E402
from freehold.adapters.inline.engine import InlineEngine  # noqa: E402
from freehold.adapters.keys.signer import FileSigner  # noqa: E402
from freehold.adapters.polars.codec import PolarsCodec  # noqa: E402
from freehold.adapters.sqlite.ledger import SqliteLedger  # noqa: E402
from freehold.adapters.subprocess.engine import SubprocessEngine  # noqa: E402
from freehold.authoring.loading import find_step  # noqa: E402
from freehold.domain.errors import FreeholdError  # noqa: E402
from freehold.ports.attachment_store import AttachmentStore  # noqa: E402
from freehold.ports.engine import Engine  # noqa: E402
from freehold.running.codecs import Codecs  # noqa: E402
from freehold.running.execution import execute, resume  # noqa: E402
from freehold.running.projection import projection, run_row  # noqa: E402
from freehold.running.readiness import Options  # noqa: E402
from freehold.running.record import parameters_of  # noqa: E402
from freehold.running.surroundings import Surroundings  # noqa: E402
from freehold.running.work import Workplace, perform_manifest, read  # noqa: E402

CODECS: dict[str, Any] = {"builtins": JsonCodec, "polars": PolarsCodec}
SOURCES = {"project_steps": (HERE / "project_steps.py").read_bytes()}


def wall() -> int:
    return time.time_ns() // 1000


def processes(folder: Path) -> Engine:
    return SubprocessEngine([sys.executable, __file__, "step", str(folder)], folder, 2)


@contextlib.contextmanager
def opened(folder: Path, engine: str = "inline") -> Iterator[Surroundings]:
    """The same site whenever the folder is the same."""
    folder.mkdir(exist_ok=True)
    (folder / "work").mkdir(exist_ok=True)
    key = folder / "site.key"
    signer = FileSigner(key) if key.exists() else FileSigner.create(key)
    objects = DiskObjectStore(folder / "objects")
    ledger = SqliteLedger(
        folder / "ledger.db", writer="w", signer=signer, clock=wall, projections=[projection]
    )
    world = Surroundings(
        ledger=ledger,
        objects=objects,
        attachments=AttachmentStore(objects, os.urandom),
        locks=FileLocks(folder / "locks"),
        codecs=Codecs(CODECS, CODECS.__getitem__),
        clock=wall,
        sleep=time.sleep,
        workspace=folder / "work",
        engine=InlineEngine(2) if engine == "inline" else processes(folder),
        processes=processes(folder),
    )
    try:
        yield world
    finally:
        for one in (world.engine, world.processes):
            if one is not None:
                one.close()
        ledger.close()


def workplace(world: Surroundings) -> Workplace:
    return Workplace(world.objects, world.codecs, world.clock, world.workspace, find_step)


def perform(folder: Path, address: str) -> None:
    """What `freehold step` does: no ledger is needed."""
    place = Workplace(
        DiskObjectStore(folder / "objects"),
        Codecs(CODECS, CODECS.__getitem__),
        wall,
        folder / "work",
        find_step,
    )
    perform_manifest(address, place)


def main(verb: str, folder: Path, *rest: str) -> None:
    if verb == "step":
        perform(folder, rest[0])
        return
    engine, name, *given = rest
    pipeline = getattr(importlib.import_module("project_steps"), name)
    with opened(folder, engine) as world:
        options = Options(sources=SOURCES, environment="lock")
        try:
            if verb == "run":
                graph = pipeline.trace(dict(one.split("=", 1) for one in given))
                outcome = execute(graph, world, options)
            else:
                row = run_row(world.ledger.state, given[0])
                graph = pipeline.trace(parameters_of(row, world.attachments))
                outcome = resume(given[0], graph, world, options)
        except FreeholdError as exc:
            print(json.dumps(exc.as_json()))
            return
        value = read(outcome.result, Any, workplace(world))
        cached = [name for name, one in outcome.steps.items() if one.cached]
        print(json.dumps({"run": outcome.run, "value": value, "cached": cached}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
