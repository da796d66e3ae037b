"""What a package's manifest says of its Python function, or its PyTorch archive.

Source: MLflow's model format, flavor `python_function`: `loader_module` is a module with
`_load_pyfunc(path)`, looked for in the folder `code` before anything else; `data` is the path that
it is given, below the package.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from freehold.domain.errors import IntegrityError
from freehold.domain.package import COLUMNS, MANIFEST


def function_of(folder: Path) -> dict[str, Any]:
    """`loader_module`, `code`, `data`; `own`, whether the package brings the module along; and the
    schema's `types` by column.

    Raises IntegrityError: `package.incomplete`, `package.unreadable`.
    """
    manifest = _manifest(folder)
    try:
        function = manifest["flavors"]["python_function"]
        module, code = str(function["loader_module"]), str(function.get("code") or "")
        inputs = json.loads((manifest.get("signature") or {}).get("inputs") or "[]")
        types = {str(one["name"]): str(one["type"]) for one in inputs if "name" in one}
        data = str(function.get("data") or "")
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise _unreadable(folder, f"it names no Python function: {exc!r:.200}") from exc
    path = module.replace(".", "/")
    own = any((folder / code / f"{path}{end}").is_file() for end in (".py", "/__init__.py"))
    return {
        "loader_module": module,
        "code": code,
        "data": data,
        "own": bool(code) and own,
        "types": types,
    }


def archive_of(folder: Path) -> dict[str, Any]:
    """`file` and `format` of the flavor `torch`. Raises as `function_of` does."""
    manifest = _manifest(folder)
    try:
        flavor = manifest["flavors"]["torch"]
        return {"file": str(flavor["data"]), "format": str(flavor["format"])}
    except (KeyError, TypeError) as exc:
        raise _unreadable(folder, f"it names no PyTorch archive: {exc!r:.200}") from exc


def _manifest(folder: Path) -> Any:
    for name in (MANIFEST, COLUMNS):
        if not (folder / name).is_file():
            raise IntegrityError(
                f"the package in {folder} has no {name}",
                why="a model is loaded by the first and asked by the second",
                code="package.incomplete",
            )
    try:
        return yaml.safe_load((folder / MANIFEST).read_bytes())
    except yaml.YAMLError as exc:
        raise _unreadable(folder, f"{exc!r:.200}") from exc


def _unreadable(folder: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"{folder / MANIFEST} cannot be loaded", why=why, code="package.unreadable"
    )
