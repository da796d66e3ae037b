"""How fast does one endpoint answer with everything switched on?

Verification, routing, request log, metrics, trace context and admission are on. See README.md here.
`python -m benchmarks.serving [--json]`; needs wrk, and the extras lightgbm, onnx and signing.
"""

import argparse

from benchmarks.outcome import Outcome
from benchmarks.report import versions_of
from benchmarks.serving import comparison, costs, limits, releases, starts
from benchmarks.serving.load import program
from benchmarks.serving.place import place
from benchmarks.serving.rounds import SHORT, WHOLE
from benchmarks.serving.servers import PEERS

QUESTION = "How fast does one endpoint answer with everything switched on?"
PARTS = {
    "limits": limits.measure,
    "starts": starts.measure,
    "costs": costs.measure,
    "releases": releases.measure,
}
PEERS_TOO = "peers"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--short", action="store_true", help="a trial: one round of a second")
    parts = (*PARTS, PEERS_TOO)
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="PART")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS, metavar="PEER")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    program()
    libraries = ("uvloop", "httptools", "uvicorn", "lightgbm", "onnxruntime")
    outcome = Outcome(versions=versions_of("freehold", *libraries))
    with place(SHORT if given.short else WHOLE) as here:
        for name, measure in PARTS.items():
            if name in given.only:
                measure(here, outcome)
        if PEERS_TOO in given.only and given.peers:
            comparison.measure(here, outcome, given.peers)
    outcome.show(QUESTION, as_json=given.json)


if __name__ == "__main__":
    main()
