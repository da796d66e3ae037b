"""`freehold scaling`: how many replicas the endpoint should have now, and in the hours ahead."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from freehold.app.costs.accelerators import USE, AcceleratorMetrics, metrics_of
from freehold.app.costs.offers import offers_of, price_source
from freehold.app.costs.tariff import tariff_of
from freehold.app.scaling.load import HOUR, Load, read_load
from freehold.app.site.opening import Site
from freehold.costs.charts import sparkline
from freehold.domain.errors import FreeholdError, NotFound, Refused, WrongUsage
from freehold.domain.offer import Offer
from freehold.domain.scaling import WEEK, Targets, Warming
from freehold.serving.scaling import decide
from freehold.serving.traffic_forecast import forecast, schedule, warm

SHAPE = 1
LONGEST = 63
"""Letters of a DNS label (RFC 1123)."""
USE_BY = "by Little's law"
NOBODY = "no accelerator's use is known: nobody was named who scrapes it"
UNSCRAPED = "no accelerator's use is known: {url} has no {metric} of {{{selector}}} in this minute"
BY_ACCELERATORS = "the accelerators', {metric} of {{{selector}}} as {url} has it"
SCORING = "scoring times of the request log"
ANSWERING = f"{SCORING}, and what answering takes beside them by the endpoint's metrics"
QUEUE_BY = "estimated from rate and scoring times (Pollaczek-Khinchine)"


def targets_of(minimum: int, maximum: int, queue: float) -> Targets:
    """From what people type. Raises WrongUsage `usage.scaling`."""
    try:
        return Targets(minimum=minimum, maximum=maximum, queue=queue)
    except ValueError as exc:
        raise WrongUsage(
            f"{minimum} to {maximum} replicas with {queue:g} waiting at each cannot be",
            why=str(exc),
            hint="give a --maximum that is not under --minimum, and a --queue over nothing",
            code="usage.scaling",
        ) from exc


def endpoint_model(site: Site) -> str:
    """Raises NotFound `scaling.no-endpoint`."""
    spec = site.project.spec.endpoint
    if spec is None:
        raise NotFound(
            "the project has no endpoint to scale",
            why="freehold.yaml has no `endpoint:`",
            hint="say `endpoint: {model: NAME}`; docs/guides/serving.md shows how",
            code="scaling.no-endpoint",
        )
    return spec.model


def advice(site: Site, targets: Targets, ahead: bool = False, metrics: str = "") -> dict[str, Any]:
    """JSON, shape 1. `ahead`: with a forecast of traffic and what it needs; `metrics`: address of
    the server that knows the accelerators' use, else FREEHOLD_METRICS.

    Raises NotFound `scaling.no-endpoint`, `scaling.no-traffic`; IntegrityError for a log that is
    not what was recorded; Unreachable, Failed for a server that does not tell.
    """
    model = endpoint_model(site)
    accelerators = metrics_of(metrics, lambda: deployment_of(model))
    load = read_load(site, model, accelerators)
    if load is None:
        raise NotFound(
            f"nothing was asked of {model} here in eight weeks",
            why="what the replicas need follows from the request log",
            hint="`freehold serve` answers, `freehold replay` plays a recorded period",
            code="scaling.no-traffic",
        )
    offer = machine_here(site)
    decision = decide(load.samples, targets)
    last = load.samples[-1]
    return {
        "shape": SHAPE,
        "model": model,
        "site": site.name,
        "until": _moment(load.until),
        "live": load.live,
        "decision": decision.as_json(),
        "measured": {
            "queue": last.queue,
            "queue_by": QUEUE_BY,
            "requests_per_second": load.rates[-1],
            "seconds_per_request": load.seconds,
            "use": last.use,
            "scoring_seconds": load.scoring,
            "use_by": _use_by(load, accelerators),
            "use_of": "accelerators" if load.accelerators else "processor",
        },
        "targets": asdict(targets),
        "cost": _cost(offer, decision.now, decision.replicas),
        "minutes": _minutes(load),
        "forecast": _ahead(site, load, targets, offer) if ahead else None,
    }


def _use_by(load: Load, asked: AcceleratorMetrics | None) -> str:
    told = {} if asked is None else {"metric": USE, "selector": asked.selector, "url": asked.url}
    if load.accelerators:
        return BY_ACCELERATORS.format(**told)
    of_processor = f"{ANSWERING if load.seconds > load.scoring else SCORING}, {USE_BY}"
    return f"{of_processor}; {UNSCRAPED.format(**told) if told else NOBODY}"


def deployment_of(model: str) -> str:
    """The model's name as a DNS label. Raises Refused `scaling.name`."""
    label = re.sub(r"[^a-z0-9]+", "-", model.lower())[:LONGEST].strip("-")
    if not label:
        raise Refused(
            f"no deployment can be named after the model '{model}'",
            why="a name there has letters a to z, digits and hyphens",
            hint="give the model a name with one of these in freehold.yaml",
            code="scaling.name",
        )
    return label


def warming(site: Site, targets: Targets) -> tuple[Sequence[Warming], str]:
    """The hours of a week that need more than the minimum, and why there are none where they
    cannot be told."""
    load = read_load(site, endpoint_model(site))
    if load is None:
        return (), "nothing was asked in eight weeks"
    told = forecast(load.hours, site.clock() // HOUR)
    if not told.seasonal or load.seconds <= 0:
        return (), f"{told.history} hours of traffic do not tell the hours of a week"
    hours = warm(told, 1 / load.seconds, targets)
    found = schedule(hours, targets.minimum)
    least = min(replicas for _, replicas in hours)
    if not found and least > targets.minimum:
        return (), f"every hour needs {least} replicas: say --minimum {least}"
    return found, ""


def machine_here(site: Site) -> Offer | None:
    """What a replica of this site runs on, on demand; None where machine or price is not known."""
    machine = tariff_of(site.project).machine
    spec = site.project.spec.sites.get(site.name)
    if spec is None or not machine:
        return None
    try:
        offers, _ = offers_of(site.project, site.name, spec, price_source(site.project))
    except FreeholdError:
        return None
    return next((one for one in offers if one.machine == machine and not one.spot), None)


def chart(found: Mapping[str, Any], width: int) -> list[str]:
    """Lines for a terminal: use by minute, then what is expected by hour; each to its largest."""
    used = [one["use"] for one in found["minutes"]]
    lines = [f"use by minute   {sparkline(used, width)} up to {max(used):.1%}"]
    hours = found["forecast"]["hours"] if found["forecast"] else []
    for name, key in (("requests ahead", "expected"), ("replicas ahead", "replicas")):
        values = [one[key] for one in hours]
        if values:
            lines.append(f"{name}  {sparkline(values, width)} up to {max(values):,.0f}")
    return lines


def _minutes(load: Load) -> list[dict[str, Any]]:
    return [
        {
            "queue": one.queue,
            "replicas": one.replicas,
            "requests_per_second": rate,
            "until": _moment(int(one.at * 1e6)),
            "use": one.use,
        }
        for one, rate in zip(load.samples, load.rates, strict=True)
    ]


def _ahead(site: Site, load: Load, targets: Targets, offer: Offer | None) -> dict[str, Any]:
    told = forecast(load.hours, site.clock() // HOUR)
    known = told.hours if load.seconds > 0 else ()
    replicas = dict(warm(told, 1 / load.seconds, targets)) if known else {}
    hours = [
        {**one.as_json(), "hour": _moment(one.hour * HOUR), "replicas": replicas[one.hour]}
        for one in known
    ]
    runs = schedule(list(replicas.items()), targets.minimum) if len(replicas) == WEEK else ()
    price = None if offer is None else offer.price.value
    counts = list(replicas.values())
    return {
        "history_hours": told.history,
        "hours": hours,
        "level": told.level,
        "method": told.method,
        "money": None if price is None else price * sum(counts),
        "money_at_most": None if price is None else price * max(counts, default=0) * len(counts),
        "seasonal": told.seasonal,
        "warming": [asdict(one) for one in runs],
    }


def _cost(offer: Offer | None, now: int, wanted: int) -> dict[str, Any] | None:
    if offer is None:
        return None
    return {
        "currency": offer.price.unit.partition("/")[0],
        "machine": offer.machine,
        "now_per_hour": now * offer.price.value,
        "per_replica_hour": offer.price.as_json(),
        "wanted_per_hour": wanted * offer.price.value,
    }


def _moment(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat(timespec="seconds")
