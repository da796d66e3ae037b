"""`python -m tests.fuzzing TARGET`: fuzz one reader, for as long as you like.

    python -m tests.fuzzing --list
    python -m tests.fuzzing messages --runs 1000000
    python -m tests.fuzzing messages --corpus ~/corpus     until Ctrl+C; goes on where it was
    python -m tests.fuzzing messages --replay FILE...

Ends with 1 at the first input that breaks a law, prints it, keeps it in a file, and says how to try
it again.
"""

import argparse
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

WATCHED = [
    *(f"freehold.{room}" for room in ("serving", "endpoint", "domain", "catalog")),
    f"{__package__}.planted",
]
"""Where it is watched what an input reaches."""


def watching() -> AbstractContextManager[object]:
    """What is imported while it lasts. Raises SystemExit without atheris, whose wheels are for
    Linux on x86-64."""
    try:
        import atheris
    except ImportError:
        raise SystemExit("error: atheris is not installed: pip install 'atheris>=3.0'") from None
    watched: AbstractContextManager[object] = atheris.instrument_imports(include=WATCHED)
    return watched


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzzing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", nargs="?", help="which reader")
    parser.add_argument("--list", action="store_true", help="say which readers there are")
    parser.add_argument("--runs", type=int, default=-1, help="inputs; -1 goes on until stopped")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same inputs")
    parser.add_argument("--corpus", type=Path, help="folder of inputs to go on from, and to add to")
    parser.add_argument(
        "--found", type=Path, default=Path("found"), help="folder for what is found"
    )
    parser.add_argument(
        "--replay", type=Path, nargs="+", metavar="FILE", help="try these once more"
    )
    given = parser.parse_args()
    with nullcontext() if given.replay or given.list else watching():
        from .campaign import replay, run
        from .targets import ALL
    if given.list:
        print("\n".join(f"{name:24}{target.about}" for name, target in ALL.items()))
        return 0
    if given.target not in ALL:
        parser.error(f"there is no target {given.target}; there are {', '.join(ALL)}")
    target = ALL[given.target]
    if given.replay:
        return int(replay(given.target, target, given.replay, print) > 0)
    with tempfile.TemporaryDirectory() as folder:
        corpus = given.corpus or Path(folder) / "corpus"
        ways = {"runs": given.runs, "seed": given.seed, "corpus": corpus, "found": given.found}
        return run(given.target, target, **ways)


if __name__ == "__main__":
    raise SystemExit(main())
