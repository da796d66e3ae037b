"""`freehold agent`"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from freehold.agent.endpoint_keeper import EndpointKeeper, RunningEndpoint, StartEndpoint
from freehold.agent.events import Event
from freehold.agent.loop import EVERY, LOG_LEFT, Agent, Surroundings
from freehold.agent.stopping import Stopping
from freehold.app.site.exchange import Exchanged, exchange
from freehold.app.site.meeting import damaged
from freehold.app.site.opening import Site, open_site
from freehold.app.work.claim import LEASE_SECONDS, Claims
from freehold.cli import output
from freehold.cli.endpoint_settings import chosen, settings_of
from freehold.cli.environment import steps_at
from freehold.domain.endpoint_spec import EndpointSpec
from freehold.domain.errors import Conflict, Failed, Unreachable
from freehold.endpoint.endpoint_process import EndpointProcess

GRACE_PART = 3
"""Of a lease's time, this part is given to news on its way through the stores."""
_SILENT = frozenset({Unreachable.code, "storage.unreachable", "storage.in-doubt"})


@click.command(
    "agent",
    help="Meet the others, do what is asked of this site, keep what is released, until stopped.",
)
@click.option("--site", "name", default="", help="Another site than the one this checkout is.")
@click.option("--once", is_flag=True, help="One turn, without an endpoint of its own.")
@click.option(
    "--every",
    type=click.FloatRange(min=0, min_open=True),
    default=EVERY,
    show_default=True,
    metavar="SECONDS",
    help="Between two turns.",
)
@click.option(
    "--lease",
    type=click.FloatRange(min=0, min_open=True),
    default=LEASE_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Without a sign of life, after which another agent may take over its work.",
)
@click.option("--without-endpoint", is_flag=True, help="Another process answers predictions.")
@click.option("--port", type=int, help="Instead of the one in freehold.yaml; 0 takes a free one.")
@click.option("--grpc-port", type=int, help="The same, where the endpoint answers by gRPC too.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each event.")
def command(
    name: str,
    once: bool,
    every: float,
    lease: float,
    without_endpoint: bool,
    port: int | None,
    grpc_port: int | None,
    as_json: bool,
) -> None:
    ports = {"port": port, "grpc_port": grpc_port}
    settings = _Settings(name, every, lease, without_endpoint, ports, as_json)
    while True:
        try:
            _attend(settings, once)
            return
        except Conflict as error:
            if error.code != LOG_LEFT or once:
                raise
            output.note(f"{error.what}: opened again")


@dataclass(frozen=True)
class _Settings:
    name: str
    every: float
    lease: float
    without_endpoint: bool
    ports: Mapping[str, int | None]
    """Those that the endpoint is to have instead of the project's."""
    as_json: bool


def _attend(settings: _Settings, once: bool) -> None:
    """As one opening of the site."""
    with open_site(site=settings.name) as site, steps_at(site.name):

        def tell(event: Event) -> None:
            _print(event, site, settings.as_json)

        spec, keeper = site.project.spec.endpoint, None
        if spec is not None and not (settings.without_endpoint or once):
            start = _starter(chosen(spec, settings.ports))
            keeper = EndpointKeeper(site.serving, start, tell, time.monotonic)
        stopping = Stopping()
        agent = Agent(
            Surroundings(
                site,
                Claims(site, settings.lease, settings.lease / GRACE_PART, time.monotonic),
                _Meetings() if site.project.spec.sites else None,
                tell,
                stopping,
                keeper,
            )
        )
        with stopping.on_signals():
            if once:
                failures = agent.once().failures
                if failures:
                    raise click.exceptions.Exit(_exit_code(failures))
                if not settings.as_json:
                    output.next_command("freehold work", "freehold status")
                return
            text = f"agent of {site.name}; stop it with Ctrl-C"
            tell(Event("agent.started", text, {"site": site.name, "writer": site.ledger.writer}))
            agent.run(settings.every)
            tell(Event("agent.stopped", "stopped"))


class _Meetings:
    """Exchanges; one that finds a copy damaged is followed by one that verifies and mends."""

    def __init__(self) -> None:
        self._damaged: set[tuple[str, str]] = set()
        self._is_due = False

    def __call__(self, site: Site) -> Exchanged:
        done = exchange(site, verify=self._is_due)
        found = damaged(site, done.faults)
        # What could not be mended is not read again and again: somebody may want just that.
        self._is_due = bool(found - self._damaged)
        self._damaged = found
        return done


def _exit_code(failures: Sequence[str]) -> int:
    """By the codes of what failed: 3 where it was nothing but stores that do not answer."""
    return Unreachable.exit_code if set(failures) <= _SILENT else Failed.exit_code


def _print(event: Event, site: Site, as_json: bool) -> None:
    """On stdout whole lines of JSON, one write each; for people, on stderr, what is news."""
    if not as_json:
        if not event.routine:
            output.note(event.text)
        return
    at = datetime.fromtimestamp(site.clock() / 1e6, UTC).isoformat(timespec="milliseconds")
    told = {"at": at, "event": event.kind, "text": event.text, **event.detail}
    click.echo(json.dumps(told, ensure_ascii=False, default=str))


def _starter(spec: EndpointSpec) -> StartEndpoint:
    def start(serving: Path) -> RunningEndpoint:
        return EndpointProcess.begin(settings_of(spec, serving), spec.sleep_after)

    return start
