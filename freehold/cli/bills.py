"""`freehold bills`"""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast, get_args

import click

from freehold.app.costs.bill_import import Examined, examine, keep
from freehold.app.costs.kept import kept_bills
from freehold.app.costs.reading import Format, ReadAs, ReadBills, read_bills
from freehold.app.site.opening import Site, open_site
from freehold.cli import drawing, output
from freehold.domain.errors import WrongUsage

COLUMNS = ("provider", "account", "period", "currency")


@click.group(
    "bills",
    invoke_without_command=True,
    help="Bills of providers beside what is metered here, in one format, FOCUS.",
)
@output.as_json
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    if context.invoked_subcommand is not None:
        return
    with open_site() as site:
        found = kept_bills(site)
    if as_json:
        output.data({"shape": 1, "bills": found})
        return
    if not found:
        click.echo("no bill was imported")
        output.next_command("freehold bills import FILE")
        return
    rows = [
        [*(_shown(name, row[name]) for name in COLUMNS), f"{row['rows']:,}", row["at"], row["site"]]
        for row in found
    ]
    drawing.table("", [*COLUMNS, "rows>", "imported", "at site"], rows)
    output.next_command("freehold bills import FILE")


@command.command("import")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(get_args(Format)),
    default="auto",
    show_default=True,
    help="auto: JSON is OpenCost's answer, anything else FOCUS.",
)
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option(
    "--replace",
    is_flag=True,
    help="Take the place of an earlier export, though it shares nothing with it or has less.",
)
@click.option("--currency", default="USD", show_default=True, help="Of OpenCost's costs.")
@click.option("--provider", default="", help="Whose machines OpenCost speaks of; the project's.")
@output.yes
@output.as_json
def import_command(
    files: tuple[Path, ...],
    format_: str,
    dry_run: bool,
    replace: bool,
    currency: str,
    provider: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Bring a bill: FOCUS exports as Parquet or CSV, OpenCost allocations as JSON, each perhaps in
    gzip. All FILEs together are one export. The same bill a second time changes nothing; a later
    export of the same account and period takes the place of the earlier one.
    """
    if len(currency) != 3 or not currency.isalpha() or not currency.isupper():
        raise WrongUsage(
            f"'{currency}' is no currency",
            why="a currency is three capital letters of ISO 4217",
            hint="say it like --currency EUR",
            code="usage.currency",
        )
    with open_site() as site, TemporaryDirectory(prefix="bills-") as scratch:
        told = _told(site, cast(Format, format_), currency, provider)
        read = read_bills(files, told, Path(scratch))
        examined = examine(site, read, replace)
        changes = [one for one in examined if one.standing != "already there"]
        if not as_json:
            _show(read, examined)
        if changes and not dry_run:
            output.confirm("Import?", yes)
            keep(site, read, examined)
    kept = sum(one.bill.count for one in changes) if not dry_run else 0
    if as_json:
        output.data(
            {
                "shape": 1,
                "bills": [one.as_json() for one in examined],
                "versions": dict(read.versions),
                "ignored_columns": list(read.ignored),
                "digest": read.digest,
                "rows_kept": kept,
                "dry_run": dry_run,
            }
        )
        return
    if not changes:
        click.echo("nothing to do: every row is there already")
    elif dry_run:
        click.echo("nothing was imported: --dry-run")
    else:
        click.echo(f"{kept:,} rows imported")
    output.next_command("freehold bills")


def _told(site: Site, format_: Format, currency: str, provider: str) -> ReadAs:
    """Regions with one site of the project tell the site of what was billed there."""
    sites = site.project.spec.sites
    count = Counter(spec.region for spec in sites.values())
    return ReadAs(
        format=format_,
        organisation=provider or site.project.spec.project,
        currency=currency,
        regions={
            spec.region: name
            for name, spec in sites.items()
            if spec.region and count[spec.region] == 1
        },
        sites=frozenset(sites) or frozenset({site.name}),
    )


def _show(read: ReadBills, examined: list[Examined]) -> None:
    for file, version in read.versions.items():
        click.echo(f"{file}: {'OpenCost' if version == 'opencost' else f'FOCUS {version}'}")
    if read.ignored:
        output.note(f"columns that are not kept: {', '.join(read.ignored)}")
    rows = [
        [
            *(_shown(name, getattr(one.bill, name)) for name in COLUMNS),
            f"{one.bill.count:,}",
            f"{one.bill.cost:,.2f}",
            _standing(one),
        ]
        for one in examined
    ]
    drawing.table("", [*COLUMNS, "rows>", "cost>", ""], rows)


def _standing(one: Examined) -> str:
    if one.standing != "replaces" or one.before is None:
        return one.standing
    before = "" if one.cost_before is None else f" and {one.cost_before:,.2f}"
    return f"replaces {one.before.rows:,} rows{before}"


def _shown(name: str, value: str) -> str:
    """A period by its days, the second one exclusive."""
    if name != "period":
        return value
    start, _, end = value.partition("/")
    return f"{start[:10]} to {end[:10]}"
