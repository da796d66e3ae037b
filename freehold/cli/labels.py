"""`freehold labels`"""

from pathlib import Path

import click

from freehold.app.site.opening import open_site
from freehold.app.traffic.label_file import labels_of_file
from freehold.app.traffic.labels import keep_labels
from freehold.cli import output
from freehold.domain.errors import WrongUsage


@click.command("labels")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", default="", help="Needed when the project has several.")
@output.yes
@output.as_json
def command(file: Path, model: str, yes: bool, as_json: bool) -> None:
    """Bring labels from FILE (Parquet or CSV), joined by prediction id.

    Its columns are prediction_id; label: 0, 1, true or false; and labelled_at: a time, in ISO 8601
    if it is text. A time without a zone is UTC. Columns named as the project's `release.metrics`
    are kept beside the labels.
    """
    with open_site() as site:
        models = list(site.project.spec.models)
        if not model and len(models) != 1:
            raise WrongUsage(
                "of which model?",
                why=f"the project has {', '.join(models) or 'none'}",
                hint="name one: --model NAME" if models else "add one to `models` in freehold.yaml",
                code="usage.model",
            )
        if model and model not in models:
            raise WrongUsage(
                f"there is no model '{model}'",
                why=f"the project has {', '.join(models) or 'none'}",
                hint="name one of these, or add it to `models` in freehold.yaml",
                code="usage.model",
            )
        read = labels_of_file(file, site.project.spec.release.metrics)
        found = read.as_json()
        if not as_json:
            span = f", {found['first']} to {found['last']}" if found["rows"] else ""
            click.echo(f"{found['rows']:,} labels, {found['positives']:,} of them positive{span}")
            if read.left_out:
                click.echo(f"{read.left_out:,} rows have no id, no label or no time: left out")
        if found["rows"]:
            output.confirm("Keep them?", yes)
        rows = keep_labels(site, model or models[0], read)
    if as_json:
        output.data({"shape": 1, **found})
        return
    click.echo(f"{rows:,} labels kept")
    output.next_command("freehold signals", "freehold status")
