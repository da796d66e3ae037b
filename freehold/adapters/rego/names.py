"""Names in a Rego source: which it declares, which it refers to.

The library takes an unknown name for a variable without a value, so that a misspelt one makes a
rule undefined, and `not` of it true. Here every name must be known.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from freehold.adapters.rego.tokens import Kind, Token, closing

ROOTS = frozenset({"input", "data", "_"})


@dataclass(frozen=True)
class Reference:
    """`input.evidence["auc"][x].low` is the parts input, evidence, auc, None, low."""

    parts: tuple[str | None, ...]
    """None where the key is not written out."""
    line: int
    called: bool

    @property
    def text(self) -> str:
        return ".".join("*" if part is None else part for part in self.parts)


def rule_names(found: Sequence[Token]) -> set[str]:
    """Names of the rules and functions that the source defines."""
    names = set()
    for index, token in enumerate(found):
        if token.depth or not token.leads:
            continue
        if token.text == "default" and index + 1 < len(found):
            token = found[index + 1]
        if token.is_word:
            names.add(token.text)
    return names


def local_names(found: Sequence[Token]) -> set[str]:
    """Variables, parameters and aliases, wherever in the source they are declared."""
    names: set[str] = set()
    for index, token in enumerate(found):
        following = found[index + 1] if index + 1 < len(found) else None
        if token.text == ":=" and index:
            names.update(_assigned(found, index))
        elif token.text in ("some", "every"):
            names.update(_quantified(found, index))
        elif token.text == "import" and token.leads:
            names.add(_alias(found, index))
        elif _has_parameters(token, following):
            stop = closing(found, index + 1)
            names.update(one.text for one in found[index + 2 : stop] if one.is_word)
    return names


def references(found: Sequence[Token]) -> Iterator[Reference]:
    """Every name that is used with what is asked of it, imports and the package left out."""
    index = 0
    while index < len(found):
        token = found[index]
        if token.text in ("import", "package") and token.leads:
            index = end_of_line(found, index)
            continue
        if _is_root(found, index):
            parts, after = _path(found, index)
            called = after < len(found) and found[after].text == "(" and found[after].glued
            yield Reference(tuple(parts), token.line, called)
        index += 1


def end_of_line(found: Sequence[Token], start: int) -> int:
    index = start + 1
    while index < len(found) and not found[index].leads:
        index += 1
    return index


def _is_root(found: Sequence[Token], index: int) -> bool:
    token = found[index]
    if token.kind is not Kind.NAME:
        return False
    if index and found[index - 1].text == "." and token.glued:
        return False
    if token.text == "contains":
        after = index + 1
        return after < len(found) and found[after].text == "(" and found[after].glued
    return token.is_word


def _path(found: Sequence[Token], index: int) -> tuple[list[str | None], int]:
    """The parts of the reference that begins at `index`, and the index after it."""
    parts: list[str | None] = [found[index].text]
    index += 1
    while index + 1 < len(found) and found[index].glued:
        if found[index].text == "." and found[index + 1].kind is Kind.NAME:
            parts.append(found[index + 1].text)
            index += 2
        elif found[index].text == "[":
            stop = closing(found, index)
            inside = found[index + 1 : stop]
            literal = len(inside) == 1 and inside[0].kind is Kind.STRING
            parts.append(inside[0].text[1:-1] if literal else None)
            index = stop + 1
        else:
            break
    return parts, index


def _assigned(found: Sequence[Token], index: int) -> Iterator[str]:
    before = found[index - 1]
    if before.is_word:
        yield before.text
    elif before.text == "]":
        start = index - 2
        while start > 0 and not (found[start].text == "[" and found[start].depth == before.depth):
            start -= 1
        yield from (one.text for one in found[start : index - 1] if one.is_word)


def _quantified(found: Sequence[Token], index: int) -> Iterator[str]:
    for token in found[index + 1 :]:
        if not (token.is_word or token.text == ","):
            return
        if token.is_word:
            yield token.text


def _has_parameters(token: Token, following: Token | None) -> bool:
    if following is None or following.text != "(" or not following.glued:
        return False
    return token.is_word and token.leads and not token.depth


def _alias(found: Sequence[Token], index: int) -> str:
    return found[end_of_line(found, index) - 1].text
