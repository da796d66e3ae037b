"""The files of a policy folder, sorted into sources and data.

`limits.json` has one member, `limits`, so that `opa eval --data policies/` reads the same.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from freehold.domain.errors import Fault

LIMITS = "limits.json"


@dataclass(frozen=True)
class PolicySet:
    modules: Mapping[str, str]
    """Source by path, tests included."""
    data: Mapping[str, Any]
    faults: tuple[Fault, ...] = ()
    """Of `limits.json`; the engine's `check` finds those of the modules."""


def policy_set(files: Mapping[str, str]) -> PolicySet:
    """Texts by relative POSIX path; what is neither Rego nor `limits.json` is left out.

    Faults: `policy.limits` when the limits cannot be read; then `data` is empty, and every rule
    that needs a limit denies.
    """
    modules = {path: text for path, text in files.items() if path.endswith(".rego")}
    data: dict[str, Any] = {}
    faults: list[Fault] = []
    for path in sorted(files):
        if PurePosixPath(path).name == LIMITS:
            try:
                data = _limits(files[path])
            except json.JSONDecodeError as exc:
                faults.append(Fault("policy.limits", exc.msg, f"{path}:{exc.lineno}"))
            except ValueError as exc:
                faults.append(Fault("policy.limits", str(exc), f"{path}:1", '{"limits": {...}}'))
    return PolicySet(modules, data, tuple(faults))


def _limits(text: str) -> dict[str, Any]:
    found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    if not isinstance(found, dict) or set(found) != {"limits"}:
        raise ValueError("the file has one member, `limits`")
    if not isinstance(found["limits"], dict):
        raise ValueError("`limits` is an object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")
