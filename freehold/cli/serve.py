"""`freehold serve`"""

import json
import signal
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

from freehold.app.loop.advance import advance
from freehold.app.loop.status import ADDRESS
from freehold.app.loop.turns import LoopBusy
from freehold.app.release.log_rule import require_log_columns
from freehold.app.release.serving_folder import publish
from freehold.app.site.opening import Site, open_site
from freehold.cli import output
from freehold.cli.endpoint_settings import chosen, settings_of
from freehold.domain.endpoint_spec import EndpointSpec
from freehold.domain.errors import FreeholdError, NotFound, WrongUsage
from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.endpoint.process import serve

TURN = 5.0
"""Seconds between two turns of the loop."""
PATIENCE = 10.0
"""Seconds that a turn under way may take to end when the endpoint stops."""


@click.command("serve", help="Answer predictions, and keep the loop going, until stopped.")
@click.option("--port", type=int, help="Instead of the one in freehold.yaml; 0 takes a free one.")
@click.option("--runtime", help="Instead of the one in freehold.yaml: auto, onnx, lightgbm, …")
@click.option(
    "--grpc-port",
    type=int,
    help="Answer by gRPC too; 0 takes a free port. Instead of what freehold.yaml says.",
)
@click.option("--processes", type=int, help="That answer. Instead of what freehold.yaml says.")
@click.option(
    "--sleep-after",
    type=float,
    metavar="SECONDS",
    help="Sleep when nobody asks; the next request wakes it. Instead of what freehold.yaml says.",
)
@click.option("--without-loop", is_flag=True, help="Only answer; another process turns the loop.")
def command(
    port: int | None,
    runtime: str | None,
    grpc_port: int | None,
    processes: int | None,
    sleep_after: float | None,
    without_loop: bool,
) -> None:
    with open_site() as site:
        said = ready_to_serve(site)
        given = {
            "port": port,
            "grpc_port": grpc_port,
            "runtime": runtime,
            "processes": processes,
            "sleep_after": sleep_after,
        }
        spec = chosen(said, given)
        told = site.serving / ADDRESS
        served: list[str] = []
        grpc: list[str] = []
        stopping = threading.Event()
        loop = threading.Thread(target=_turn, args=(site, spec.model, stopping), daemon=True)

        def on_ready(url: str) -> None:
            served.append(url)
            told.write_text(_address(url))
            click.echo(f"serving {spec.model} at {url}")
            output.note(f"  {url}/v2/models/{spec.model}/infer   {url}/metrics")
            for address in grpc:
                output.note(f"  gRPC at {address}")
            output.next_command("freehold status   (in another terminal; stop this with Ctrl-C)")
            if not without_loop:
                loop.start()

        try:
            if spec.processes > 1 or spec.sleep_after:
                _in_processes(site.serving, spec, on_ready, grpc.append)
            else:
                _here(site.serving, spec, on_ready, grpc.append)
        finally:
            stopping.set()
            _forget(told, served)
            if loop.is_alive():
                # A turn that is cut off is gone on with by the next one, wherever it was.
                loop.join(timeout=PATIENCE)


def _here(
    folder: Path,
    spec: EndpointSpec,
    on_ready: Callable[[str], None],
    on_grpc: Callable[[str], None],
) -> None:
    serve(
        settings_of(spec, folder),
        on_ready,
        lambda log: output.note(f"log: {log.written:,} rows"),
        on_grpc=on_grpc,
    )


def _in_processes(
    folder: Path,
    spec: EndpointSpec,
    on_ready: Callable[[str], None],
    on_grpc: Callable[[str], None],
) -> None:
    """Until SIGTERM or SIGINT, as `serve`. Raises Failed if they end by themselves."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    process = EndpointProcess.begin(settings_of(spec, folder), spec.sleep_after)
    with process:
        if process.grpc is not None:
            on_grpc(process.grpc)
        on_ready(process.url)
        while not told.wait(0.2) and process.is_alive:
            continue


def ready_to_serve(site: Site) -> EndpointSpec:
    """The endpoint's settings, with its serving folder written. Raises WrongUsage, NotFound,
    Refused `endpoint.log-columns`."""
    spec = site.project.spec.endpoint
    if spec is None:
        raise WrongUsage(
            "this project has no endpoint",
            why="freehold.yaml has no `endpoint`",
            hint="add `endpoint: {model: NAME}`",
            code="usage.no-endpoint",
        )
    require_log_columns(site, spec.model)
    if publish(site, spec.model) is None:
        raise NotFound(
            f"no version of {spec.model} is released",
            why="an endpoint answers with what releases put into traffic",
            hint=f"`freehold release {spec.model}@1` makes a champion",
            code="release.none",
        )
    return spec


def _turn(site: Site, model: str, stopping: threading.Event) -> None:
    """A turn that fails is told and tried again: answering goes on."""
    while not stopping.wait(TURN):
        try:
            advance(site, model, output.note)
        except LoopBusy:
            continue
        except FreeholdError as error:
            output.note(str(error))
        except Exception:  # noqa: BLE001 - a bug of ours must not end the turns that follow
            output.note(traceback.format_exc())


def _address(url: str) -> str:
    return json.dumps({"url": url})


def _forget(told: Path, served: list[str]) -> None:
    """What another endpoint wrote there stays."""
    with suppress(FileNotFoundError):
        if told.read_text() in map(_address, served):
            told.unlink()
