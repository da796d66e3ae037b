"""`freehold why`"""

import click

from freehold.app.history.why import moment, why
from freehold.app.site.opening import open_site
from freehold.cli import drawing, output
from freehold.domain.fact import site_of


@click.command("why", help="The chain from trigger to traffic of MODEL@VERSION, with proofs.")
@click.argument("name", metavar="MODEL@VERSION")
@output.as_json
def command(name: str, as_json: bool) -> None:
    with open_site() as site:
        found = why(site, name)
    if as_json:
        output.data(found.as_json())
        return
    called = f", {' and '.join(found.aliases)}" if found.aliases else ""
    click.echo(f"{found.version.name}{called}, package {found.version.package[:19]}")
    several = len(found.checkpoints) > 1
    drawing.table(
        "",
        ["entry>", "when", "who", "what"],
        [
            [
                f"{site_of(link.fact.writer)} {link.fact.sequence}"
                if several
                else link.fact.sequence,
                moment(link.fact).replace("+00:00", "Z"),
                link.who,
                link.told,
            ]
            for link in found.links
        ],
    )
    signed = " or ".join(
        f"the log of {one.size:,} entries that {one.writer} signed" for one in found.checkpoints
    )
    click.echo(f"{len(found.links)} facts, each proven to stand in {signed}")
    output.next_command("freehold audit verify", f"freehold why {found.version.name} --json")
