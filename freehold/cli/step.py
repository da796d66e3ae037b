"""`freehold step`"""

from pathlib import Path

import click

from freehold.app.run.step import end_with_parent, run_step


@click.command("step", help="Run one step from the manifest at ADDRESS. Engines start this.")
@click.argument("address")
@click.option("--site", default="", help="Whose objects it works with.")
@click.option("--attended", is_flag=True, help="End when the process that started this ends.")
def command(address: str, site: str, attended: bool) -> None:
    if attended:
        end_with_parent()
    result = run_step(address, Path.cwd(), site)
    if result.failure is not None:
        click.echo(result.failure.summary, err=True)
