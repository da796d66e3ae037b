"""A history such as a site writes: its mixture is that of a documented week of one model.

Days of a training run of ten steps, contracts checked, a version registered, judged and released,
what the endpoint answered and which labels came, assessments and signals.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path

from freehold.adapters.keys.signer import FileSigner
from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.domain.fact import Draft
from freehold.domain.projection import Projection

START = 1_700_000_000_000_000
APART = 1_000
"""Microseconds between two readings of the clock."""
GROUP = 20
"""Facts of one append."""
_HOUR = 3_600_000_000
_FEATURES = ("carrier", "dew_point", "distance", "hour", "humidity", "origin", "pressure", "wind")


def drafts(site: str) -> Iterator[Draft]:
    """Without end."""
    day = 0
    while True:
        run = f"{20260101 + day}-{site}"
        yield from _training(site, run, day)
        yield from _release(site, run, day)
        yield from _serving(site, day)
        day += 1


def _digest(*parts: object) -> str:
    return "sha256:" + sha256("/".join(map(str, parts)).encode()).hexdigest()


def _training(site: str, run: str, day: int) -> Iterator[Draft]:
    environment = _digest("environment")
    started = {"days": 90, "leak": "", "seed": 7, "until": "2013-04-01"}
    body = {"environment": environment, "parameters": started, "pipeline": "train"}
    yield Draft("run.started", {**body, "run": run, "steps": 10})
    parts = ("code", "environment", "inputs", "parameters", "step")
    for number in range(10):
        made = _digest(site, day // 2, number)
        finished = {
            "cached": day % 2 == 1,
            "components": {part: _digest(made, part) for part in parts},
            "function": "steps:step",
            "inputs": [_digest(site, day // 2, number - 1)] if number else [],
            "key": _digest(made, "key"),
            "microseconds": 32010 + number,
            "outputs": [{"digest": made, "format": "parquet", "labels": {}, "size": 44983}],
            "run": run,
            "step": f"step-{number}",
        }
        yield Draft("step.finished", finished, actor="person-2d9c551fafc7")
    yield Draft("run.finished", {"run": run, "status": "finished"})
    for name in ("flights", "planes", "weather"):
        checked = {
            "artifact": _digest(site, day, name),
            "contract": _digest(name),
            "name": name,
            "passed": True,
            "report": _digest(site, day, name, "report"),
            "rows": 26115,
        }
        yield Draft("contract.checked", checked)


def _release(site: str, run: str, day: int) -> Iterator[Draft]:
    model, number = f"model-{site}", day + 1
    registered = {
        "attestations": {"card.md": _digest(run, "card"), "lineage.json": _digest(run, "lineage")},
        "champion": number - 1 or None,
        "headline": {"accuracy": 0.7990184437584105, "auc": 0.7484753822666143},
        "model": model,
        "package": {"digest": _digest(run, "package"), "size": 1270715},
        "rows": {"evaluation": 12633, "training": 64973},
        "run": run,
        "version": number,
    }
    yield Draft("model.registered", registered)
    judged = {"allowed": True, "attestations": {}, "model": model, "policy": _digest("policy")}
    yield Draft("model.judged", {**judged, "rules": [], "version": number})


def _serving(site: str, day: int) -> Iterator[Draft]:
    model, begun = f"model-{site}", START + 24 * _HOUR * day
    for hour in range(0, 24, 2):
        first, last = begun + hour * _HOUR, begun + (hour + 2) * _HOUR - 1
        answered = {
            "answered": last,
            "digest": _digest(site, day, hour),
            "file": f"part-{last}-9894-000000.parquet",
            "first": first,
            "last": last,
            "model": model,
            "rows": 978,
        }
        yield Draft("log.recorded", answered)
        span = {"first": first, "last": last, "model": model, "rows": 739}
        yield Draft("labels.added", {"artifact": _digest(site, day, hour, "labels"), **span})
    week = {
        "model": model,
        "version": day + 1,
        "window_start": f"{day}",
        "window_end": f"{day + 7}",
    }
    assessed = {
        "accuracy": 0.7994208199969517,
        "features": {name: 0.1326 + at for at, name in enumerate(_FEATURES)},
        "labelled": 6561,
        "report": _digest(site, day, "report"),
        "rows": 6594,
        "score_psi": 0.08850247722782031,
    }
    yield Draft("monitoring.assessed", {**assessed, **week})
    for name in _FEATURES[:4]:
        drift = {"feature": name, "kind": "feature-drift", "limit": 0.2, "value": 1.7246}
        span = {"high": 2.38, "level": 0.95, "low": 1.05, "rows": 6594, "severity": "warning"}
        yield Draft("signal.raised", {**drift, **span, **week})


def signer_of(folder: Path) -> FileSigner:
    key = folder / "site.key"
    return FileSigner(key) if key.exists() else FileSigner.create(key)


def opened(
    folder: Path, site: str, clock: Callable[[], int], projections: tuple[Projection, ...]
) -> SqliteLedger:
    folder.mkdir(exist_ok=True)
    return SqliteLedger(
        folder / "ledger.db",
        writer=site,
        signer=signer_of(folder),
        clock=clock,
        projections=projections,
    )


def write(ledger: SqliteLedger, site: str, count: int) -> None:
    """So many facts, in appends of `GROUP`."""
    facts = islice(drafts(site), count)
    while group := list(islice(facts, GROUP)):
        ledger.append(group)
