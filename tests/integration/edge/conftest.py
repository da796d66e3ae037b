"""Bundles of a few made-up files, and one that is real: of a small project, for a place whose store
is S3."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from summed_model import sigmoid_of_the_sum

from freehold.adapters.keys.signer import FileSigner
from freehold.adapters.signing.model_signing import OpenSSFModelSigning
from freehold.app.edge.delta import write_delta
from freehold.app.release.release import plan_release, release
from freehold.app.site.opening import Site, open_site
from freehold.catalog.package import admit, pack
from freehold.domain.bundle import (
    MANIFEST,
    SIGNATURE,
    BundleFile,
    BundleManifest,
    read_manifest,
)
from freehold.domain.canonical import canonical
from freehold.domain.columns import Column, Columns
from freehold.domain.fact import Draft
from freehold.domain.package import Admission
from freehold.domain.verdict import Verdict
from freehold.endpoint.edge.launch import this_python

ROOT = Path(__file__).parents[3]
COLUMNS = Columns((Column("distance", "number"), Column("carrier", "category", ("AA", "UA"))))
PROJECT = """\
project: tiny
pipelines: {train: steps:train}
models: {delay: {pipeline: train}}
endpoint: {model: delay, port: 0, log: {personal: [carrier]}}
site: home
sites:
  home: {store: {at: "STORES/home"}, accepts: [pii]}
  barn: {store: {at: "BUCKET", endpoint: "ENDPOINT", region: us-east-1}, accepts: [pii]}
  street: {store: {at: "STORES/street"}}
"""
STEPS = """\
from freehold import pipeline, step


@step
def nothing() -> int:
    return 0


@pipeline
def train() -> int:
    return nothing()
"""


@dataclass
class Maker:
    """Signs bundles whose files are made up."""

    signer: FileSigner

    def manifest(self, number: int, files: Mapping[str, bytes], **more: Any) -> BundleManifest:
        about: dict[str, Any] = {
            "site": "barn",
            "model": "delay",
            "version": number,
            "package": f"sha256:{number:064x}",
            "runtime": "onnx",
            "python": this_python(),
            "distributions": {"freehold": "0.1.0"},
            "labels": {},
            "reports": {},
        }
        listed = {name: BundleFile.of(data) for name, data in files.items()}
        return BundleManifest(number=number, files=listed, **{**about, **more})

    def generation(
        self, root: Path, number: int, files: Mapping[str, bytes], **more: Any
    ) -> tuple[Path, BundleManifest]:
        place = root / "generations" / f"{number:06d}"
        for name, data in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)
        manifest = self.manifest(number, files, **more)
        (place / MANIFEST).write_bytes(manifest.document())
        (place / SIGNATURE).write_bytes(self.signer.sign(manifest.document()))
        return place, manifest

    def bundle(self, root: Path, number: int, files: Mapping[str, bytes], **more: Any) -> Path:
        """A whole one; its root."""
        place, _ = self.generation(root, number, files, **more)
        (root / "site.pub").write_bytes(self.signer.public.pem)
        (root / "current").symlink_to(place.relative_to(root))
        (root / "run").symlink_to("current/run")
        return root

    def delta(self, base: Path, target: Path, into: Path, *, back: bool = False) -> Path:
        """From one bundle's root to another's."""
        place = (target / "current").resolve()
        before = read_manifest((base / "current" / MANIFEST).read_bytes())
        after = read_manifest((place / MANIFEST).read_bytes())
        write_delta(self.signer, before, after, place, into, back=back)
        return into


@pytest.fixture(scope="session")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    return Maker(FileSigner.create(tmp_path_factory.mktemp("key") / "site.key"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """Has a key of its own."""
    return Maker(FileSigner.create(tmp_path_factory.mktemp("stranger") / "site.key"))


FILES = {
    "run": b"#!/usr/bin/env python3\n",
    "lib/one/__init__.py": b"one = 1\n",
    "lib/one/data.bin": bytes(range(256)) * 40,
    "serving/routing.json": b"{}",
    "serving/models/0/payload/model.onnx": b"model one" * 100,
}


@pytest.fixture
def files() -> dict[str, bytes]:
    return dict(FILES)


def tree(place: Path) -> dict[str, bytes]:
    """Every file below a folder; of a link, where it leads."""
    return {
        path.relative_to(place).as_posix(): str(path.readlink()).encode()
        if path.is_symlink()
        else path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


@pytest.fixture(name="tree", scope="session")
def _tree() -> Callable[[Path], dict[str, bytes]]:
    return tree


def register(site: Site, version: int, labels: Mapping[str, str], *, allowed: bool = True) -> None:
    """A version in the history, signed and judged, without training."""
    files = {
        "columns.json": canonical(COLUMNS.as_json()),
        "model.onnx": sigmoid_of_the_sum(float(version)),
    }
    payload = pack(files)
    with TemporaryDirectory() as folder:
        place, signature = Path(folder) / "payload", Path(folder) / "model.sig"
        place.mkdir()
        for name, data in files.items():
            (place / name).write_bytes(data)
        OpenSSFModelSigning().sign(place, site.key_path, signature)
        signed = site.artifacts.put(signature.read_bytes())
    verdict = Verdict(allowed, (), ("all",), "sha256:0")
    admission = admit(Admission("delay", version, payload.digest, verdict), site.signer)
    about = {"model": "delay", "version": version}
    run = f"run-{version}"
    package = {"digest": site.artifacts.put(payload.data), "size": len(payload.data)}
    step = {
        "run": run,
        "step": "fit",
        "site": site.name,
        "inputs": [],
        "outputs": [{**package, "format": "bytes", "codec": "files", "labels": dict(labels)}],
        "key": f"sha256:{version:064x}",
        "cached": False,
        "components": {},
        "microseconds": 1,
        "machine": "",
        "spot": False,
        "attempt": 1,
    }
    started = {
        "run": run,
        "pipeline": "train",
        "parameters": {},
        "parameters_attachment": "",
        "environment": "",
    }
    registered = {
        **about,
        "run": run,
        "package": package,
        "attestations": {"model.sig": signed},
        "headline": {},
        "champion": None,
        "rows": {"training": 1, "evaluation": 1},
    }
    judged = {
        **about,
        "allowed": allowed,
        "rules": [] if allowed else ["fair"],
        "policy": "sha256:0",
        "attestations": {"admission.json": site.artifacts.put(admission)},
    }
    site.ledger.append([Draft("run.started", started)])
    site.ledger.append([Draft("step.finished", step)])
    site.ledger.append([Draft("model.registered", registered)])
    site.ledger.append([Draft("model.judged", judged)])


@dataclass
class Project:
    folder: Path
    installed: Path
    """What `import freehold` finds first: an installation that can be bundled."""
    secrets: Mapping[str, str] = field(default_factory=dict)

    def freehold(self, *arguments: str, code: int = 0) -> Any:
        """In a process of its own; what it says as JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "freehold.cli.main", *arguments, "--json"],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.installed), **self.secrets},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed") / "site-packages"
    subprocess.run(
        [sys.executable, "-m", "docs.installation", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return folder


def make_project(folder: Path, stores: Path, bucket: Any = None) -> None:
    """Without a bucket the barn's store is a folder, too."""
    folder.mkdir()
    text = PROJECT.replace("STORES", stores.as_uri())
    text = text.replace("BUCKET", bucket.location if bucket else (stores / "barn").as_uri())
    text = text.replace("ENDPOINT", bucket.endpoint if bucket else "")
    (folder / "freehold.yaml").write_text(text)
    (folder / "steps.py").write_text(STEPS)


@dataclass
class Real:
    """A bundle of version 1 for the barn, and the step to version 2. To be copied, not changed."""

    project: Project
    bundle: Path
    delta: Path
    made: Any
    """What `freehold bundle --json` said."""
    stepped: Any
    bucket: Any

    def copy(self, place: Path) -> Path:
        """Moved elsewhere; its root. Its files are the same ones, and too large to be copied for
        every test: one that alters a file puts another in its place."""
        link: Any = os.link
        return Path(shutil.copytree(self.bundle, place / "box", symlinks=True, copy_function=link))


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory, installed: Path, moto: Any) -> Real:
    place = tmp_path_factory.mktemp("real")
    bucket = moto.bucket()
    make_project(place / "tiny", place / "stores", bucket)
    with open_site(place / "tiny") as site:
        register(site, 1, {"pii": ""})
        register(site, 2, {"pii": ""})
        release(site, plan_release(site, "delay@1"))
    names = {f"FREEHOLD_BARN_{name.upper()}": one for name, one in bucket.secrets.items()}
    project = Project(place / "tiny", installed, names)
    bundle, delta = place / "bundle", place / "step.delta"
    asked = ("bundle", "delay", "--site", "barn", "--reports", "barn", "--into", str(bundle))
    made = project.freehold(*asked)
    since = ("--since", str(bundle / "current" / MANIFEST), "--into", str(delta))
    stepped = project.freehold("bundle", "delay@2", "--site", "barn", *since)
    return Real(project, bundle, delta, made, stepped, bucket)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Site]:
    """A site with three versions: allowed, of personal data; denied; allowed, without labels."""
    make_project(tmp_path / "tiny", tmp_path / "stores")
    with open_site(tmp_path / "tiny") as site:
        register(site, 1, {"pii": ""})
        register(site, 2, {}, allowed=False)
        register(site, 3, {})
        yield site


def expected(version: int, distances: list[float]) -> NDArray[np.float64]:
    """What the model says of rows whose carrier is AA, which is 0."""
    return np.asarray(1 / (1 + np.exp(-(np.asarray(distances) + version))))


@pytest.fixture(name="expected", scope="session")
def _expected() -> Callable[[int, list[float]], NDArray[np.float64]]:
    return expected


BODY = {
    "inputs": [
        {"name": "distance", "datatype": "FP64", "shape": [3], "data": [0.25, -1.5, 3.0]},
        {"name": "carrier", "datatype": "BYTES", "shape": [3], "data": ["AA", "UA", "AA"]},
    ]
}


@pytest.fixture(scope="session")
def body() -> Any:
    """Of three rows, in the Open Inference Protocol."""
    return BODY
