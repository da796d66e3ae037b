"""How long labels and parts of the request log are looked back on."""

from itertools import chain

from freehold.catalog.retention.law import DAY, Circumstances, Standing
from freehold.catalog.traffic import BESIDE, LOGS, NEWEST, log_files
from freehold.domain.projection import State


def looked_back(state: State, asked: Circumstances) -> dict[str, int]:
    """Model → time of asking from which on monitoring or a running release may read.

    Monitoring's window ends with the last complete day before the newest request.
    """
    found: dict[str, int] = {}

    def reach(model: str, since: int) -> None:
        found[model] = min(since, found.get(model, since))

    for _, row in state.scan(NEWEST):
        reach(row["file"]["model"], row["latest"] - (asked.window_days + 2) * DAY)
    for _, release in state.scan("releases"):
        if release["status"] == "running":
            model, began = release["model"], release["begun"][0]
            for file in log_files(state, asked.site, model, answered_since=began):
                reach(model, file.first)
    return found


def log_parts(state: State, asked: Circumstances) -> dict[str, tuple[str, Standing]]:
    """Name of a part that this site recorded → its digest, and whether it stays.

    A part may hold rows of several models: it stays as long as one of them wants it.
    """
    days, since = asked.settings.logs_days, looked_back(state, asked)
    found: dict[str, tuple[str, Standing]] = {}
    own = state.scan(LOGS, f"{asked.site}/")
    for _, row in chain(own, state.scan(LOGS, f"{asked.site}{BESIDE}")):
        young = not days or row["answered"] >= asked.now - days * DAY
        kept = young or row["last"] >= since.get(row["model"], 0)
        reason = Standing("request log", "within its days" if kept else None, row["model"])
        before = found.get(row["file"], (row["digest"], reason))[1]
        found[row["file"]] = (row["digest"], before.or_better(reason))
    return found
