"""What was asked and what came true: files of the request log, and labels that arrived.

Facts
  log.recorded {model, file, digest, rows, sampled_out, first, last, answered,
                variants: [{version, requests, rows, failed}], labels, edge}
  labels.added {model, artifact, rows, first, last}

Each site has its own request log and labels, which only it can read; rows stand by site. `edge`
is there only where a part came from a bundle: the place that it was for. Such parts stand apart, by
`place_of`: their rows say nothing about a release of the site that took them in.
Times are microseconds since 1970 UTC. `first` and `last` are by the time that a request was asked
at, which in a replay is the recorded one; `answered` is by the endpoint's clock. `rows` are in the
file; `sampled_out` were answered, and left out where the log keeps a share of the keys. `variants`
has what was asked, whether it is in the file or not: its `rows` were answered, its `failed` ones
were not. `labels` are those of what the versions were made from; a part leaves its site for nobody,
whatever it bears. Facts of earlier releases lack them, `variants`, and `sampled_out`, which then is
0.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import date

from freehold.domain.fact import Fact, site_of
from freehold.domain.projection import Change, Projection, State

LOGS = "logs"
"""By site, model, day of the last asking, and file."""
ANSWERED = "logs_answered"
"""Those of them that were answered on another day, by site, model, that day, and file."""
ASKED = "asked_days"
"""Rows that were asked, and those of them that failed, by site, model and day of the last answer of
their file."""
FILES = "log_file_names"
NEWEST = "logs_newest"
"""By site and model."""
LABELS = "label_files"
"""By site, model and place in the log. What data is labelled with is another table."""
DAY = 86_400_000_000
"""Microseconds."""
BESIDE = "+"
"""Between a site and the place whose log it took in; in no site's name."""


@dataclass(frozen=True)
class LogFile:
    """A Parquet part of a model's request log."""

    model: str
    file: str
    """Its name in the log's folder."""
    digest: str
    rows: int
    first: int
    """When its earliest request was asked."""
    last: int
    answered: int
    """When its last request was answered."""
    sampled_out: int = 0
    """Rows that were answered beside those in it."""


@dataclass(frozen=True)
class LabelFile:
    """A Parquet artifact of prediction_id, label, labelled_at."""

    model: str
    artifact: str
    rows: int
    first: int
    """Earliest `labelled_at`."""
    last: int
    added: int
    """When the fact was recorded."""


def place_of(site: str, edge: str = "") -> str:
    """By which files of the log stand: the site's own, or those that it took in for a place."""
    return f"{site}{BESIDE}{edge}" if edge else site


def log_files(
    state: State, site: str, model: str, since: int = 0, answered_since: int = 0
) -> Iterator[LogFile]:
    """Files with a request asked at or after `since`, and one answered so late; oldest first.

    Reads the days that are asked for, not the whole log.
    """
    newest = state.get(NEWEST, f"{site}/{model}")
    if newest is None:
        return
    by_answer = answered_since > since
    first, last = (answered_since, "answered") if by_answer else (since, "latest")
    for day in range(max(first, newest["earliest"]) // DAY, newest[last] // DAY + 1):
        prefix = f"{site}/{model}/{day:06d}/"
        found = list(state.scan(LOGS, prefix))
        if by_answer:
            found = [one for one in found if one[1]["answered"] // DAY == day]
            found = sorted([*found, *state.scan(ANSWERED, prefix)])
        for _, row in found:
            if row["last"] >= since and row["answered"] >= answered_since:
                yield LogFile(**row)


def asked(state: State, site: str, model: str, since: date) -> tuple[int, int]:
    """Rows that were asked on that UTC day and after it, and those of them that failed."""
    first = f"{site}/{model}/{(since - date(1970, 1, 1)).days:06d}"
    days = [row for key, row in state.scan(ASKED, f"{site}/{model}/") if key >= first]
    return sum(row["rows"] for row in days), sum(row["failed"] for row in days)


def newest_file(state: State, site: str, model: str) -> LogFile | None:
    """The one answered last."""
    newest = state.get(NEWEST, f"{site}/{model}")
    return None if newest is None else LogFile(**newest["file"])


def is_recorded(state: State, site: str, model: str, file: str) -> bool:
    return state.get(FILES, f"{site}/{model}/{file}") is not None


def label_files(state: State, site: str, model: str, since: int = 0) -> Iterator[LabelFile]:
    """Files with a label known at or after `since`, in the order of their arrival."""
    for _, row in state.scan(LABELS, f"{site}/{model}/"):
        if row["last"] >= since:
            yield LabelFile(**row)


def every_label_file(state: State) -> Iterator[LabelFile]:
    """Of all sites and models."""
    return (LabelFile(**row) for _, row in state.scan(LABELS))


_FILE = tuple(one.name for one in fields(LogFile))
_LABEL_FILE = tuple(one.name for one in fields(LabelFile))


def _fold(fact: Fact, state: State) -> Iterable[Change]:
    body = dict(fact.body)
    log = f"{place_of(site_of(fact.writer), body.get('edge', ''))}/{body['model']}"
    if fact.type == "labels.added":
        key = f"{log}/{fact.time.wall:020d}/{fact.writer}/{fact.sequence:012d}"
        body["added"] = fact.time.wall
        return [Change(LABELS, key, {name: body[name] for name in _LABEL_FILE})]
    failed = sum(one["failed"] for one in body.get("variants", ()))
    body = {name: body.get(name, 0) for name in _FILE}
    before = state.get(NEWEST, log) or {}
    # A client's clock may be ahead, so that it was answered before it was asked.
    began = min(body["first"], body["answered"])
    newest = {
        "answered": max(body["answered"], before.get("answered", 0)),
        "earliest": min(began, before.get("earliest", began)),
        "file": body if body["answered"] >= before.get("answered", 0) else before["file"],
        "latest": max(body["last"], before.get("latest", 0)),
    }
    day = f"{log}/{body['answered'] // DAY:06d}"
    counted = state.get(ASKED, day) or {"rows": 0, "failed": 0}
    if state.get(FILES, f"{log}/{body['file']}") is None:
        counted = {
            "rows": counted["rows"] + body["rows"] + body["sampled_out"],
            "failed": counted["failed"] + failed,
        }
    asked = f"{log}/{body['last'] // DAY:06d}"
    changes = [
        Change(ASKED, day, counted),
        Change(LOGS, f"{asked}/{body['file']}", body),
        Change(FILES, f"{log}/{body['file']}", {"fact": fact.name}),
        Change(NEWEST, log, newest),
    ]
    if asked != day:
        changes.append(Change(ANSWERED, f"{day}/{body['file']}", body))
    return changes


projection = Projection(
    name="traffic",
    version=10,
    types=frozenset({"log.recorded", "labels.added"}),
    fold=_fold,
)
