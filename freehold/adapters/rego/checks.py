"""What is refused before the library sees it.

Each check stands for a way in which the library fails open, silently, or with the whole process:
see contributing/policies.md for the list and the tests.
"""

import re
from collections.abc import Iterator

from freehold.adapters.rego.builtins import ALLOWED, REASONS
from freehold.adapters.rego.names import (
    ROOTS,
    Reference,
    end_of_line,
    local_names,
    references,
    rule_names,
)
from freehold.adapters.rego.requirements import covers
from freehold.adapters.rego.situations import situations
from freehold.adapters.rego.source import Declared, PolicySource
from freehold.adapters.rego.tokens import Kind, nesting
from freehold.domain.errors import Fault

MOST_CHARACTERS = 200_000
DEEPEST = 40
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def source_faults(policy: PolicySource) -> list[Fault]:
    """Of any source, policy or test."""
    return [
        *_shape_faults(policy),
        *_version_faults(policy),
        *_import_faults(policy),
        *_name_faults(policy),
    ]


def policy_faults(policy: PolicySource, said: Declared) -> Iterator[Fault]:
    """Of a policy only: every part of `input` and `data` that it asks for is required."""
    for token in policy.tokens:
        if token.text == "with":
            what = "`with` belongs in tests: a policy answers what it is asked"
            yield Fault("policy.with", what, policy.at(token.line))
    for one in references(policy.tokens):
        if one.parts[0] not in ("input", "data"):
            continue
        if one.parts[:2] == ("data", "freehold"):
            what = f"{one.text}: a policy stands alone"
            hint = "a rule of the same file goes by its name alone"
            yield Fault("policy.undeclared-input", what, policy.at(one.line), hint)
        elif len(one.parts) == 1 or one.parts[1] is None:
            what = f"{one.parts[0]} as a whole: nobody could tell what is missing"
            yield Fault("policy.undeclared-input", what, policy.at(one.line), "name its fields")
        elif not any(covers(path, one.parts) for path in said.requires):
            what = f"{one.text} is not among what the policy requires"
            hint = f'requires := {{"{one.text}": "number"}}'
            yield Fault("policy.undeclared-input", what, policy.at(one.line), hint)


def test_faults(policy: PolicySource) -> Iterator[Fault]:
    """Of a test file only."""
    if not any(name.startswith("test_") for name in rule_names(policy.tokens)):
        what = "a test file without a rule `test_...`"
        yield Fault("policy.no-tests", what, policy.at(1), "test_it_denies if { ... }")
    yield from situations(policy)[1]


def _shape_faults(policy: PolicySource) -> Iterator[Fault]:
    control = _CONTROL.search(policy.source.replace("\r\n", "\n"))
    if control:
        line = policy.source.count("\n", 0, control.start()) + 1
        what = f"character {control.group()!r}: the library reads no further than a zero byte"
        yield Fault("policy.control-character", what, policy.at(line))
    if len(policy.source) > MOST_CHARACTERS:
        what = f"{len(policy.source)} characters; at most {MOST_CHARACTERS}"
        yield Fault("policy.too-large", what, policy.path)
    if nesting(policy.tokens) > DEEPEST:
        line = next(t.line for t in policy.tokens if t.depth >= DEEPEST)
        what = f"more than {DEEPEST} brackets within brackets"
        yield Fault("policy.too-deep", what, policy.at(line))


def _version_faults(policy: PolicySource) -> Iterator[Fault]:
    """The library also takes Rego v0, in which `deny[x] { }` means another thing."""
    for before, token in zip(policy.tokens, policy.tokens[1:], strict=False):
        ends_head = before.is_word or before.text in ("]", ")") or before.kind is Kind.STRING
        bare_else = before.text == "else"
        if token.text == "{" and not token.depth and (ends_head or bare_else):
            what = "a rule's body without `if`"
            yield Fault("policy.not-v1", what, policy.at(token.line), "Rego v1: name if { ... }")


def _import_faults(policy: PolicySource) -> Iterator[Fault]:
    own = policy.name.removesuffix("_test")
    allowed = {"rego.v1"} | ({f"data.freehold.{own}"} if policy.is_test else set())
    found = policy.tokens
    for index, token in enumerate(found):
        if token.text == "import" and token.leads:
            what = "".join(one.text for one in found[index + 1 : end_of_line(found, index)])
            if what not in allowed:
                hint = f"may import {' and '.join(sorted(allowed))}"
                yield Fault("policy.import", f"import {what}", policy.at(token.line), hint)


def _name_faults(policy: PolicySource) -> Iterator[Fault]:
    rules, local = rule_names(policy.tokens), local_names(policy.tokens)
    for name in sorted((rules | local) & {"input", "data"}):
        line = next(t.line for t in policy.tokens if t.text == name)
        yield Fault("policy.unknown-name", f"{name} cannot be defined", policy.at(line))
    known = rules | local | ROOTS
    for one in references(policy.tokens):
        if one.called and not (one.parts[0] in rules and len(one.parts) == 1):
            fault = _call_fault(policy, one)
            if fault:
                yield fault
        elif one.parts[0] not in known:
            what = f"nothing defines {one.text}"
            hint = "declare variables with `some` or `:=`"
            yield Fault("policy.unknown-name", what, policy.at(one.line), hint)


def _call_fault(policy: PolicySource, one: Reference) -> Fault | None:
    if one.text in ALLOWED:
        return None
    why = REASONS.get(one.text, "not among the functions that are tried to work here")
    hint = f"allowed: {', '.join(sorted(ALLOWED))}"
    return Fault("policy.builtin", f"{one.text}: {why}", policy.at(one.line), hint)
