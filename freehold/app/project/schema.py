"""Reads YAML into frozen dataclasses, strictly, with the line of every fault."""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from freehold.domain.errors import Fault, ProjectInvalid

Path = tuple[str, ...]

_PLAIN: dict[type, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    float: (int, float),
    bool: (bool,),
}


class Reader:
    """Reads one document. Keeps the faults it met and the line of every value."""

    def __init__(self, source: str) -> None:
        self.source = source
        """The file's name, as people know it."""
        self.faults: list[Fault] = []
        self.lines: dict[Path, int] = {}
        self.values: dict[Path, Any] = {}
        """Every plain value that could be read, though others could not."""
        self._constructor = yaml.SafeLoader("")

    def read(self, text: str, kind: type) -> Any | None:
        """A value of the dataclass `kind`, or None with `faults` filled."""
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as exc:
            mark = getattr(exc, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            problem = getattr(exc, "problem", None) or str(exc)
            self._fault((), "project.syntax", f"this is not YAML: {problem}", line=line)
            return None
        except RecursionError:
            self._fault((), "project.syntax", "nested too deeply", line=1)
            return None
        if node is None:
            self._fault((), "project.empty", "the file is empty", line=1)
            return None
        value = self._value(node, kind, ())
        return None if self.faults else value

    def where(self, path: Path) -> str:
        """`file:line` of a value, or of the nearest thing around it that stands in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.source}:{self.lines.get(path, 1)}"

    def _fault(self, path: Path, code: str, what: str, hint: str = "", line: int = 0) -> None:
        where = f"{self.source}:{line}" if line else self.where(path)
        self.faults.append(Fault(code, what, where, hint))

    def _value(self, node: yaml.Node, kind: Any, path: Path) -> Any:
        self.lines[path] = node.start_mark.line + 1
        origin = get_origin(kind)
        if origin in (types.UnionType, Union):
            if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
                return None
            return self._value(node, next(a for a in get_args(kind) if a is not type(None)), path)
        if is_dataclass(kind):
            return self._record(node, kind, path)
        if origin is tuple:
            return self._sequence(node, get_args(kind)[0], path)
        if origin is Mapping or origin is dict:
            return self._mapping(node, get_args(kind)[1], path)
        return self._scalar(node, kind, path)

    def _record(self, node: yaml.Node, kind: Any, path: Path) -> Any:
        if not isinstance(node, yaml.MappingNode):
            self._wrong_type(path, "a mapping of keys", node)
            return None
        known = {item.name: item for item in fields(kind)}
        hints = get_type_hints(kind)
        given: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            if key not in known:
                close = get_close_matches(key, known, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"
                self._fault((*path, key), "project.unknown-key", f"unknown key '{key}'", hint)
            elif key in given:
                self._fault((*path, key), "project.duplicate-key", f"'{key}' stands twice")
            else:
                given[key] = self._value(value_node, hints[key], (*path, key))
        for name, item in known.items():
            needed = item.default is MISSING and item.default_factory is MISSING
            if needed and name not in given:
                self._fault(path, "project.missing-key", f"'{'.'.join((*path, name))}' is missing")
        return None if self.faults else kind(**given)

    def _sequence(self, node: yaml.Node, kind: Any, path: Path) -> Any:
        if not isinstance(node, yaml.SequenceNode):
            self._wrong_type(path, "a list", node)
            return ()
        return tuple(
            self._value(item, kind, (*path, str(index))) for index, item in enumerate(node.value)
        )

    def _mapping(self, node: yaml.Node, kind: Any, path: Path) -> Any:
        if not isinstance(node, yaml.MappingNode):
            self._wrong_type(path, "a mapping of names", node)
            return {}
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in found:
                self._fault(path, "project.duplicate-key", f"'{key}' stands twice")
            found[key] = self._value(value_node, kind, (*path, key))
            self.lines[(*path, key)] = key_node.start_mark.line + 1
        return found

    def _scalar(self, node: yaml.Node, kind: Any, path: Path) -> Any:
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        expected = "one of " + ", ".join(choices) if choices else _spoken(kind)
        if not isinstance(node, yaml.ScalarNode):
            self._wrong_type(path, expected, node)
            return None
        try:
            value = self._constructor.construct_object(node)
        except (ValueError, yaml.YAMLError) as exc:
            self._fault(path, "project.syntax", f"{'.'.join(path)}: {exc}")
            return None
        if choices:
            if value not in choices:
                self._wrong_type(path, expected, node)
            self.values[path] = value
            return value
        if kind is str and not isinstance(value, str) and value is not None:
            value = node.value
        if not isinstance(value, _PLAIN[kind]) or (kind is not bool and isinstance(value, bool)):
            self._wrong_type(path, expected, node)
            return None
        self.values[path] = kind(value)
        return self.values[path]

    def _wrong_type(self, path: Path, expected: str, node: yaml.Node) -> None:
        kind = "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
        shown = f"'{node.value}'" if isinstance(node, yaml.ScalarNode) else kind
        what = f"'{'.'.join(path) or 'the file'}' must be {expected}, not {shown}"
        self._fault(path, "project.wrong-type", what)


def invalid(faults: list[Fault], source: str) -> ProjectInvalid:
    """All faults of a project as one error, in the order of the file."""

    def line(fault: Fault) -> tuple[str, int]:
        name, _, number = fault.where.rpartition(":")
        return (name, int(number)) if number.isdigit() else (fault.where, 0)

    ordered = sorted(faults, key=line)
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return ProjectInvalid(
        f"{count} in {source}",
        faults=ordered,
        hint="mend them and run `freehold check` again",
    )


def _spoken(kind: type) -> str:
    return {str: "text", int: "a whole number", float: "a number", bool: "true or false"}[kind]
