"""`freehold bundles`"""

from dataclasses import asdict
from pathlib import Path

import click

from freehold.app.edge.checking import check_bundle
from freehold.app.edge.listing import listing
from freehold.app.edge.reports import open_reports
from freehold.app.edge.taking import take_in
from freehold.app.site.opening import open_site
from freehold.cli import output
from freehold.domain.bundle import BundleManifest
from freehold.domain.size import spoken


@click.command("bundles", help="The bundles that were made, and what came back from them.")
@click.option("--take-in", "store", metavar="URL|SITE", help="First take in what lies there.")
@click.option(
    "--check", type=click.Path(path_type=Path), metavar="FOLDER", help="Look at one, file by file."
)
@output.as_json
def command(store: str | None, check: Path | None, as_json: bool) -> None:
    with open_site() as site:
        if check is not None:
            _checked(check_bundle(site, check), check, as_json)
            return
        taken = None
        if store is not None:
            taken = take_in(site, open_reports(site, store), output.note)
        found = listing(site)
    if as_json:
        told = {} if taken is None else {"taken": asdict(taken)}
        output.data({"shape": 1, **told, "bundles": [asdict(one) for one in found]})
        return
    if taken is not None:
        click.echo(
            f"rows taken in: {taken.rows:,}, parts of the log: {taken.parts:,},"
            f" other reports: {taken.told:,}; refused: {taken.refused:,}"
        )
    for one in found:
        click.echo(
            f"{one.model}@{one.version} for {one.site}, bundle {one.number}"
            f"{'' if one.latest else ' (before the newest)'}"
        )
        for box in one.boxes:
            dropped = f", {box['files']} files ({spoken(box['bytes'])}) dropped there"
            click.echo(f"  box {box['box']} runs it{dropped if box['files'] else ''}")
    if not found:
        click.echo("no bundle was made")
    output.next_command("freehold bundle MODEL --site SITE")


def _checked(manifest: BundleManifest, folder: Path, as_json: bool) -> None:
    if as_json:
        about = {"site": manifest.site, "model": manifest.model, "version": manifest.version}
        output.data({"shape": 1, "folder": str(folder), "number": manifest.number, **about})
        return
    click.echo(
        f"{folder}: bundle {manifest.number}, {manifest.model}@{manifest.version} for"
        f" {manifest.site}: all {len(manifest.files):,} files are what was signed"
    )
    output.next_command(f"{folder}/run")
