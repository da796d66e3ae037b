"""What a package's manifest says of its Python function.

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
    for name in (MANIFEST, COLUMNS):
        if not (folder / name).is_file():
            raise IntegrityError(
                f"the package in {folder} has no {name}",
                why="a Python function is loaded by the first and asked by the second",
                code="package.incomplete",
            )
    try:
        manifest = yaml.safe_load((folder / MANIFEST).read_bytes())
        function = manifest["flavors"]["python_function"]
        module, code = str(function["loader_module"]), str(function.get("code") or "")
        inputs = json.loads((manifest.get("signature") or {}).get("inputs") or "[]")
        types = {str(one["name"]): str(one["type"]) for one in inputs if "name" in one}
        data = str(function.get("data") or "")
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise IntegrityError(
            f"{folder / MANIFEST} names no Python function",
            why=f"{exc!r:.200}",
            code="package.unreadable",
        ) from exc
    path = module.replace(".", "/")
    own = any((folder / code / f"{path}{end}").is_file() for end in (".py", "/__init__.py"))
    return {
        "loader_module": module,
        "code": code,
        "data": data,
        "own": bool(code) and own,
        "types": types,
    }
