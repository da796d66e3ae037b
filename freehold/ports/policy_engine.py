"""Asks the project's policies whether something may happen.

A policy set is a mapping of relative POSIX paths to sources: `policies/<name>.rego` is a policy,
`policies/<name>_test.rego` its tests. `data` maps names to objects of JSON values, by which people
set limits without touching a rule; `input` is one JSON object, the question.

Laws
- Denied unless proven: `allowed` is true only when there is at least one policy, every rule of
  every policy was decided, and none denied. Undefined, contradictory, missing, malformed, late:
  each is a denial whose rule begins with `engine/`, or `<name>/missing-input`.
- `evaluate` never raises for what is in modules, data or input, and never ends the process.
- One decision does not see another: no state survives an evaluation.
- `data` and `input` are values; no text in them is ever read as code, and texts come back as they
  went in.
- The order of modules, and of keys, changes nothing; every denial is told, not only the first.
- `policy_digest` covers every policy and all data, and no test.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from freehold.domain.errors import Fault
from freehold.domain.verdict import Verdict


@dataclass(frozen=True)
class PolicyTestResult:
    file: str
    name: str
    """Empty when the file is a policy without tests."""
    passed: bool
    output: str = ""
    """Why it did not pass."""


class PolicyEngine(ABC):
    @abstractmethod
    def check(self, modules: Mapping[str, str]) -> list[Fault]:
        """All faults of all sources and tests, each with `file:line`; empty if there are none."""

    @abstractmethod
    def evaluate(
        self, modules: Mapping[str, str], data: Mapping[str, Any], input: Mapping[str, Any]
    ) -> Verdict:
        """The answer of every policy to one question."""

    def for_many(
        self, modules: Mapping[str, str], data: Mapping[str, Any]
    ) -> Callable[[Mapping[str, Any]], Verdict]:
        """`evaluate` for many questions to the same policies: the same verdicts, sooner where an
        engine can."""
        return lambda input: self.evaluate(modules, data, input)


class RunsPolicyTests(ABC):
    """An engine that runs the tests that lie beside policies."""

    @abstractmethod
    def test(
        self, modules: Mapping[str, str], data: Mapping[str, Any]
    ) -> Sequence[PolicyTestResult]:
        """By file and name. A test passes only if it is true; a policy without tests fails.

        Raises ProjectInvalid `policy.invalid` with the faults that `check` would list.
        """
