"""`freehold check`"""

from pathlib import Path

import click

from freehold.app.check import check_project
from freehold.cli import output


@click.command("check", help="The project file, the steps, the policies, the contracts.")
@output.as_json
def command(as_json: bool) -> None:
    found = check_project(Path.cwd())
    if as_json:
        output.data(
            {
                "shape": 1,
                "project": found.name,
                "pipelines": found.pipelines,
                "contracts": found.contracts,
                "expectations": found.expectations,
                "policies": found.policies,
            }
        )
        return
    pipelines = ", ".join(f"{name} ({steps} steps)" for name, steps in found.pipelines.items())
    click.echo(f"project {found.name} is in order")
    click.echo(f"  pipelines  {pipelines}")
    click.echo(f"  contracts  {found.contracts} with {found.expectations} expectations")
    click.echo(f"  policies   {found.policies}")
    output.next_command("freehold plan")
