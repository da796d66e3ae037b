"""`freehold policy`"""

from pathlib import Path

import click

from freehold.app.policy.test import run_policy_tests
from freehold.app.project.reading import find_root, read_project
from freehold.cli import output
from freehold.domain.errors import Refused


@click.group("policy")
def command() -> None:
    """The project's policies."""


@command.command("test")
@output.as_json
def test(as_json: bool) -> None:
    """Run the tests beside the policies. Exit code 1 if one fails."""
    results = run_policy_tests(read_project(find_root(Path.cwd())))
    failed = [result for result in results if not result.passed]
    if as_json:
        rows = [
            {"file": r.file, "name": r.name, "passed": r.passed, "output": r.output}
            for r in results
        ]
        output.data({"shape": 1, "passed": not failed, "tests": rows})
        if failed:
            raise click.exceptions.Exit(1)
        return
    for result in results:
        mark = "pass" if result.passed else "FAIL"
        click.echo(f"{mark}  {result.file}  {result.name}  {result.output}".rstrip())
    if failed:
        raise Refused(
            f"{len(failed)} of {len(results)} policy tests failed",
            why=", ".join(result.name for result in failed),
            hint="mend the policy or its test and run `freehold policy test` again",
            code="policy.test-failed",
        )
    output.note(f"{len(results)} policy tests passed")
    output.next_command("freehold run")
