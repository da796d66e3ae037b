"""JSON text that remembers on which line each of its values stands."""

import json
import re
from typing import Any, NoReturn

from freehold.domain.canonical import canonical
from freehold.domain.errors import Fault, ProjectInvalid

Path = tuple[str | int, ...]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


class Source:
    """A parsed JSON document and the places of its values.

    Raises ProjectInvalid on bytes that are not UTF-8, text that is not JSON, keys that stand twice
    in one object, and what readers of JSON understand differently (RFC 7493 section 2): NaN,
    infinities, integers beyond 2**53 - 1, lone surrogates.
    """

    def __init__(self, text: bytes | str, where: str) -> None:
        self.where = where
        decoded = self._decoded(text)
        self.value: Any = self._parsed(decoded)
        self._lines: dict[Path, int] = {}
        self._index(decoded)

    def line_of(self, path: Path) -> int:
        """Line, from 1, of the value at `path`, or of the nearest value around it."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def place(self, path: Path) -> str:
        """`file:line` of the value at `path`."""
        return f"{self.where}:{self.line_of(path)}"

    def _decoded(self, text: bytes | str) -> str:
        if isinstance(text, str):
            return text
        try:
            return text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self._refuse("contract.not-json", f"byte {error.start} is not UTF-8", self.where)

    def _parsed(self, text: str) -> Any:
        def refuse(constant: str) -> NoReturn:
            raise ValueError(f"{constant} is not a JSON value")

        try:
            value = json.loads(text, parse_constant=refuse)
            canonical(value)
        except json.JSONDecodeError as error:
            what = f"not JSON: {error.msg}, column {error.colno}"
            self._refuse("contract.not-json", what, f"{self.where}:{error.lineno}")
        except ValueError as error:
            self._refuse("contract.not-json", f"not JSON: {error}", self.where)
        except RecursionError:
            self._refuse("contract.not-json", "nested too deeply", self.where)
        return value

    def _index(self, text: str) -> None:
        twice: list[Fault] = []
        path: list[str | int] = []
        awaits_key = False
        line, seen = 1, 0
        for token in _TOKEN.finditer(text):
            line += text.count("\n", seen, token.start())
            seen = token.start()
            symbol = token.group()
            if symbol in "}]":
                path.pop()
                awaits_key = False
            elif symbol == ",":
                awaits_key = isinstance(path[-1], str)
                if not awaits_key:
                    path[-1] = int(path[-1]) + 1
            elif symbol == ":":
                awaits_key = False
            elif awaits_key:
                path[-1] = json.loads(symbol)
                if tuple(path) in self._lines:
                    what = f"{pointer(tuple(path))} stands twice"
                    twice.append(Fault("contract.key-twice", what, f"{self.where}:{line}"))
                self._lines[tuple(path)] = line
            else:
                self._lines.setdefault(tuple(path), line)
                if symbol in "{[":
                    awaits_key = symbol == "{"
                    path.append("" if awaits_key else 0)
        if twice:
            raise ProjectInvalid(
                f"{self.where} cannot be read",
                code="contract.invalid",
                faults=twice,
                hint="keep one of each",
            )

    def _refuse(self, code: str, what: str, where: str) -> NoReturn:
        raise ProjectInvalid(
            f"{self.where} cannot be read",
            code="contract.invalid",
            faults=[Fault(code, what, where)],
            hint="a contract is a Great Expectations suite, saved as JSON in UTF-8",
        ) from None


def pointer(path: Path) -> str:
    """`expectations[2].kwargs.mostly`; `$` for the document itself."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".") or "$"
