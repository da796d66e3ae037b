"""`python -m freehold.endpoint FOLDER`: one line of JSON on stdout says the URL, the fingerprint of
the site's key and the serving folder, and the address of gRPC if that is asked for; or the error.
"""

import argparse
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from threading import Thread

from freehold.domain.errors import FreeholdError
from freehold.endpoint.process import serve
from freehold.endpoint.settings import HOST, PORT, RUNTIME, EndpointSettings


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m freehold.endpoint", description=__doc__)
    parser.add_argument("folder", type=Path, help="the serving folder")
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--grpc-port", type=int, help="answer by gRPC too; 0 takes a free port")
    parser.add_argument("--runtime", default=RUNTIME)
    parser.add_argument(
        "--until-stdin-ends",
        action="store_true",
        help="stop when standard input does: give a pipe, and do not outlive its other end",
    )
    given = parser.parse_args()
    if given.until_stdin_ends:
        Thread(target=_stop_with_stdin, name="parent watcher", daemon=True).start()
    settings = EndpointSettings(
        given.folder, given.host, given.port, given.runtime, given.grpc_port
    )
    said: dict[str, str] = {}
    try:
        serve(
            settings,
            lambda url: print(json.dumps({"url": url, **said}), flush=True),
            on_loaded=lambda identity: said.update(asdict(identity)),
            on_grpc=lambda address: said.update(grpc=address),
        )
    except FreeholdError as exc:
        print(json.dumps(exc.as_json()), flush=True)
        return exc.exit_code
    return 0


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
