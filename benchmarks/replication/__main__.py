"""Runs the parts that are asked for, store by store."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.outcome import Outcome, tell
from benchmarks.replication import catching, files, lag, merging, movers
from benchmarks.replication.counts import FILE_BYTES, FULL, SHORT, WHOLE, Counts
from benchmarks.replication.stores import KINDS, refuse_other_folder, server_versions, serving
from benchmarks.report import versions_of

QUESTION = "How long until another site has what one site wrote?"
PARTS = ("lag", "files", "catching-up", "merge")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replication")
    parser.add_argument("--json", action="store_true")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--short", action="store_true")
    size.add_argument("--full", action="store_true")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--stores", nargs="+", choices=KINDS, default=KINDS)
    given = parser.parse_args()
    refuse_other_folder()
    counts = SHORT if given.short else FULL if given.full else WHOLE
    outcome = Outcome(versions=versions_of("freehold") | dict(server_versions()))
    with TemporaryDirectory(dir=".", prefix="replication-") as name:
        run(Path(name).resolve(), counts, given.only, given.stores, outcome)
    outcome.show(QUESTION, as_json=given.json)


def run(folder: Path, counts: Counts, parts: list[str], kinds: list[str], outcome: Outcome) -> None:
    tree = folder / "tree"
    if "files" in parts or "catching-up" in parts:
        files.write(tree, counts.files, FILE_BYTES)
        kept = files.keep(tree, folder / "objects")
    if "files" in parts:
        movers.note_peers(kinds, outcome)
        files.limits(tree, kept, counts, outcome)
        files.flat(kept, folder, counts, outcome)
        files.tiny(counts, outcome)
    if "catching-up" in parts:
        tell("writing the history that a new site takes")
        catching.write(folder / "onprem", counts)
    for kind in kinds:
        with serving(kind) as store:
            if "lag" in parts:
                tell(f"lag over {kind}")
                lag.measure(store, counts, outcome)
            if "files" in parts:
                movers.measure(store, tree, kept, counts, outcome)
            if "catching-up" in parts:
                tell(f"a new site over {kind}")
                catching.measure(store, folder / "onprem", kept, outcome)
    if "merge" in parts:
        merging.measure(counts, outcome)


if __name__ == "__main__":
    main()
