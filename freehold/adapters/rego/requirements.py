"""What a policy says it needs: paths of `input` and `data`, and the types of what lies there.

    requires := {
        "input.evidence.overall.auc.low": "number",
        "input.evidence.groups.*.gap?.difference.low": "number|null",
    }

`*` stands for every member of an object or array. After `?` the path goes on only if the value is
not null. A value that is absent, or of another type, is a denial before any rule is asked: a text
sorts above every number in Rego, so that "0.1" > 0.5 would be true.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PATH = re.compile(r"(?:input|data)(?:\.(?:[a-z_A-Z][a-zA-Z0-9_-]*|\*)\??)+")
_TYPES = ("boolean", "number", "string", "array", "object", "null")


def malformed(path: str, kind: object) -> str:
    """What is wrong with one requirement; empty if nothing is."""
    if not _PATH.fullmatch(path):
        return f"'{path}' is not a path such as 'input.evidence.overall.auc.low'"
    if not isinstance(kind, str) or not set(kind.split("|")) <= set(_TYPES):
        return f"'{path}' has the type {kind!r}; types are {', '.join(_TYPES)}, joined by |"
    return ""


def unmet(requires: Mapping[str, str], document: Mapping[str, Any]) -> list[str]:
    """A sentence for each requirement that `document`, {input, data}, does not meet."""
    found: dict[str, None] = {}
    for path, kind in sorted(requires.items()):
        found.update(dict.fromkeys(_walk(path.split("."), document, "", kind.split("|"))))
    return list(found)


def covers(required: str, asked: Sequence[str | None]) -> bool:
    """Whether a requirement makes sure of the written-out part of a reference."""
    parts = required.replace("?", "").split(".")
    written = list(asked[: asked.index(None)]) if None in asked else list(asked)
    return parts[: len(written)] == written


def _walk(parts: list[str], value: Any, where: str, kinds: list[str]) -> Iterator[str]:
    if not parts:
        if _type(value) not in kinds:
            yield f"{where} is of type {_type(value)}, not {' or '.join(kinds)}"
        return
    part, rest = parts[0].removesuffix("?"), parts[1:]
    if part == "*":
        members = _members(value)
        if members is None:
            yield f"{where} is of type {_type(value)}, not object or array"
            return
    elif not isinstance(value, Mapping) or part not in value:
        yield f"{where}.{part} is missing".lstrip(".")
        return
    else:
        members = {part: value[part]}
    for name, member in members.items():
        if parts[0].endswith("?") and member is None:
            continue
        yield from _walk(rest, member, f"{where}.{name}".lstrip("."), kinds)


def _members(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, (list, tuple)):
        return {str(index): member for index, member in enumerate(value)}
    return None


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, Mapping) else "array"
