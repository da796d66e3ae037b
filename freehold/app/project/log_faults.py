"""What is odd about `endpoint.log` in a project's file."""

from collections.abc import Callable, Iterator

from freehold.domain.endpoint_spec import LogSpec
from freehold.domain.errors import Fault

ID = "id"
"""What requests name their rows by."""


def odd_log(log: LogSpec, where: Callable[..., str]) -> Iterator[Fault]:
    """Every value that no log could go by. Whether columns exist is asked of a model's versions."""
    if not 0 < log.sample <= 1:
        what = "'endpoint.log.sample' must lie above 0, and be at most 1"
        hint = "0.1 keeps the rows of one key in ten"
        yield Fault("project.wrong-value", what, where("endpoint", "log", "sample"), hint)
    for place, name in enumerate(log.personal):
        at = where("endpoint", "log", "personal", str(place))
        if not name:
            yield Fault("project.wrong-value", "'endpoint.log.personal' has an empty name", at)
        if name == ID:
            hint = "say `personal_ids: true`"
            what = f"'{ID}' is no column: it names the rows"
            yield Fault("project.wrong-value", what, at, hint)
        if name in log.personal[:place]:
            what = f"'endpoint.log.personal' has '{name}' twice"
            yield Fault("project.wrong-value", what, at)
