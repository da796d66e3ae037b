"""rclone and DVC, told of a store: a folder of files goes there and comes back.

rclone is beside this Python; DVC has an environment of its own. `dvc add` is not counted: what it
does, a site has done when it made the artifact. `tuned`: as their documents advise for many small
files.
"""

import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.peers.setup import (
    ENVIRONMENTS,
    PeerFailed,
    environment,
    interpreter,
)
from freehold.ports.object_store import StoreSettings
from tests.servers.process import executable

TIMEOUT = 600
MANY = 32
"""Files at a time of those that are tuned."""


class Rclone:
    """`rclone sync`. Tuned, it also spares S3 a question for each file that it has put."""

    def __init__(self, settings: StoreSettings, scratch: Path, *, tuned: bool = False) -> None:
        self._variables, self._at = _remote(settings)
        self.fetches = not tuned
        if tuned:
            self._variables |= {
                "RCLONE_TRANSFERS": str(MANY),
                "RCLONE_CHECKERS": str(MANY),
                "RCLONE_FAST_LIST": "true",
                "RCLONE_S3_NO_HEAD": "true",
            }
        self._scratch = scratch

    def send(self, tree: Path) -> float:
        return self._timed(str(tree), self._at)

    def fetch(self, tree: Path) -> float:
        return self._timed(self._at, str(tree))

    def _timed(self, source: str, target: str) -> float:
        program = executable("rclone", "make test installs it")
        command = [program, "sync", "--config", "", source, target]
        return _timed(command, self._scratch, environment(self._scratch) | self._variables)


class Dvc:
    """`dvc push` and `dvc pull`."""

    def __init__(self, settings: StoreSettings, scratch: Path, *, tuned: bool = False) -> None:
        interpreter("dvc")
        self._jobs = ["--jobs", str(MANY)] if tuned else []
        self.fetches = not tuned
        self._program = str(ENVIRONMENTS / "dvc" / "bin" / "dvc")
        self._scratch = scratch
        self._variables = environment(scratch) | _EMULATED
        self._call("init", "--no-scm", "--quiet")
        self._call("config", "core.analytics", "false")
        self._call("config", "core.check_update", "false")
        url, options = _dvc_remote(settings)
        self._call("remote", "add", "--quiet", "--default", "store", url)
        for name, value in options.items():
            self._call("remote", "modify", "--quiet", "store", name, value)
        if settings.endpoint and url.startswith("gs:"):
            self._variables["STORAGE_EMULATOR_HOST"] = settings.endpoint

    def send(self, tree: Path) -> float:
        shutil.copytree(tree, self._scratch / "data")
        self._call("add", "--quiet", "data")
        return self._call("push", "--quiet", *self._jobs)

    def fetch(self, tree: Path) -> float:
        """`tree` is where its own copy goes: it knows one place only, below its project."""
        shutil.rmtree(self._scratch / "data")
        shutil.rmtree(self._scratch / ".dvc" / "cache")
        taken = self._call("pull", "--quiet", *self._jobs)
        (self._scratch / "data").rename(tree)
        return taken

    def _call(self, *arguments: str) -> float:
        return _timed([self._program, *arguments], self._scratch, self._variables)


# The library that it reads Google's storage with asks other services first.
_EMULATED = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}


def _timed(command: list[str], folder: Path, variables: Mapping[str, str]) -> float:
    begun = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=dict(variables),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PeerFailed(f"{command[1]} took more than {TIMEOUT} s") from error
    taken = time.perf_counter() - begun
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise PeerFailed(
            f"{Path(command[0]).name} {command[1]} ended with {done.returncode}: {said}"
        )
    return taken


def _remote(settings: StoreSettings) -> tuple[dict[str, str], str]:
    """rclone's variables for a remote, and its address."""
    scheme, _, place = settings.location.partition("://")
    secrets = settings.secrets
    options: dict[str, str]
    if scheme == "file":
        return {}, place
    if scheme == "s3":
        options = {
            "type": "s3",
            "provider": "Other",
            "access_key_id": secrets["access_key_id"],
            "secret_access_key": secrets["secret_access_key"],
            "region": settings.region,
        }
    elif scheme == "az":
        options = {
            "type": "azureblob",
            "account": secrets["account_name"],
            "key": secrets["account_key"],
        }
    else:
        options = {"type": "gcs", "anonymous": "true", "bucket_policy_only": "true"}
    options |= {"endpoint": settings.endpoint, "no_check_bucket": "true"}
    return {f"RCLONE_CONFIG_STORE_{k.upper()}": v for k, v in options.items()}, f"store:{place}"


def _dvc_remote(settings: StoreSettings) -> tuple[str, dict[str, str]]:
    scheme, _, place = settings.location.partition("://")
    secrets = settings.secrets
    if scheme == "file":
        return place, {}
    if scheme == "s3":
        options = {
            "endpointurl": settings.endpoint,
            "access_key_id": secrets["access_key_id"],
            "secret_access_key": secrets["secret_access_key"],
            "region": settings.region,
        }
        return settings.location, options
    if scheme == "az":
        connection = (
            f"DefaultEndpointsProtocol=http;AccountName={secrets['account_name']};"
            f"AccountKey={secrets['account_key']};BlobEndpoint={settings.endpoint};"
        )
        return f"azure://{place}", {"connection_string": connection}
    return settings.location, {"endpointurl": settings.endpoint}
