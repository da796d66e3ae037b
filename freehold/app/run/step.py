"""`freehold step`: what an engine starts to run one step from its manifest."""

from pathlib import Path
from tempfile import TemporaryDirectory

from freehold.app import adapters
from freehold.app.project.loading import make_importable
from freehold.app.project.reading import find_root, read_project
from freehold.app.run.world import codecs
from freehold.app.site.opening import wall_clock
from freehold.authoring.loading import find_step
from freehold.domain.run import Result
from freehold.running.work import Workplace, perform_manifest


def run_step(address: str, start: Path, site: str = "") -> Result:
    """Needs the site's object store and the project's code, and no ledger."""
    project = read_project(find_root(start), site)
    objects = adapters.embedded("object_store")(project.state / "objects")
    make_importable(project.root)
    with TemporaryDirectory(prefix="freehold-step-") as workspace:
        place = Workplace(objects, codecs(), wall_clock, Path(workspace), find_step)
        return perform_manifest(address, place)
