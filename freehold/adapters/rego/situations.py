"""`with` in tests, done by us.

The library's own `with` fails as soon as the rule under test refers to another rule, aborts the
compiler, and ends the process of whoever prints the failure. So a test is read for its clauses,
`with input as good with data.limits.baseline.auc as 0.6`; they are cut from the source, their
values are asked for by themselves, and the test is then run with these as its real input and data.
That is what OPA does, for a test whose clauses are the same throughout; other tests are refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from freehold.adapters.rego.names import references, rule_names
from freehold.adapters.rego.source import PolicySource
from freehold.adapters.rego.tokens import CLOSING, Token, tokens
from freehold.domain.errors import Fault

_TARGET = re.compile(r"input|data\.(?!freehold\b)[a-z][a-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+")
_PREFIX = "situation_of_"


@dataclass(frozen=True)
class Clause:
    target: str
    """`input`, or a path below a document of data."""
    value: str
    """An expression of the test's file."""
    start: int
    end: int
    """Characters of the source."""


@dataclass(frozen=True)
class Situation:
    test: str
    clauses: tuple[Clause, ...]

    @property
    def rule(self) -> str:
        """Name of the rule that gives the clauses' values, in order."""
        return _PREFIX + self.test

    @property
    def definition(self) -> str:
        return f"{self.rule} := [{', '.join(f'({clause.value})' for clause in self.clauses)}]"

    def applied(self, values: Sequence[Any], data: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The test's input and data, for the values of its clauses."""
        input: Any = {}
        replaced: dict[str, Any] = dict(data)
        for clause, value in zip(self.clauses, values, strict=True):
            if clause.target == "input":
                input = value
            else:
                replaced = _replaced(replaced, clause.target.split(".")[1:], value)
        return input, replaced


def situations(policy: PolicySource) -> tuple[list[Situation], list[Fault]]:
    """Each test's, by name; and what cannot be done here."""
    found: dict[str, Situation] = {}
    faults: list[Fault] = []
    for chunk in _definitions(policy.tokens):
        name, line = chunk[0].text, policy.at(chunk[0].line)
        groups = list(_groups(policy.source, chunk))
        kinds = {tuple((clause.target, clause.value) for clause in group) for group in groups}
        if not name.startswith("test_"):
            if groups:
                what, hint = f"`with` in {name}, which is no test", "move it into `test_...`"
                faults.append(Fault("policy.with", what, line, hint))
            continue
        if name in found or len(kinds) > 1:
            what = f"{name} has more than one situation"
            hint = "the same `with` clauses throughout a test; another situation is another test"
            faults.append(Fault("policy.with", what, line, hint))
        else:
            faults += _clause_faults(policy, chunk, groups)
        found[name] = Situation(name, groups[0] if groups else ())
    return [found[name] for name in sorted(found)], faults


def without_clauses(policy: PolicySource, found: Sequence[Situation]) -> str:
    """The source with every `with` cut out, and a rule for each situation's values."""
    source = policy.source
    for chunk in reversed(list(_definitions(policy.tokens))):
        for group in reversed(list(_groups(policy.source, chunk))):
            for clause in reversed(group):
                source = source[: clause.start] + source[clause.end :]
    return "\n\n".join([source.rstrip(), *(one.definition for one in found), ""])


def _definitions(found: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Tokens from one leading word at depth 0 to the next."""
    heads = [i for i, t in enumerate(found) if t.leads and not t.depth and t.is_word]
    for start, end in pairwise([*heads, len(found)]):
        yield found[start:end]


def _groups(source: str, chunk: Sequence[Token]) -> Iterator[tuple[Clause, ...]]:
    """Clauses that follow one another belong to one statement."""
    group: list[Clause] = []
    for index, token in enumerate(chunk):
        if token.text != "with":
            continue
        clause = _clause(source, chunk, index)
        if group and source[group[-1].end : clause.start].strip():
            yield tuple(group)
            group = []
        group.append(clause)
    if group:
        yield tuple(group)


def _clause(source: str, chunk: Sequence[Token], index: int) -> Clause:
    start = chunk[index]
    end, middle = index + 1, 0
    while end < len(chunk):
        token = chunk[end]
        if token.depth < start.depth or (token.depth == start.depth and _ends(token)):
            break
        if token.text == "as" and token.depth == start.depth and not middle:
            middle = end
        end += 1
    last = chunk[end - 1]
    stop = last.start + len(last.text)
    if not middle:
        return Clause("", "", start.start, stop)
    target = source[start.start + len("with") : chunk[middle].start].strip()
    value = source[chunk[middle].start + len("as") : stop].strip()
    return Clause(target, value, start.start, stop)


def _ends(token: Token) -> bool:
    return token.text in ("with", ";") or (token.leads and token.text not in CLOSING)


def _clause_faults(
    policy: PolicySource, chunk: Sequence[Token], groups: Sequence[tuple[Clause, ...]]
) -> Iterator[Fault]:
    rules, where = rule_names(policy.tokens), policy.at(chunk[0].line)
    for clause in groups[0] if groups else ():
        if not _TARGET.fullmatch(clause.target):
            what = f"'with {clause.target} as': only input and limits can be replaced"
            yield Fault("policy.with", what, where, "with data.limits.baseline.auc as 0.6")
        for one in references(tokens(clause.value)):
            if one.parts[0] not in rules and not one.called:
                what = f"{one.text} in a `with` clause"
                hint = "literals, and rules and functions of the test's file"
                yield Fault("policy.with", what, where, hint)


def _replaced(document: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    if len(path) == 1:
        return {**document, path[0]: value}
    below = document.get(path[0])
    inner = below if isinstance(below, Mapping) else {}
    return {**document, path[0]: _replaced(inner, path[1:], value)}
