"""`freehold policy test`: the tests that lie beside the project's policies."""

from collections.abc import Sequence

from freehold.app.policy.reading import engine, read_policies
from freehold.app.project.reading import OpenProject
from freehold.domain.errors import NotFound, NotSupported
from freehold.ports.policy_engine import PolicyTestResult, RunsPolicyTests


def run_policy_tests(project: OpenProject) -> Sequence[PolicyTestResult]:
    """By file and name. Raises NotFound when there is nothing to test."""
    policies = read_policies(project)
    if not policies.modules:
        raise NotFound(
            "the project has no policies",
            why="`policies` in freehold.yaml names no folder with .rego files",
            hint="`freehold init NAME` writes a project that has some",
            code="policy.none",
        )
    tester = engine()
    if not isinstance(tester, RunsPolicyTests):
        raise NotSupported(
            "the policies' tests cannot be run",
            why="this policy engine runs no tests",
            hint="use another policy engine",
            code="policy.no-tests",
        )
    return tester.test(policies.modules, policies.data)
