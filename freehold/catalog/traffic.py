"""What was asked and what came true: files of the request log, and labels that arrived.

Facts
  log.recorded {model, file, digest, rows, first, last, answered}
  labels.added {model, artifact, rows, first, last}

Times are microseconds since 1970 UTC. `first` and `last` are by the time that a request was asked
at, which in a replay is the recorded one; `answered` is by the endpoint's clock.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from freehold.domain.fact import Fact
from freehold.domain.projection import Change, Projection, State

LOGS = "logs"
LABELS = "labels"


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


@dataclass(frozen=True)
class LabelFile:
    """A Parquet artifact of prediction_id, label, labelled_at."""

    model: str
    artifact: str
    rows: int
    first: int
    """Earliest `labelled_at`."""
    last: int


def log_files(
    state: State, model: str, since: int = 0, answered_since: int = 0
) -> Iterator[LogFile]:
    """Files with a request asked at or after `since`, and one answered so late; oldest first."""
    for _, row in state.scan(LOGS, f"{model}/"):
        if row["last"] >= since and row["answered"] >= answered_since:
            yield LogFile(**row)


def label_files(state: State, model: str, since: int = 0) -> Iterator[LabelFile]:
    """Files with a label known at or after `since`, in the order of their arrival."""
    for _, row in state.scan(LABELS, f"{model}/"):
        if row["last"] >= since:
            yield LabelFile(**row)


def _fold(fact: Fact, _: State) -> Iterable[Change]:
    body = dict(fact.body)
    if fact.type == "log.recorded":
        return [Change(LOGS, f"{body['model']}/{body['first']:018d}/{body['file']}", body)]
    return [Change(LABELS, f"{body['model']}/{fact.sequence:012d}", body)]


projection = Projection(
    name="traffic",
    version=1,
    types=frozenset({"log.recorded", "labels.added"}),
    fold=_fold,
)
