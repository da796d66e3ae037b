"""`freehold replay`"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from freehold.app.loop.replay import Day, plan_replay, record, replay
from freehold.app.loop.status import own_endpoint
from freehold.app.site.opening import Site, open_site
from freehold.app.traffic.client import EndpointClient
from freehold.cli import drawing, output, plan
from freehold.cli.serve import ready_to_serve
from freehold.endpoint.endpoint_process import EndpointProcess

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("replay", help="Play a recorded period against the endpoint, as if it were live.")
@click.option("--from", "since", type=DAY, required=True, help="First day, UTC: YYYY-MM-DD.")
@click.option("--to", "until", type=DAY, required=True, help="Day after the last one: YYYY-MM-DD.")
@output.yes
@output.as_json
def command(since: datetime, until: datetime, yes: bool, as_json: bool) -> None:
    with open_site() as site:
        planned = plan_replay(site)
        if not as_json:
            plan.show(planned.plan)
            days = (until - since).days
            click.echo(
                f"then {days} days of its requests, with labels as they came, and the loop after"
                " each day"
            )
        output.confirm("Play them?", yes)
        recording = record(site, planned, since.date(), until.date())
        told: list[str] = []
        with endpoint(site) as client, _progress(as_json) as advance:
            asked = replay(site, recording, client, advance, told.append)
    if as_json:
        output.data({"shape": 1, "requests": asked, "events": told})
        return
    warnings = [line for line in told if line.startswith("warning:")]
    for line in told:
        if line not in warnings:
            click.echo(line)
    if warnings:
        click.echo(f"{len(warnings)} warnings of feature drift; `freehold signals` lists them")
    click.echo(f"{asked:,} requests answered")
    output.next_command("freehold signals", "freehold status")


@contextmanager
def endpoint(site: Site) -> Iterator[EndpointClient]:
    """This site's endpoint if it answers; else one that lives as long as this context."""
    spec = ready_to_serve(site)
    url = own_endpoint(site)
    with ExitStack() as stack:
        if not url:
            output.note("no endpoint of this site answers: one is started for the replay")
            process = EndpointProcess.start(site.serving, runtime=spec.runtime)
            url = stack.enter_context(process).url
        client = EndpointClient(url)
        stack.callback(client.close)
        yield client


@contextmanager
def _progress(quiet: bool) -> Iterator[Any]:
    """Gives an observer of days."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=drawing.console(stderr=True),
        transient=True,
        disable=quiet,
    )
    with bar:
        task = bar.add_task("replaying", total=None)

        def observe(day: Day) -> None:
            stamp = datetime(day.day.year, day.day.month, day.day.day, tzinfo=UTC).date()
            bar.update(task, advance=1, description=f"{stamp}  {day.requests:,} requests")

        yield observe
