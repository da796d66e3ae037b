"""`freehold status`"""

from typing import Any

import click

from freehold.app.loop.status import status
from freehold.app.site.opening import open_site
from freehold.cli import output


@click.command("status", help="What serves, what is being released, what waits.")
@output.as_json
def command(as_json: bool) -> None:
    with open_site() as site:
        found = status(site)
    if as_json:
        output.data(found)
        return
    click.echo(f"project {found['project']} at site {found['site']}")
    _endpoint(found["endpoint"])
    for model in found["models"]:
        _model(model)
    for row in found["unfinished_runs"]:
        click.echo(f"run {row['run']} of {row['pipeline']}: {row['status']}, not finished")
    output.next_command(*_next(found))


def _endpoint(endpoint: dict[str, Any] | None) -> None:
    if endpoint is None:
        return
    if not endpoint["up"]:
        click.echo(f"endpoint {endpoint['url']}: nobody answers")
        return
    routing = endpoint["routing"]
    shares = ", ".join(
        f"{routing['model']}@{variant['version']} {variant['weight']:g} %"
        for variant in routing["variants"]
    )
    click.echo(f"endpoint {endpoint['url']}: {shares}")
    if routing["refused"]:
        refused = routing["refused"]
        click.echo(f"  it refuses a newer table: [{refused['code']}] {refused['error']}")


def _model(model: dict[str, Any]) -> None:
    aliases = ", ".join(f"{alias} is {number}" for alias, number in model["aliases"].items())
    count = f"{model['versions']} version{'' if model['versions'] == 1 else 's'}"
    click.echo(f"model {model['model']}: {count}; {aliases or 'no champion'}")
    if model["release"]:
        release = model["release"]
        click.echo(
            f"  release {release['id']}: version {release['version']} at {release['weight']} %"
        )
        if release["held"]:
            click.echo("    stays there: ids do not go to the versions in the table's shares")
    if model["assessed"]:
        seen = model["assessed"]
        psi = "unknown" if seen["score_psi"] is None else f"{seen['score_psi']:.2f}"
        click.echo(f"  week to {seen['window_end']}: {seen['rows']:,} rows, score PSI {psi}")
    for proposal in model["proposals"]:
        click.echo(f"  proposal {proposal['proposal']}: {proposal['standing']}")


def _next(found: dict[str, Any]) -> list[str]:
    for model in found["models"]:
        for proposal in model["proposals"]:
            if proposal["standing"] == "made":
                return [f"freehold approve {proposal['proposal']}"]
        if not model["versions"]:
            return ["freehold run"]
        if not model["aliases"]:
            return ["freehold models"]
    if found["unfinished_runs"]:
        return ["freehold run --resume"]
    if found["endpoint"] and not found["endpoint"]["up"]:
        return ["freehold serve"]
    return ["freehold signals"]
