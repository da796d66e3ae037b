"""Every digest that the state refers to, and the strongest reason to keep it."""

from collections.abc import Iterator
from typing import Any

from freehold.catalog.retention.holds import DOCUMENTS, holds_of
from freehold.catalog.retention.law import DAY, Circumstances, Reason, Standing
from freehold.catalog.retention.models import kept_versions, registrations
from freehold.catalog.retention.runs import open_runs, recent_runs
from freehold.catalog.retention.traffic import looked_back
from freehold.catalog.spending import bills, usage_parts
from freehold.catalog.traffic import every_label_file
from freehold.domain.projection import State

Reference = tuple[str, Standing]
"""A digest, and what one place in the state says of it."""


def standings(state: State, asked: Circumstances) -> dict[str, Standing]:
    """By digest, of all that the state or an unread fact names; see the law in the package."""
    found: dict[str, Standing] = {}
    for digest, standing in _references(state, asked):
        found[digest] = found[digest].or_better(standing) if digest in found else standing
    for digest, standing in _reports(state, asked, found):
        found[digest] = found[digest].or_better(standing) if digest in found else standing
    return found


def _references(state: State, asked: Circumstances) -> Iterator[Reference]:
    runs: dict[str, Standing] = {}
    for digest, standing in _of_versions(state, asked, runs):
        yield digest, standing
    for run in open_runs(state, asked):
        _keep(runs, run, "open run", run)
    for run in recent_runs(state, asked):
        _keep(runs, run, "recent run", run)
    yield from _of_steps(state, runs)
    yield from _of_checkpoints(state, set(open_runs(state, asked)), runs)
    yield from _of_work(state, runs)
    yield from _of_labels(state, asked)
    yield from _of_spending(state, asked)
    for hold in holds_of(state):
        if hold.kind == "digest":
            yield hold.name, Standing("", "hold", hold.hold)
    for digest, why in asked.wanted.items():
        yield digest, Standing("", "wanted", why)
    for digest, fact in asked.unread.items():
        yield digest, Standing("", "unread fact", fact)


def _of_versions(
    state: State, asked: Circumstances, runs: dict[str, Standing]
) -> Iterator[Reference]:
    """Packages; the runs of versions that stay, and those on hold, are added to `runs`."""
    held = {(hold.kind, hold.name): hold.hold for hold in holds_of(state)}
    for (kind, name), hold in held.items():
        if kind == "run":
            _keep(runs, name, "hold", hold)
    kept = kept_versions(state, asked.settings.versions)
    for one in registrations(state):
        hold = held.get(("version", one.name)) or held.get(("run", one.run), "")
        reason = "hold" if hold else kept.get((one.model, one.version))
        yield one.package, Standing("package", reason, hold or one.name)
        if reason is not None:
            _keep(runs, one.run, reason, hold or one.name)


def _keep(runs: dict[str, Standing], run: str, reason: Reason, by: str) -> None:
    standing = Standing("", reason, by)
    runs[run] = runs[run].or_better(standing) if run in runs else standing


def _of_steps(state: State, runs: dict[str, Standing]) -> Iterator[Reference]:
    """What steps read and made. The cache may know outputs of a step that was run again."""
    for key, row in state.scan("steps"):
        kept = runs.get(key.partition("/")[0])
        for digest in (*_outputs(row), *row.get("inputs", ())):
            yield digest, _output(kept)
    for _, row in state.scan("cache"):
        for digest in _outputs(row):
            yield digest, _output(runs.get(row["run"]))


def _of_checkpoints(
    state: State, open_now: set[str], runs: dict[str, Standing]
) -> Iterator[Reference]:
    """As long as the run is open or on hold, and no longer: nobody goes on from them then."""
    for key, row in state.scan("checkpoints"):
        run = key.partition("/")[0]
        kept, standing = runs.get(run), Standing("checkpoint")
        if kept is not None and (run in open_now or kept.reason == "hold"):
            standing = Standing("checkpoint", kept.reason, kept.by)
        for one in row["newest"]:
            yield one["digest"], standing


def _of_work(state: State, runs: dict[str, Standing]) -> Iterator[Reference]:
    """What steps read and made that were asked of a site: their run may not have said so yet."""
    for _, row in state.scan("work"):
        step, end = row.get("step"), row["completion"]
        if step is not None:
            kept = runs.get(step["run"])
            for digest in (*step["inputs"], *(_outputs(end) if end is not None else ())):
                yield digest, _output(kept)


def _output(kept: Standing | None) -> Standing:
    return Standing("step output", kept.reason, kept.by) if kept else Standing("step output")


def _outputs(row: dict[str, Any]) -> list[str]:
    return [output["digest"] for output in row.get("outputs", ())]


def _of_labels(state: State, asked: Circumstances) -> Iterator[Reference]:
    days, since = asked.settings.logs_days, looked_back(state, asked)
    for file in every_label_file(state):
        young = not days or file.added >= asked.now - days * DAY
        kept = young or file.last >= since.get(file.model, 0)
        reason: Reason | None = "within its days" if kept else None
        yield file.artifact, Standing("labels", reason, file.model)


def _of_spending(state: State, asked: Circumstances) -> Iterator[Reference]:
    """Metered usage and the bills that hold; a bill that was replaced stays as a report does."""
    for part in usage_parts(state):
        yield part.artifact, Standing("usage", "spending", part.site)
    for bill in bills(state):
        yield bill.artifact, Standing("bill", "spending", f"{bill.provider} {bill.period}")
    days = asked.settings.reports_days
    for key, row in state.scan(DOCUMENTS):
        if row["kind"] == "bill":
            young = not days or row["wall"] >= asked.now - days * DAY
            kept: Reason | None = "within its days" if young else None
            yield key.partition("/")[0], Standing("bill", kept, row["about"])


def _reports(state: State, asked: Circumstances, found: dict[str, Standing]) -> Iterator[Reference]:
    """Attestations, and reports: those on data that stays too."""
    since = asked.now - asked.settings.reports_days * DAY
    held = {hold.name for hold in holds_of(state) if hold.kind == "version"}
    for key, row in state.scan(DOCUMENTS):
        digest, kind, about = key.partition("/")[0], row["kind"], row["about"]
        if kind == "bill":
            continue
        if kind == "attestation":
            yield digest, Standing(kind, "hold" if about in held else "evidence", about)
        elif kind == "contract report" and about in found and found[about].reason is not None:
            yield digest, Standing(kind, "checked data", about)
        else:
            young = not asked.settings.reports_days or row["wall"] >= since
            yield digest, Standing(kind, "within its days" if young else None, about)
