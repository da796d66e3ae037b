"""What a bundle's `run` does, once all of the bundle has verified."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from freehold.domain.bundle import (
    MANIFEST,
    MODEL_LIBRARIES,
    BundleManifest,
    read_manifest,
)
from freehold.domain.errors import FreeholdError, NotSupported
from freehold.domain.signature import PublicKey
from freehold.domain.size import bytes_of
from freehold.endpoint.adapters import grpc_server, model_runtime, model_signing
from freehold.endpoint.edge.folder import SERVING, Bundle
from freehold.endpoint.edge.outbox import LIMIT, Outbox
from freehold.endpoint.edge.reporter import EVERY, Reporter, open_reports
from freehold.endpoint.edge.update import clean, update
from freehold.endpoint.listening import HOST, PORT
from freehold.endpoint.loading import Loader
from freehold.endpoint.process import serve, wall_clock
from freehold.endpoint.settings import EndpointSettings
from freehold.serving.response import Identity

MODEL_PYTHON, MODEL_LIBRARIES_SETTING = "FREEHOLD_MODEL_PYTHON", "FREEHOLD_MODEL_LIBRARIES"
GRPC = "hpack"
"""The distribution that a bundle has if it can answer by gRPC."""


def command(root: Path, place: Path, arguments: Sequence[str]) -> int:
    """The exit code. `place`: the generation that this process runs from."""
    given = _parser().parse_args(["serve", *arguments] if _is_bare(arguments) else arguments)
    manifest = read_manifest((place / MANIFEST).read_bytes())
    bundle = Bundle(root, place, manifest)
    _keep_within(bundle)
    try:
        code: int = given.does(bundle, given)
        return code
    except FreeholdError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code


def _keep_within(bundle: Bundle) -> None:
    """A model's process finds what came along, and copies of its package lie in the bundle."""
    if bundle.manifest.model_distributions:
        os.environ[MODEL_PYTHON] = sys.executable
        os.environ[MODEL_LIBRARIES_SETTING] = str(bundle.place / MODEL_LIBRARIES)
    scratch = bundle.state / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = os.environ["TMPDIR"] = str(scratch)


def _is_bare(arguments: Sequence[str]) -> bool:
    """`run` alone serves; so do options without a command."""
    return not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run", description="An endpoint in a folder.")
    commands = parser.add_subparsers(required=True)
    serving = commands.add_parser("serve", help="answer until stopped; also without a command")
    serving.add_argument("--host", default=HOST)
    serving.add_argument("--port", type=int, default=PORT, help="0 takes a free one")
    serving.add_argument("--grpc-port", type=int, help="answer by gRPC too; 0 takes a free one")
    serving.add_argument(
        "--report-to",
        nargs="?",
        const="",
        metavar="URL",
        help="tell a store what was asked, when it can be reached; else the bundle's own",
    )
    serving.add_argument("--report-every", type=float, default=EVERY, metavar="SECONDS")
    _add_limit(serving)
    serving.set_defaults(does=_serve)
    reporting = commands.add_parser("report", help="tell a store what was asked, once")
    reporting.add_argument("--to", default="", metavar="URL", help="else the bundle's own")
    _add_limit(reporting)
    reporting.set_defaults(does=_report)
    checking = commands.add_parser("check", help="whether all is what was signed, and answers")
    checking.set_defaults(does=_check)
    updating = commands.add_parser("update", help="become the next bundle, whole or not at all")
    updating.add_argument("file", type=Path, help="made by `freehold bundle --since`")
    updating.set_defaults(does=_update)
    return parser


def _add_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep",
        type=bytes_of,
        default=LIMIT,
        metavar="SIZE",
        help="of the log and the events that wait; beyond, the oldest are dropped and counted",
    )


def _serve(bundle: Bundle, given: argparse.Namespace) -> int:
    """One line of JSON says the URL, the key and what is served."""
    if given.grpc_port is not None:
        _require_grpc(bundle.manifest)
    bundle.prepare()
    clean(bundle.root)
    manifest = bundle.manifest
    said = _said(manifest)
    outbox = Outbox(bundle, wall_clock, given.keep)
    opens = None
    if given.report_to is not None:
        # What can never be is refused now, and not told again and again.
        open_reports(manifest, given.report_to)
        opens = partial(open_reports, manifest, given.report_to)
    reporter = Reporter(outbox, opens, _note, given.report_every)

    def on_loaded(identity: Identity) -> None:
        said.update(asdict(identity))

    def on_ready(url: str) -> None:
        print(json.dumps({"url": url, **said}), flush=True)
        _note("next: run report --to URL   (in another terminal; stop this with Ctrl-C)")
        reporter.start()

    settings = EndpointSettings(
        bundle.serving, given.host, given.port, manifest.runtime, given.grpc_port
    )
    try:
        serve(
            settings,
            on_ready,
            on_loaded=on_loaded,
            on_grpc=lambda address: said.update(grpc=address),
        )
    finally:
        reporter.stop()
    return 0


def _require_grpc(manifest: BundleManifest) -> None:
    if GRPC not in manifest.distributions:
        raise NotSupported(
            "this bundle does not answer by gRPC",
            why="its libraries did not come along",
            hint="have the next one made with --grpc: `freehold bundle --since BUNDLE.json --grpc`",
            code="bundle.no-grpc",
        )


def _report(bundle: Bundle, given: argparse.Namespace) -> int:
    bundle.prepare()
    outbox = Outbox(bundle, wall_clock, given.keep)
    outbox.bound()
    sent = outbox.send(open_reports(bundle.manifest, given.to))
    dropped = {"files": outbox.state.files, "bytes": outbox.state.bytes}
    print(json.dumps({"files": sent.files, "bytes": sent.bytes, "dropped": dropped}))
    return 0


def _check(bundle: Bundle, _given: argparse.Namespace) -> int:
    """Loads the model and has it answer a row of missing values."""
    if GRPC in bundle.manifest.distributions:
        grpc_server()
    folder = bundle.place / "serving"
    key = PublicKey((folder / "site.pub").read_bytes())
    Loader(folder, key, model_runtime(bundle.manifest.runtime), model_signing()).load(None)
    print(json.dumps({**_said(bundle.manifest), "key": key.fingerprint}))
    return 0


def _update(bundle: Bundle, given: argparse.Namespace) -> int:
    """The model is taken up by an endpoint that runs, the rest at its next start."""
    done = update(bundle.root, given.file)
    target, changed = done.target, done.delta.changed
    print(
        json.dumps(
            {
                **_said(target),
                "before": done.base.number,
                "changed": len(changed),
                "removed": len(done.delta.removed),
                "runtime_changed": any(not one.startswith(f"{SERVING}/") for one in changed),
            }
        )
    )
    return 0


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _said(manifest: BundleManifest) -> dict[str, Any]:
    said: Mapping[str, Any] = {
        "bundle": manifest.number,
        "site": manifest.site,
        "model": manifest.model,
        "version": manifest.version,
    }
    return dict(said)
