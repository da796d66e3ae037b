"""`freehold fetch`"""

import click

from freehold.app.artifact.fetch import fetch, plan_fetch
from freehold.app.site.exchange import exchange
from freehold.app.site.opening import open_site
from freehold.cli import output
from freehold.cli.progress import TransferProgress


@click.command("fetch", help="Have a version, what a run made, or one artifact at this site.")
@click.argument("name", metavar="MODEL@VERSION|RUN|DIGEST")
@output.yes
@output.as_json
def command(name: str, yes: bool, as_json: bool) -> None:
    with open_site() as site:
        planned = plan_fetch(site, name)
        if planned.lacking:
            if not as_json:
                count = len(planned.lacking)
                click.echo(f"{count} artifacts of {name} will be asked for; no label forbids it")
            output.confirm("Ask for them?", yes)
            fetch(site, planned)
            with TransferProgress(quiet=as_json) as progress:
                exchange(site, progress.line, watch=progress)
        left = plan_fetch(site, name).lacking
    if as_json:
        told = {"name": name, "asked": len(planned.lacking), "lacking": list(left)}
        output.data({"shape": 1, **told})
        return
    if left:
        click.echo(f"{len(left)} artifacts are on their way: a site that has them leaves them")
        output.next_command("freehold sync   (once that site has synced)")
    else:
        click.echo(f"all of {name} is here")
        output.next_command(f"freehold models {name}" if "@" in name else "freehold runs")
