"""`freehold console`"""

from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click

from freehold.app.site.opening import Site, open_site
from freehold.cli import output
from freehold.cli.environment import steps_at
from freehold.console.process import serve
from freehold.console.settings import EVERY, HOST, PORT, ConsoleSettings
from freehold.console.token import token_path


@click.command("console", help="Answer programs and browsers for this site, until stopped.")
@click.option("--port", type=int, default=PORT, show_default=True, help="0 takes a free one.")
@click.option("--host", default=HOST, show_default=True, help="An address of this machine only.")
@click.option("--site", "name", default="", help="Another site than the one this checkout is.")
@click.option(
    "--every",
    type=click.FloatRange(min=0, min_open=True),
    default=EVERY,
    show_default=True,
    metavar="SECONDS",
    help="Between two turns of the loop.",
)
@click.option("--no-loop", is_flag=True, help="Only answer; an agent turns the loop.")
def command(port: int, host: str, name: str, every: float, no_loop: bool) -> None:
    with ExitStack() as around:

        def on_ready(url: str, site: Site) -> None:
            around.enter_context(steps_at(site.name))
            told = _shown(token_path(site.folder))
            click.echo(f"console of {site.project.spec.project} at {url}, for site {site.name}")
            output.note(f"  its token is in {told}, which only you can read")
            output.note(f'  page: xdg-open "{url}/#$(cat {told})"')
            bearer = f"Authorization: Bearer $(cat {told})"
            output.note(f'  API:  curl -s -H "{bearer}" {url}/api/v1/status')
            if no_loop:
                output.note("  the loop is left to `freehold agent` or `freehold serve`")
            output.next_command("freehold status   (in another terminal; stop this with Ctrl-C)")

        settings = ConsoleSettings(host, port, not no_loop, every)
        serve(partial(open_site, site=name), settings, on_ready, output.note)


def _shown(path: Path) -> str:
    """As a person in this folder would type it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
