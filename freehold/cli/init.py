"""`freehold init`"""

import shlex
from pathlib import Path

import click

from freehold.app.project.init import init, plan_init, template_names
from freehold.cli import output


@click.command("init", help="Begin a project in a new FOLDER, from a template.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--template", default="blank", show_default=True, help=f"One of: {', '.join(template_names())}."
)
@click.option("--dry-run", is_flag=True, help="Show the files, and write nothing.")
@output.as_json
def command(folder: Path, template: str, dry_run: bool, as_json: bool) -> None:
    new = plan_init(folder, template) if dry_run else init(folder, template)
    if as_json:
        output.data({"shape": 1, "written": not dry_run, **new.as_json()})
        return
    if dry_run:
        for name in new.files:
            click.echo(new.folder / name)
        output.next_command(shlex.join(["freehold", "init", str(folder), "--template", template]))
        return
    output.note(f"wrote {len(new.files)} files to {new.folder}")
    output.next_command(f"cd {new.folder} && freehold check")
