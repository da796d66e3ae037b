"""`freehold drill`"""

from pathlib import Path

import click

from freehold.app.drill.tamper import require_refusal, tamper
from freehold.app.site.opening import Site, open_site
from freehold.cli import output
from freehold.cli.drill_exit import exit_command
from freehold.cli.drill_offline import at_site_command, offline_command
from freehold.cli.drill_rebuild import anew_command, rebuild_command
from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.endpoint.settings import RUNTIME


@click.group("drill")
def command() -> None:
    """Prove a promise by doing the thing; production stays as it was."""


command.add_command(exit_command)
command.add_command(offline_command)
command.add_command(at_site_command)
command.add_command(rebuild_command)
command.add_command(anew_command)


@command.command("tamper")
@click.argument("name", metavar="MODEL@VERSION")
@output.as_json
def tamper_command(name: str, as_json: bool) -> None:
    """Change one byte of a copy of the package and start an endpoint on it."""
    with open_site() as site:
        found = tamper(site, name, starter(site))
    if as_json:
        output.data(found.as_json())
    else:
        click.echo(f"an endpoint loads the untouched copy of {found.version}")
        click.echo(
            f"byte {found.offset:,} of {found.file} changed from {found.before} to {found.after}"
        )
        if found.refused_with:
            click.echo(f"the endpoint refuses it: [{found.refused_with}] {found.because}")
    require_refusal(found)
    if not as_json:
        output.next_command("freehold status", "freehold audit verify")


def starter(site: Site) -> "Starter":
    spec = site.project.spec.endpoint
    return Starter(spec.runtime) if spec else Starter()


class Starter:
    """Starts an endpoint in a process of its own, waits until it answers, and stops it."""

    def __init__(self, runtime: str = RUNTIME) -> None:
        self._runtime = runtime

    def __call__(self, serving: Path) -> None:
        EndpointProcess.start(serving, runtime=self._runtime).stop()
