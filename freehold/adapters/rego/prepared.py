"""A set of policies, read and checked once, for one question or for many."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from freehold.adapters.rego.decisions import decided
from freehold.adapters.rego.library import Compiled, Doubt, Query
from freehold.adapters.rego.plain import data_text, written
from freehold.adapters.rego.reading import duplicates, faults_of, read
from freehold.adapters.rego.requirements import unmet
from freehold.adapters.rego.source import Declared, PolicySource, declared
from freehold.domain.verdict import Denial, Verdict, policy_digest


@dataclass(frozen=True)
class Asked:
    """One policy as the library is asked it."""

    source: PolicySource
    said: Declared
    query: Query


Ask = Callable[[Asked, Mapping[str, Any]], Any]
"""A policy, the question → its answer. Raises Doubt."""


class Prepared:
    def __init__(self, modules: Mapping[str, str], data: Mapping[str, Any]) -> None:
        self._data = dict(data)
        policies = [source for source in read(modules) if not source.is_test]
        said = {policy.path: declared(policy)[0] for policy in policies}
        self._rules = tuple(f"{p.name}/{rule}" for p in policies for rule in said[p.path].rules)
        self._digest, self._unreadable, self._faulty = "", "", None
        self._policies: list[Asked] = []
        try:
            documents = data_text(data)
            self._digest = policy_digest({p.path: p.source for p in policies}, data)
            self._policies = [
                Asked(one, said[one.path], _query_of(one, documents)) for one in policies
            ]
            _refuse_faulty(policies)
        except Doubt as doubt:
            self._faulty = doubt
        except (ValueError, TypeError) as exc:
            self._unreadable = str(exc)

    def verdict(self, input: Mapping[str, Any], ask: Ask) -> Verdict:
        try:
            if self._unreadable:
                raise ValueError(self._unreadable)
            written(dict(input))
            if self._faulty is not None:
                raise self._faulty
        except Doubt as doubt:
            denial = Denial(doubt.rule, doubt.message)
            return Verdict(False, (denial,), self._rules, self._digest)
        except (ValueError, TypeError) as exc:
            denial = Denial("engine/not-json", f"the limits or the question: {exc}")
            return Verdict(False, (denial,), self._rules, self._digest)
        denials: list[Denial] = []
        known = {"input": dict(input), "data": self._data}
        for policy in self._policies:
            missing = unmet(policy.said.requires, known)
            if missing:
                denials += [Denial(f"{policy.source.name}/missing-input", one) for one in missing]
            else:
                denials += _denials(policy, input, ask)
        return Verdict(not denials, tuple(denials), self._rules, self._digest)


class Remembered:
    """Asks each policy what it is compiled to, and each question once: it is given no more of one
    than the parts that it requires (`checks` refuses a policy that names another), so that it says
    the same of all questions that agree in these."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._compiled: dict[str, Compiled] = {}
        self._answers: dict[tuple[str, str], Any] = {}

    def __call__(self, policy: Asked, input: Mapping[str, Any]) -> Any:
        path = policy.source.path
        parts = {
            one.split(".")[1].removesuffix("?")
            for one in policy.said.requires
            if one.startswith("input.")
        }
        everything = "*" in parts
        question = written({k: v for k, v in input.items() if everything or k in parts})
        if (path, question) not in self._answers:
            if path not in self._compiled:
                self._compiled[path] = Compiled(policy.query, self._seconds)
            self._answers[path, question] = self._compiled[path].ask(question)
        return self._answers[path, question]


def _query_of(policy: PolicySource, data: str) -> Query:
    package = f"data.freehold.{policy.name}"
    expression = f'{{"cleared": {package}.cleared, "deny": {package}.deny}}'
    return Query({policy.path: policy.source}, expression, data)


def _denials(policy: Asked, input: Mapping[str, Any], ask: Ask) -> list[Denial]:
    try:
        return decided(policy.source, policy.said.rules, ask(policy, input))
    except Doubt as doubt:
        return [Denial(doubt.rule, f"{policy.source.path}: {doubt.message}")]


def _refuse_faulty(policies: Sequence[PolicySource]) -> None:
    if not policies:
        raise Doubt("engine/no-policies", "no policy was asked, so none allows it")
    faults = duplicates(policies)
    for policy in policies:
        faults += faults_of(policy)
    if faults:
        more = f", and {len(faults) - 1} more faults" if len(faults) > 1 else ""
        raise Doubt("engine/refused", f"{faults[0]}{more}: `freehold check` lists them")
