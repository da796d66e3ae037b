"""What a run works in: engine, codecs, contracts, and the digest of the environment."""

import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from platform import python_version
from tempfile import TemporaryDirectory

from freehold.app import adapters
from freehold.app.project.loading import module_sources
from freehold.app.site.opening import Site
from freehold.authoring.checkpoint import kept_by
from freehold.domain.embedded import KILLING_ENGINE
from freehold.domain.placement import Place
from freehold.ports.engine import Engine, EngineSettings
from freehold.running.codecs import Codecs
from freehold.running.readiness import Options
from freehold.running.surroundings import OtherSites, Surroundings


def environment_digest(root: Path) -> str:
    """Of the project's lock file if it has one, else of the names and versions installed.

    A folder listing of the installed distributions: exact, and quick enough for every run.
    """
    lock = root / "requirements.lock"
    if lock.is_file():
        told = lock.read_bytes()
    else:
        folder = Path(sysconfig.get_paths()["purelib"])
        names = sorted(path.name for path in folder.glob("*.dist-info"))
        told = "\n".join([python_version(), *names]).encode()
    return "sha256:" + sha256(told).hexdigest()


def options_of(site: Site, cache: bool, cause: tuple[str, ...] = ()) -> Options:
    return Options(
        sources=module_sources(site.project.root),
        environment=environment_digest(site.project.root),
        cache=cache and site.project.spec.cache,
        actor=site.actor,
        cause=cause,
    )


def codecs() -> Codecs:
    return Codecs(adapters.names("codec"), lambda name: adapters.load("codec", name))


@contextmanager
def surroundings(
    site: Site,
    places: Mapping[str, Place] | None = None,
    others: OtherSites | None = None,
) -> Iterator[Surroundings]:
    """Engines are closed, and the workspace removed, at the end."""
    spec = site.project.spec
    settings = EngineSettings(
        folder=site.project.root,
        command=(
            sys.executable,
            "-m",
            "freehold.cli.main",
            "step",
            "--attended",
            "--site",
            site.name,
        ),
        width=spec.parallel or None,
    )
    with TemporaryDirectory(prefix="freehold-run-") as workspace:
        engine: Engine = adapters.load("engine", spec.engine).open(settings)
        processes: Engine = adapters.load("engine", KILLING_ENGINE).open(settings)
        try:
            yield Surroundings(
                ledger=site.ledger,
                objects=site.objects,
                attachments=site.attachments,
                locks=site.locks,
                codecs=codecs(),
                clock=site.clock,
                sleep=time.sleep,
                workspace=Path(workspace),
                engine=engine,
                processes=processes,
                here=site.name,
                places=places or {},
                others=others,
                keeping=kept_by,
            )
        finally:
            engine.close()
            processes.close()
