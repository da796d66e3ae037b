"""`freehold step`"""

from pathlib import Path

import click

from freehold.app.run.step import run_step


@click.command("step", help="Run one step from the manifest at ADDRESS. Engines start this.")
@click.argument("address")
def command(address: str) -> None:
    result = run_step(address, Path.cwd())
    if result.failure is not None:
        click.echo(result.failure.summary, err=True)
