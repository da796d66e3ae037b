"""`freehold init`"""

from pathlib import Path

import click

from freehold.app.project.init import init, template_names
from freehold.cli import output


@click.command("init", help="Begin a project in a new FOLDER, from a template.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--template", default="blank", show_default=True, help=f"One of: {', '.join(template_names())}."
)
@output.as_json
def command(folder: Path, template: str, as_json: bool) -> None:
    new = init(folder, template)
    if as_json:
        output.data({"folder": str(new.folder), "template": new.template, "files": new.files})
        return
    output.note(f"wrote {len(new.files)} files to {new.folder}")
    output.next_command(f"cd {new.folder} && freehold check")
