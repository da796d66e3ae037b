"""`freehold step`: what an engine starts to run one step from its manifest."""

import os
import signal
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from freehold.app import adapters
from freehold.app.project.loading import make_importable
from freehold.app.project.reading import find_root, read_project
from freehold.app.run.world import codecs
from freehold.app.site.opening import wall_clock
from freehold.authoring.checkpoint import kept_by
from freehold.authoring.loading import find_step
from freehold.domain.run import Result
from freehold.running.work import Workplace, perform_manifest

LOOK = 0.5
"""Seconds between two looks at whether the parent is there."""


def end_with_parent() -> None:
    """From now on, a kill of the process that started this one ends this one too, with all that it
    started if it leads its group: nobody would take its result, and the step runs again."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK)
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def run_step(address: str, start: Path, site: str = "") -> Result:
    """Needs the site's object store and the project's code, and no ledger."""
    project = read_project(find_root(start), site)
    objects = adapters.embedded("object_store")(project.state / "objects")
    make_importable(project.root)
    with TemporaryDirectory(prefix="freehold-step-") as workspace:
        place = Workplace(objects, codecs(), wall_clock, Path(workspace), find_step, kept_by)
        return perform_manifest(address, place)
