"""The stores that sites meet in, and how each tool is told of them.

Servers are those of the tests, on this machine, on loopback: what they need for themselves is in
every figure, ours and the peers'.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from freehold.app.site.stores import open_store
from freehold.domain.project import StoreSpec
from freehold.ports.object_store import ObjectStore, StoreSettings
from tests.servers.azure import Azurite
from tests.servers.gcs import GcsEmulator
from tests.servers.process import executable
from tests.servers.s3 import MotoServer

KINDS = ("folder", "S3", "Azure", "GCS")


@dataclass(frozen=True)
class Store:
    """A bucket or folder; each call of `settings` gives a new, empty one."""

    kind: str
    settings: Callable[[], StoreSettings]


@contextmanager
def serving(kind: str) -> Iterator[Store]:
    """Raises ServerFailed, saying what to install."""
    if kind == "folder":
        with TemporaryDirectory(dir=".", prefix="stores-") as name:
            folders = (Path(name).resolve() / str(number) for number in range(1_000_000))
            yield Store(kind, lambda: StoreSettings(f"file://{next(folders)}"))
        return
    servers: dict[str, type[MotoServer | Azurite | GcsEmulator]] = {
        "S3": MotoServer,
        "Azure": Azurite,
        "GCS": GcsEmulator,
    }
    with servers[kind]() as server:
        yield Store(kind, server.bucket)


def opened(settings: StoreSettings) -> ObjectStore:
    """As a site opens it."""
    spec = StoreSpec(settings.location, settings.endpoint, settings.region)
    return open_store(spec, "benchmark", variables("benchmark", settings))


def variables(site: str, settings: StoreSettings) -> dict[str, str]:
    """The secrets, as a site finds them in its environment."""
    prefix = f"FREEHOLD_{site}_".upper()
    return {f"{prefix}{name.upper()}": value for name, value in settings.secrets.items()}


def server_versions() -> Mapping[str, str]:
    rclone = subprocess.run(
        [executable("rclone", "make test installs it"), "version"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {
        "obstore": version("obstore"),
        "google-cloud-storage": version("google-cloud-storage"),
        "moto": version("moto"),
        "gcp-storage-emulator": version("gcp-storage-emulator"),
        "rclone": rclone.stdout.split()[1],
    }


def refuse_other_folder() -> None:
    """The servers of the tests are found from the repository's root."""
    if not Path("tests/servers").is_dir():
        sys.exit("run this in the repository's root")
