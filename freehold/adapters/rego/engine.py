"""Rego v1 policies in this process; the convention is in contributing/policies.md."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from freehold.adapters.rego.library import Doubt, Query, ask, compile_faults, syntax_faults
from freehold.adapters.rego.plain import data_text, written
from freehold.adapters.rego.prepared import Asked, Prepared, Remembered
from freehold.adapters.rego.reading import duplicates, faults_of, read
from freehold.adapters.rego.situations import Situation, situations, without_clauses
from freehold.adapters.rego.source import TEST, PolicySource
from freehold.domain.errors import Fault, ProjectInvalid
from freehold.domain.verdict import Denial, Verdict
from freehold.ports.policy_engine import PolicyEngine, PolicyTestResult, RunsPolicyTests

_DANGEROUS = {"policy.control-character", "policy.too-deep", "policy.too-large"}
"""With one of these, the library's parser is not asked."""


class RegoEngine(PolicyEngine, RunsPolicyTests):
    def __init__(self, seconds: float = 10.0) -> None:
        """`seconds` that one policy, or one test, may take."""
        self._seconds = seconds

    def check(self, modules: Mapping[str, str]) -> list[Fault]:
        sources = read(modules)
        faults = duplicates(sources)
        for source in sources:
            found = faults_of(source)
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
            return Prepared(modules, data).verdict(input, self._asked)
        except Exception as exc:  # noqa: BLE001 - the boundary: a bug of ours is a denial as well
            return _failed(exc)

    def for_many(
        self, modules: Mapping[str, str], data: Mapping[str, Any]
    ) -> Callable[[Mapping[str, Any]], Verdict]:
        remembered = Remembered(self._seconds)
        try:
            prepared = Prepared(modules, data)
        except Exception as exc:  # noqa: BLE001 - the boundary, as in `evaluate`
            failed = _failed(exc)
            return lambda _: failed

        def evaluate(input: Mapping[str, Any]) -> Verdict:
            try:
                return prepared.verdict(input, remembered)
            except Exception as exc:  # noqa: BLE001 - the boundary, as in `evaluate`
                return _failed(exc)

        return evaluate

    def test(
        self, modules: Mapping[str, str], data: Mapping[str, Any]
    ) -> Sequence[PolicyTestResult]:
        faults = self.check(modules)
        if faults:
            raise ProjectInvalid("the policies have faults", faults=faults, code="policy.invalid")
        sources = {source.name: source for source in read(modules)}
        results = []
        for name, source in sources.items():
            if source.is_test:
                results += self._run(source, sources.get(name.removesuffix(TEST)), data)
            elif name + TEST not in sources:
                where = source.path.replace(".rego", f"{TEST}.rego")
                results.append(PolicyTestResult(source.path, "", False, f"no tests in {where}"))
        return sorted(results, key=lambda one: (one.file, one.name))

    def _asked(self, policy: Asked, input: Mapping[str, Any]) -> Any:
        return ask(policy.query, written(dict(input)), self._seconds)

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
        name = f"data.freehold.{package}"
        try:
            situated = Query(modules, f"{name}.{situation.rule}", data_text(data))
            input, known = situation.applied(ask(situated, "{}", self._seconds), data)
            tested = Query(modules, f"{name}.{situation.test}", data_text(known))
            answer = ask(tested, written(input), self._seconds)
        except Doubt as doubt:
            return "it is not true" if doubt.rule == "engine/undefined" else doubt.message
        except ValueError as exc:
            return f"the limits or the input: {exc}"
        return "" if answer is True else f"it is {answer!r:.60}, not true"


def _failed(exc: Exception) -> Verdict:
    return Verdict(False, (Denial("engine/error", f"{type(exc).__name__} in the engine"),))
