"""A policy's file, read without evaluating it: its name, its rules, what it requires."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from freehold.adapters.rego.requirements import malformed
from freehold.adapters.rego.tokens import Token, closing, tokens
from freehold.domain.errors import Fault

TEST = "_test"
RULE_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_FILE_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class PolicySource:
    path: str
    source: str
    tokens: tuple[Token, ...]

    @classmethod
    def read(cls, path: str, source: str) -> "PolicySource":
        return cls(path, source, tuple(tokens(source)))

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).stem

    @property
    def is_test(self) -> bool:
        return self.name.endswith(TEST)

    def at(self, line: int) -> str:
        return f"{self.path}:{line}"


@dataclass(frozen=True)
class Declared:
    rules: tuple[str, ...]
    requires: dict[str, str]


def declared(policy: PolicySource) -> tuple[Declared, list[Fault]]:
    """The literals `rules := {...}` and `requires := {...}`, and what is wrong with them."""
    faults: list[Fault] = []
    rules = _rules(policy, faults)
    requires = _requires(policy, faults)
    return Declared(rules, requires), faults


def package_faults(policy: PolicySource) -> list[Fault]:
    """A file stands for one package, so that no file can answer for another."""
    if not _FILE_NAME.fullmatch(policy.name) or PurePosixPath(policy.path).suffix != ".rego":
        what = f"'{policy.path}' is no policy's name"
        hint = "letters a to z, digits and _, ending in .rego"
        return [Fault("policy.name", what, policy.path, hint)]
    wanted = f"freehold.{policy.name}"
    first = policy.tokens[0] if policy.tokens else None
    packages = [t for t in policy.tokens if t.text == "package" and t.leads and not t.depth]
    if first is None or packages != [first]:
        what = "a policy begins with its package, once"
        return [Fault("policy.package", what, policy.at(1), f"package {wanted}")]
    line = [t.text for t in policy.tokens[1:] if t.line == first.line]
    if "".join(line) != wanted:
        what = f"package {''.join(line)} is not the one of this file"
        return [Fault("policy.package", what, policy.at(first.line), f"package {wanted}")]
    return []


def _rules(policy: PolicySource, faults: list[Fault]) -> tuple[str, ...]:
    hint = 'rules := {"worse-than-champion"}: all that this policy decides'
    text, line = _literal(policy, "rules")
    try:
        names = json.loads("[" + text[1:-1] + "]") if text else []
    except ValueError:
        names = []
    if not names or not all(isinstance(n, str) and RULE_NAME.fullmatch(n) for n in names):
        what = "a policy needs `rules`, a set of names written out in small letters and hyphens"
        faults.append(Fault("policy.rules", what, policy.at(line), hint))
        return ()
    return tuple(sorted(set(names)))


def _requires(policy: PolicySource, faults: list[Fault]) -> dict[str, str]:
    text, line = _literal(policy, "requires")
    try:
        found = json.loads(text) if text else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        what = "a policy needs `requires`, an object of paths and types written out"
        hint = 'requires := {"input.signature.valid": "boolean"}'
        faults.append(Fault("policy.requires", what, policy.at(line), hint))
        return {}
    for path, kind in found.items():
        wrong = malformed(path, kind)
        if wrong:
            faults.append(Fault("policy.requires", wrong, policy.at(line)))
    return found


def _literal(policy: PolicySource, name: str) -> tuple[str, int]:
    """Text of the braces that `name :=` is given, commas before a closing one left out."""
    heads = _heads(policy.tokens, name)
    if len(heads) != 1:
        return "", policy.tokens[heads[1]].line if heads else 1
    start = heads[0] + 2
    found = policy.tokens
    line = found[heads[0]].line
    if start >= len(found) or found[start - 1].text != ":=" or found[start].text != "{":
        return "", line
    inside = [token.text for token in found[start : closing(found, start) + 1]]
    kept = [
        text
        for text, after in zip(inside, [*inside[1:], ""], strict=True)
        if not (text == "," and after == "}")
    ]
    return " ".join(kept), line


def _heads(found: Sequence[Token], name: str) -> list[int]:
    return [
        index
        for index, token in enumerate(found)
        if token.leads and not token.depth and token.text == name
    ]
