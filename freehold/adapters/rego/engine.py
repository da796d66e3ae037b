"""Rego v1 policies in this process; the convention is in contributing/policies.md."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from freehold.adapters.rego.checks import (
    policy_faults,
    source_faults,
    test_faults,
)
from freehold.adapters.rego.decisions import decided
from freehold.adapters.rego.library import Doubt, Question, ask, compile_faults, syntax_faults
from freehold.adapters.rego.plain import data_modules, written
from freehold.adapters.rego.requirements import unmet
from freehold.adapters.rego.situations import Situation, situations, without_clauses
from freehold.adapters.rego.source import (
    TEST,
    Declared,
    PolicySource,
    declared,
    package_faults,
)
from freehold.domain.errors import Fault, ProjectInvalid
from freehold.domain.verdict import Denial, Verdict, policy_digest
from freehold.ports.policy_engine import PolicyEngine, PolicyTestResult, RunsPolicyTests

_DANGEROUS = {"policy.control-character", "policy.too-deep", "policy.too-large"}
"""With one of these, the library's parser is not asked."""


class RegoEngine(PolicyEngine, RunsPolicyTests):
    def __init__(self, seconds: float = 10.0) -> None:
        """`seconds` that one policy, or one test, may take."""
        self._seconds = seconds

    def check(self, modules: Mapping[str, str]) -> list[Fault]:
        sources = _read(modules)
        faults = _duplicates(sources)
        for source in sources:
            found = _faults(source)
            if not found:
                found = compile_faults(source.path, without_clauses(source, situations(source)[0]))
            elif not _DANGEROUS & {fault.code for fault in found}:
                found = syntax_faults(source.path, source.source) or found
            faults += found
        return faults

    def evaluate(
        self, modules: Mapping[str, str], data: Mapping[str, Any], input: Mapping[str, Any]
    ) -> Verdict:
        try:
            return self._verdict(modules, data, input)
        except Exception as exc:  # noqa: BLE001 - the boundary: a bug of ours is a denial as well
            denial = Denial("engine/error", f"{type(exc).__name__} in the engine")
            return Verdict(False, (denial,))

    def _verdict(
        self, modules: Mapping[str, str], data: Mapping[str, Any], input: Mapping[str, Any]
    ) -> Verdict:
        policies = [source for source in _read(modules) if not source.is_test]
        said = {policy.path: declared(policy)[0] for policy in policies}
        rules = tuple(f"{p.name}/{rule}" for p in policies for rule in said[p.path].rules)
        digest = ""
        try:
            documents = data_modules(data)
            digest = policy_digest({p.path: p.source for p in policies}, data)
            question = written(dict(input))
            _refuse_faulty(policies)
        except Doubt as doubt:
            return Verdict(False, (Denial(doubt.rule, doubt.message),), rules, digest)
        except (ValueError, TypeError) as exc:
            denial = Denial("engine/not-json", f"the limits or the question: {exc}")
            return Verdict(False, (denial,), rules, digest)
        denials: list[Denial] = []
        known = {"input": dict(input), "data": dict(data)}
        for policy in policies:
            missing = unmet(said[policy.path].requires, known)
            if missing:
                denials += [Denial(f"{policy.name}/missing-input", one) for one in missing]
            else:
                denials += self._denials(policy, said[policy.path], documents, question)
        return Verdict(not denials, tuple(denials), rules, digest)

    def test(
        self, modules: Mapping[str, str], data: Mapping[str, Any]
    ) -> Sequence[PolicyTestResult]:
        faults = self.check(modules)
        if faults:
            raise ProjectInvalid("the policies have faults", faults=faults, code="policy.invalid")
        sources = {source.name: source for source in _read(modules)}
        results = []
        for name, source in sources.items():
            if source.is_test:
                results += self._run(source, sources.get(name.removesuffix(TEST)), data)
            elif name + TEST not in sources:
                where = source.path.replace(".rego", f"{TEST}.rego")
                results.append(PolicyTestResult(source.path, "", False, f"no tests in {where}"))
        return sorted(results, key=lambda one: (one.file, one.name))

    def _denials(
        self, policy: PolicySource, said: Declared, documents: Mapping[str, str], question: str
    ) -> list[Denial]:
        package = f"data.freehold.{policy.name}"
        query = f'{{"cleared": {package}.cleared, "deny": {package}.deny}}'
        modules = {policy.path: policy.source, **documents}
        try:
            answer = ask(Question(modules, query, question), self._seconds)
            return decided(policy, said.rules, answer)
        except Doubt as doubt:
            return [Denial(doubt.rule, f"{policy.path}: {doubt.message}")]

    def _run(
        self, test: PolicySource, policy: PolicySource | None, data: Mapping[str, Any]
    ) -> list[PolicyTestResult]:
        found, _ = situations(test)
        modules = {test.path: without_clauses(test, found)}
        if policy is not None:
            modules[policy.path] = policy.source
        results = []
        for situation in found:
            output = self._outcome(test.name, situation, modules, data)
            results.append(PolicyTestResult(test.path, situation.test, not output, output))
        return results

    def _outcome(
        self,
        package: str,
        situation: Situation,
        modules: Mapping[str, str],
        data: Mapping[str, Any],
    ) -> str:
        """Empty if the test is true; else why it did not pass."""
        query = f"data.freehold.{package}"
        try:
            values = ask(
                Question({**modules, **data_modules(data)}, f"{query}.{situation.rule}"),
                self._seconds,
            )
            input, known = situation.applied(values, data)
            question = Question(
                {**modules, **data_modules(known)}, f"{query}.{situation.test}", written(input)
            )
            answer = ask(question, self._seconds)
        except Doubt as doubt:
            return "it is not true" if doubt.rule == "engine/undefined" else doubt.message
        except ValueError as exc:
            return f"the limits or the input: {exc}"
        return "" if answer is True else f"it is {answer!r:.60}, not true"


def _read(modules: Mapping[str, str]) -> list[PolicySource]:
    return [PolicySource.read(path, modules[path]) for path in sorted(modules)]


def _faults(source: PolicySource) -> list[Fault]:
    faults = [*package_faults(source), *source_faults(source)]
    if source.is_test:
        faults += test_faults(source)
    else:
        said, unclear = declared(source)
        faults += unclear
        faults += policy_faults(source, said)
    return faults


def _refuse_faulty(policies: Sequence[PolicySource]) -> None:
    if not policies:
        raise Doubt("engine/no-policies", "no policy was asked, so none allows it")
    faults = _duplicates(policies)
    for policy in policies:
        faults += _faults(policy)
    if faults:
        more = f", and {len(faults) - 1} more faults" if len(faults) > 1 else ""
        raise Doubt("engine/refused", f"{faults[0]}{more}: `freehold check` lists them")


def _duplicates(sources: Sequence[PolicySource]) -> list[Fault]:
    count = Counter(source.name for source in sources)
    return [
        Fault("policy.duplicate", f"two files are named {source.name}", source.path)
        for source in sources
        if count[source.name] > 1
    ]
