"""`freehold revoke`"""

import click

from freehold.app.release.revoking import plan_revoke, revoke
from freehold.app.site.opening import open_site
from freehold.cli import output


@click.command("revoke", help="Take MODEL@VERSION out of traffic everywhere, for good.")
@click.argument("name", metavar="MODEL@VERSION")
@output.yes
@output.as_json
def command(name: str, yes: bool, as_json: bool) -> None:
    with open_site() as site:
        version, places = plan_revoke(site, name)
        if not as_json:
            where = f"it is in traffic at {', '.join(places)}" if places else "it is in no traffic"
            click.echo(f"{version.name} will never be released again; {where}")
        output.confirm("Revoke it?", yes)
        champion = revoke(site, version)
    if as_json:
        told = {"model": version.model, "version": version.version, "sites": list(places)}
        output.data({"shape": 1, **told, "champion": champion})
        return
    stands = f"; {version.model}@{champion} is the champion" if champion is not None else ""
    click.echo(f"{version.name} is revoked{stands}")
    output.next_command("freehold sync   (the other sites learn of it)", "freehold status")
