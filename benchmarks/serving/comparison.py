"""Each of the others beside ours: loaded in turns, started as often, and its memory."""

import re
import tempfile
from collections.abc import Mapping, Sequence

from benchmarks.outcome import Outcome, tell
from benchmarks.peers.setup import ROOT, PeerFailed
from benchmarks.serving import servers, starts
from benchmarks.serving.load import Found
from benchmarks.serving.place import Place
from benchmarks.serving.questions import SHAPES
from benchmarks.serving.rounds import (
    alternated,
    compare,
    note,
    plural,
    refuse_failed,
    warmed,
)
from benchmarks.serving.servers import OURS, PEERS
from benchmarks.serving.standing import Server, Standing

HALF = 200
"""Characters of a reason, from its beginning and from its end."""


def measure(place: Place, outcome: Outcome, names: Sequence[str]) -> None:
    """Who cannot be installed, started or asked is not measured, and the outcome says why."""
    others = _had(place, outcome, names)
    mine = servers.ours(place.plain("beside-peers").path)
    if starts.ready(OURS) not in outcome.figures:
        starts.note(mine, place, outcome)
    with place.standing(mine) as ours:
        warmed(ours, place.root, place.counts.seconds)
        for server in others:
            try:
                _measure(server, ours, place, outcome)
            except PeerFailed as error:
                not_measured(server.name, str(error), outcome)


def _had(place: Place, outcome: Outcome, names: Sequence[str]) -> list[Server]:
    """Installed before anything is measured."""
    found = []
    for name in names:
        peer = PEERS[name]
        tell(f"{peer.label} is installed, unless it is")
        try:
            found.append(peer.server(place.root, place.root / name))
            outcome.versions[peer.package] = peer.version
        except PeerFailed as error:
            not_measured(peer.label, str(error), outcome)
    return found


def _measure(server: Server, ours: Standing, place: Place, outcome: Outcome) -> None:
    def loaded(theirs: Standing) -> None:
        medians = alternated([ours, theirs], place.root, place.counts)
        refuse_failed({key: one for key, one in medians.items() if key[0] == OURS})
        compared(server.name, medians, outcome)

    starts.note(server, place, outcome, loaded)
    for what, name in (
        (starts.ready, "first correct answer"),
        (starts.loaded, "memory under load"),
    ):
        outcome.ratio(f"{OURS} / {server.name}, {name}", what(OURS), what(server.name))


def compared(label: str, medians: Mapping[tuple[str, int], Found], outcome: Outcome) -> None:
    """`medians`: of ours and of the other, which were loaded in turns."""
    note(outcome, {key: one for key, one in medians.items() if key[0] == label})
    compare(outcome, medians, OURS, label, "rate", "p99", "cpu")
    for rows, _ in SHAPES:
        if bad := medians[label, rows].bad:
            outcome.figures[f"{label}, {plural(rows)}, failed requests"] = bad


def reason(why: str) -> str:
    """In a few words that say nothing of this machine's folders, nor where packages come from."""
    text = re.sub(r"\w+://\S+", "…", " ".join(why.split()))
    text = re.sub(rf"{re.escape(str(ROOT))}/|{re.escape(tempfile.gettempdir())}/\S+/", "", text)
    return text if len(text) <= 2 * HALF else f"{text[:HALF]} … {text[-HALF:]}"


def not_measured(label: str, why: str, outcome: Outcome) -> None:
    """It is named in the outcome all the same."""
    tell(f"{label} is not measured: {why}")
    outcome.not_measured[label] = reason(why)
    for rows, _ in SHAPES:
        outcome.figures[f"{label}, {plural(rows)}, requests/s"] = None
        outcome.ratios[f"{OURS} / {label}, {plural(rows)}, requests/s"] = None
