"""`freehold gateway`"""

from pathlib import Path

import click

from freehold.app.project.reading import find_root, read_project
from freehold.cli import output
from freehold.endpoint.gateway.application import STATE
from freehold.endpoint.gateway.process import serve_gateway
from freehold.endpoint.gateway.relay import Relay

PORT = 8090


@click.command(
    "gateway", help="Send callers to the nearest site that is well and may have what they send."
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=PORT, show_default=True, help="0 takes a free one.")
def command(host: str, port: int) -> None:
    project = read_project(find_root(Path.cwd()))
    relay = Relay(project.spec.sites, tell=output.note)

    def on_ready(url: str) -> None:
        names = ", ".join(one.name for one in relay.upstreams)
        click.echo(f"gateway to {names} at {url}")
        output.note(f"  {url}{STATE}   {url}/metrics")
        output.next_command(f"curl -s {url}{STATE}   (in another terminal; stop this with Ctrl-C)")

    serve_gateway(relay, host, port, on_ready)
