"""Rego's tokens, as far as the checks before evaluation need them (OPA's grammar, v1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

_TOKEN = re.compile(
    r"""
    (?P<comment>\#[^\n]*)
  | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<raw>`[^`]*`)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<mark>:=|==|!=|<=|>=|[-+*/%&|<>=.,;:(){}\[\]])
  | (?P<newline>\n)
  | (?P<space>[ \t\r]+)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)

KEYWORDS = frozenset(
    [
        "as",
        "contains",
        "default",
        "else",
        "every",
        "false",
        "if",
        "import",
        "in",
        "not",
        "null",
        "package",
        "some",
        "true",
        "with",
    ]
)
OPENING, CLOSING = {"(": ")", "[": "]", "{": "}"}, {")", "]", "}"}


class Kind(Enum):
    NAME = "name"
    STRING = "string"
    NUMBER = "number"
    MARK = "mark"
    OTHER = "other"
    """A character that no token begins with, such as an unclosed quote."""


@dataclass(frozen=True)
class Token:
    kind: Kind
    text: str
    line: int
    depth: int
    """Brackets open around it; an opening or closing bracket counts as outside of its own."""
    leads: bool
    """Whether it is the first of its line."""
    glued: bool
    """Whether no space separates it from the token before."""
    start: int
    """Index of its first character in the source."""

    @property
    def is_word(self) -> bool:
        """A name that is no keyword."""
        return self.kind is Kind.NAME and self.text not in KEYWORDS


def tokens(source: str) -> list[Token]:
    """Comments and spaces left out."""
    found: list[Token] = []
    line, depth, leads, glued = 1, 0, True, False
    for match in _TOKEN.finditer(source):
        group, text = match.lastgroup or "other", match.group()
        if group == "newline":
            line, leads, glued = line + 1, True, False
            continue
        if group in ("space", "comment"):
            glued = False
            continue
        if text in CLOSING:
            depth -= 1
        kind = Kind.STRING if group == "raw" else Kind(group)
        found.append(Token(kind, text, line, depth, leads, glued, match.start()))
        if text in OPENING:
            depth += 1
        leads, glued, line = False, True, line + text.count("\n")
    return found


def nesting(found: Sequence[Token]) -> int:
    """The most brackets that are open at once."""
    return max((token.depth + 1 for token in found if token.text in OPENING), default=0)


def closing(found: Sequence[Token], start: int) -> int:
    """Index of the bracket that closes the one at `start`; the last index if nothing does."""
    for index in range(start + 1, len(found)):
        if found[index].text in CLOSING and found[index].depth <= found[start].depth:
            return index
    return len(found) - 1
