"""`python -m freehold.endpoint FOLDER`: one line of JSON on stdout says the URL, the fingerprint of
the site's key and the serving folder, and the address of gRPC if that is asked for; or the error.
"""

import argparse
import json
import os
import signal
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from typing import Any

from freehold.domain.embedded import EMBEDDED
from freehold.domain.errors import FreeholdError
from freehold.endpoint.limits import LIMITS, options_of
from freehold.endpoint.listening import HOST, PORT, bound


def main() -> int:
    given = _given()
    until = [sys.stdin.fileno()] if given.until_stdin_ends else []
    try:
        # What holds the place of one that sleeps imports nothing of it.
        if given.sleep_after and given.listener is None:
            return _sleep(given, until)
        return _answer(given, until)
    except FreeholdError as exc:
        _tell(exc.as_json())
        return exc.exit_code


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m freehold.endpoint", description=__doc__)
    parser.add_argument("folder", type=Path, help="the serving folder")
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--grpc-port", type=int, help="answer by gRPC too; 0 takes a free port")
    parser.add_argument("--runtime", default=EMBEDDED["model_runtime"])
    parser.add_argument("--processes", type=int, default=1, help="that answer at the port")
    parser.add_argument(
        "--sleep-after",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="without a request to score; the next one wakes it. 0: never",
    )
    parser.add_argument(
        "--batch-delay", type=float, default=0.002, metavar="SECONDS", help="0: no batches"
    )
    for name, (kind, meaning) in LIMITS.items():
        parser.add_argument(f"--{name}", type=kind, help=meaning)
    parser.add_argument(
        "--listener", type=int, metavar="DESCRIPTOR", help="of a socket that listens already"
    )
    parser.add_argument(
        "--grpc-listener", type=int, metavar="DESCRIPTOR", help="the same, for gRPC"
    )
    parser.add_argument(
        "--until-stdin-ends",
        action="store_true",
        help="stop when standard input does: give a pipe, and do not outlive its other end",
    )
    return parser.parse_args()


def _sleep(given: argparse.Namespace, until: list[int]) -> int:
    from freehold.endpoint.sleeping import command_of, keep

    options = ["--host", given.host, "--port", str(given.port), "--runtime", given.runtime]
    options += ["--processes", str(given.processes), "--sleep-after", str(given.sleep_after)]
    options += ["--batch-delay", str(given.batch_delay), *options_of(vars(given))]
    if given.grpc_port is not None:
        options += ["--grpc-port", str(given.grpc_port)]
    command = command_of([str(given.folder), *options, "--until-stdin-ends"])
    ports = (given.port,) if given.grpc_port is None else (given.port, given.grpc_port)
    return keep(command, given.host, ports, _tell, until)


def _answer(given: argparse.Namespace, until: list[int]) -> int:
    from freehold.endpoint.process import serve
    from freehold.endpoint.settings import EndpointSettings

    settings = EndpointSettings(
        given.folder,
        given.host,
        given.port,
        given.runtime,
        given.grpc_port,
        given.processes,
        given.batch_delay,
    ).limited(vars(given))
    said: dict[str, str] = {}

    def ready(url: str) -> None:
        _tell({"url": url, **said})

    listener, grpc_listener = (
        None if one is None else socket.socket(fileno=one)
        for one in (given.listener, given.grpc_listener)
    )
    if given.processes > 1:
        from freehold.endpoint.family import serve_family

        with listener or bound(given.host, given.port) as listening:
            serve_family(
                settings,
                listening,
                ready,
                on_loaded=lambda identity: said.update(asdict(identity)),
                on_grpc=lambda address: said.update(grpc=address),
                idle_seconds=given.sleep_after,
                until=until,
                grpc_listener=grpc_listener,
            )
        return 0
    if until:
        Thread(target=_stop_with_stdin, name="parent watcher", daemon=True).start()
    serve(
        settings,
        ready,
        on_loaded=lambda identity: said.update(asdict(identity)),
        on_grpc=lambda address: said.update(grpc=address),
        listener=listener,
        idle_seconds=given.sleep_after,
        grpc_listener=grpc_listener,
    )
    return 0


def _tell(said: dict[str, Any]) -> None:
    print(json.dumps(said), flush=True)


def _stop_with_stdin() -> None:
    """To the process itself: what is left to do is then the same as after any other SIGTERM."""
    try:
        # Not through sys.stdin: a daemon thread that holds its lock would spoil the exit.
        while os.read(sys.stdin.fileno(), 4096):
            pass
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    raise SystemExit(main())
