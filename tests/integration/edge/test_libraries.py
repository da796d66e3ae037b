"""Which libraries come along, and which cannot."""

import ast
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from freehold.app.edge.closure import Closure, closure
from freehold.app.edge.libraries import libraries
from freehold.domain.errors import Refused

ROOT = Path(__file__).parents[3]
Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a distribution with one module into an environment that is found first."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(
        name: str,
        requires: tuple[str, ...] = (),
        files: Mapping[str, bytes] = {},
        tag: str = "py3-none-any",
        record: bool = True,
    ) -> Path:
        about = f"{name}-1.0.dist-info"
        lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0"]
        lines += [f"Requires-Dist: {one}" for one in requires]
        whole = {
            f"{name}/__init__.py": b"here = True\n",
            f"{about}/METADATA": "\n".join(lines).encode(),
            f"{about}/WHEEL": f"Wheel-Version: 1.0\nTag: {tag}\n".encode(),
            f"{about}/INSTALLER": b"pip\n",
            **files,
        }
        rows = []
        for path, data in whole.items():
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            value = urlsafe_b64encode(sha256(data).digest()).rstrip(b"=").decode()
            rows.append(f"{path},sha256={value},{len(data)}\n")
        if record:
            (tmp_path / about / "RECORD").write_text("".join(rows) + f"{about}/RECORD,,\n")
        return tmp_path / name

    make("freehold")
    return make


def needing(*modules: str) -> Closure:
    return Closure(("freehold/__init__.py",), frozenset(modules), frozenset())


def refused(*modules: str) -> set[tuple[str, str]]:
    """Code and name of every fault."""
    with pytest.raises(Refused) as caught:
        libraries(needing(*modules), (), ())
    assert caught.value.code == "bundle.libraries"
    return {(fault.code, fault.where) for fault in caught.value.faults}


def test_what_is_declared_comes_along_by_its_markers(install: Install) -> None:
    install("alpha", ("beta; python_version >= '3'", "absent; python_version < '3'", "gamma[fast]"))
    install("beta")
    install("gamma", ("delta; extra == 'fast'", "absent; extra == 'slow'"))
    install("delta")
    install("idle")
    found = libraries(needing("alpha"), (), ("idle", "nowhere"))
    assert set(found.versions) == {"freehold", "alpha", "beta", "gamma", "delta", "idle"}
    assert set(libraries(needing("beta"), (), ()).versions) == {"freehold", "beta"}


def test_of_those_that_share_a_namespace_only_what_is_imported_comes(install: Install) -> None:
    for name in ("storage", "vision"):
        install(name, files={f"shared/cloud/{name}/__init__.py": b"", f"shared/{name}.py": b""})
    found = libraries(needing("shared.cloud.storage.Client"), (), ())
    assert set(found.versions) == {"freehold", "storage"}
    assert set(libraries(needing("shared.cloud"), (), ()).versions) == {
        *("freehold", "storage", "vision")
    }


def test_files_are_those_of_the_record_but_for_what_the_installer_left(install: Install) -> None:
    more = {
        "../../../bin/alpha": b"#!/bin/sh\n",
        "alpha/__pycache__/x.cpython-311.pyc": b"compiled",
        "alpha.pth": b"import trouble\n",
        "alpha-1.0.dist-info/direct_url.json": b"{}",
        "alpha/data.bin": b"data",
    }
    place = install("alpha", files={k: v for k, v in more.items() if not k.startswith("..")})
    (place / "left_behind.py").write_text("nobody's")
    found = libraries(needing("alpha"), (), ()).files
    assert {name for name in found if name.startswith("alpha")} == {
        "alpha/__init__.py",
        "alpha/data.bin",
        "alpha-1.0.dist-info/METADATA",
        "alpha-1.0.dist-info/WHEEL",
        "alpha-1.0.dist-info/RECORD",
    }
    record = found["alpha-1.0.dist-info/RECORD"]
    assert isinstance(record, bytes)
    assert len(record.splitlines()) == 4


@pytest.mark.parametrize("leaves_out_what_is_gone", [False, True])
def test_each_that_cannot_be_copied_is_named(
    install: Install, monkeypatch: pytest.MonkeyPatch, leaves_out_what_is_gone: bool
) -> None:
    """Whatever this Python, or a backport that something imported, makes of files that are gone."""
    if leaves_out_what_is_gone:
        files: Any = vars(metadata.Distribution)["files"]
        there = property(
            lambda one: [path for path in files.fget(one) or () if path.locate().exists()]
        )
        monkeypatch.setattr(metadata.Distribution, "files", there)
    in_place = {"placed-1.0.dist-info/direct_url.json": b'{"dir_info": {"editable": true}}'}
    install("placed", files=in_place)
    install("unlisted", record=False)
    install("foreign", tag="cp311-cp311-win_amd64")
    (install("changed") / "__init__.py").write_text("here = False\n")
    (install("shortened") / "__init__.py").unlink()
    install("needy", ("nowhere",))
    names = ("placed", "unlisted", "foreign", "changed", "shortened", "needy", "nothing")
    for name in ("shortened", "nothing"):
        sys.modules.pop(name, None)
    assert refused(*names) == {
        ("bundle.editable", "placed"),
        ("bundle.no-record", "unlisted"),
        ("bundle.other-platform", "foreign"),
        ("bundle.altered", "changed"),
        ("bundle.altered", "shortened"),
        ("bundle.missing", "nowhere"),
        ("bundle.missing", "nothing"),
    }


SOURCES = {
    "freehold/__init__.py": "",
    "freehold/first/__init__.py": "import json\nfrom freehold.first import named\n",
    "freehold/first/named.py": "from freehold.second import thing\nimport outside.inner\n",
    "freehold/second.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
    "    import never\n    from freehold.third import nobody\nelse:\n    import sure\n"
    "try:\n    import maybe\nexcept ImportError:\n    import instead\n"
    "def later():\n    import lazily\n",
    "freehold/third.py": "import unwanted\n",
}


def test_imports_are_followed_as_they_are_written(tmp_path: Path) -> None:
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = closure(tmp_path, ["freehold.first"])
    assert set(found.files) == set(SOURCES) - {"freehold/third.py"}
    assert found.libraries == {"outside.inner", "sure", "instead", "lazily"}
    assert found.optional == {"maybe"}


def test_the_starter_imports_nothing_but_the_standard_library() -> None:
    """Whatever it imports runs before anything has verified."""
    tree = ast.parse((ROOT / "freehold/endpoint/edge/launch.py").read_text())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names
