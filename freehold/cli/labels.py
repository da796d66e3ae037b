"""`freehold labels`"""

from pathlib import Path

import click

from freehold.app.site.opening import open_site
from freehold.app.traffic.label_file import add_label_file
from freehold.cli import output
from freehold.domain.errors import WrongUsage


@click.command("labels", help="Bring labels from FILE (Parquet or CSV), joined by prediction id.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", default="", help="Needed when the project has several.")
@output.as_json
def command(file: Path, model: str, as_json: bool) -> None:
    with open_site() as site:
        models = list(site.project.spec.models)
        if not model and len(models) != 1:
            raise WrongUsage(
                "of which model?",
                why=f"the project has {', '.join(models) or 'none'}",
                hint="name one: --model NAME" if models else "add one to `models` in freehold.yaml",
                code="usage.model",
            )
        rows = add_label_file(site, model or models[0], file)
    if as_json:
        output.data({"shape": 1, "rows": rows})
        return
    click.echo(f"{rows:,} labels kept; rows without a label or a time were left out")
    output.next_command("freehold signals", "freehold status")
