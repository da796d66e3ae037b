"""`freehold bundle`"""

from dataclasses import asdict
from pathlib import Path
from typing import TypedDict, Unpack

import click

from freehold.app.edge.delta import MadeDelta, make_delta, make_delta_back
from freehold.app.edge.making import Made, make_bundle
from freehold.app.edge.reports import reports_spec
from freehold.app.edge.wanted import Wanted
from freehold.app.site.opening import Site, open_site
from freehold.cli import output
from freehold.domain.errors import WrongUsage
from freehold.domain.size import spoken


class Asked(TypedDict):
    place: str
    runtime: str
    reports: str
    grpc: bool | None


@click.command("bundle", help="A folder that answers with a version, without a network.")
@click.argument("name", metavar="MODEL[@VERSION]")
@click.option("--site", "place", required=True, metavar="SITE", help="The place that it is for.")
@click.option("--into", type=click.Path(path_type=Path), help="Where to make it.")
@click.option("--runtime", default="", help="What answers; else what the package asks for.")
@click.option(
    "--reports", default="", metavar="URL|SITE", help="A store for reports: its client comes along."
)
@click.option(
    "--grpc/--no-grpc",
    default=None,
    help="Whether what answers by gRPC comes along; else if the project's endpoint answers so.",
)
@click.option(
    "--since", type=click.Path(path_type=Path), help="Only what differs from this bundle.json."
)
@click.option(
    "--back-to", type=click.Path(path_type=Path), help="With --since: lead back to this folder."
)
@output.as_json
def command(
    name: str,
    into: Path | None,
    since: Path | None,
    back_to: Path | None,
    as_json: bool,
    **asked: Unpack[Asked],
) -> None:
    if back_to is not None and since is None:
        raise WrongUsage(
            "--back-to says where to, and nothing says where from",
            why="an update leads from one bundle to another",
            hint="name the one that is out there: --since BUNDLE.json",
            code="usage.no-since",
        )
    model = name.partition("@")[0]
    with open_site() as site:
        wanted = _wanted(site, name if "@" in name else f"{name}@champion", asked)
        if since is None:
            target = into or Path(f"{model}-{wanted.place}")
            _bundled(make_bundle(site, wanted, target, output.note), target, as_json)
            return
        target = into or Path(f"{model}-{wanted.place}.delta")
        if back_to is not None:
            step = make_delta_back(site, wanted, since, back_to, target)
        else:
            step, _ = make_delta(site, wanted, since, target, output.note)
    _stepped(step, target, as_json)


def _wanted(site: Site, version: str, asked: Asked) -> Wanted:
    grpc, endpoint = asked["grpc"], site.project.spec.endpoint
    if grpc is None:
        grpc = endpoint is not None and endpoint.grpc_port is not None
    store = reports_spec(site, asked["reports"])
    return Wanted(version, asked["place"], asked["runtime"], store, grpc)


def _bundled(made: Made, target: Path, as_json: bool) -> None:
    if as_json:
        output.data({"shape": 1, "folder": str(target), **_told(made)})
        return
    _tell(made, target)
    output.next_command(f"{target}/run")


def _stepped(step: MadeDelta, target: Path, as_json: bool) -> None:
    delta = step.delta
    if as_json:
        output.data({"shape": 1, "file": str(target), "bytes": step.size, **asdict(delta)})
        return
    click.echo(
        f"{target}: from bundle {delta.base_number} to {delta.number},"
        f" {step.target.model}@{step.target.version} for {delta.site}"
    )
    click.echo(
        f"files new or changed: {len(delta.changed):,}, gone: {len(delta.removed):,};"
        f" {spoken(step.size)} of {spoken(step.target.size)}"
    )
    output.next_command(f"BUNDLE/run update {target}")


def _told(made: Made) -> dict[str, object]:
    manifest = made.manifest
    return {
        "number": manifest.number,
        "site": manifest.site,
        "model": manifest.model,
        "version": manifest.version,
        "runtime": manifest.runtime,
        "python": manifest.python,
        "manifest": made.digest,
        "files": len(manifest.files),
        "bytes": manifest.size,
        "seconds_to_answer": made.seconds,
        "distributions": manifest.distributions,
        "model_distributions": manifest.model_distributions,
    }


def _tell(made: Made, target: Path) -> None:
    manifest = made.manifest
    click.echo(
        f"{target}: {manifest.model}@{manifest.version} for {manifest.site},"
        f" bundle {manifest.number}"
    )
    click.echo(
        f"{len(manifest.files):,} files, {spoken(manifest.size)}, answers"
        f" {made.seconds:.1f} s after it is started here"
    )
    python = manifest.python
    count = len(manifest.distributions) + len(manifest.model_distributions)
    click.echo(
        f"by {manifest.runtime}, on {python['implementation']} {python['version']}"
        f" ({python['abi']}); {count} libraries come along"
    )
