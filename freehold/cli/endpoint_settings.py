"""What the project's file says of an endpoint, as an endpoint takes it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from freehold.domain.endpoint_spec import EndpointSpec
from freehold.domain.errors import WrongUsage
from freehold.endpoint.settings import EndpointSettings

MEGABYTE = 2**20


def chosen(spec: EndpointSpec, given: Mapping[str, Any]) -> EndpointSpec:
    """With what was typed instead of what the file says; None: nothing was. Raises WrongUsage."""
    made = replace(spec, **{name: one for name, one in given.items() if one is not None})
    faults = [f"{name} {odd}" for name, odd in made.odd_numbers().items()]
    if faults:
        raise WrongUsage(
            "the endpoint cannot be run so",
            why="; ".join(faults),
            hint="mend these options, or `endpoint` in freehold.yaml",
            code="usage.endpoint",
        )
    return made


def settings_of(spec: EndpointSpec, folder: Path) -> EndpointSettings:
    """`folder`: the serving folder."""
    settings = EndpointSettings(
        folder,
        spec.host,
        spec.port,
        spec.runtime,
        spec.grpc_port,
        spec.processes,
        spec.batch_delay,
    )
    limits = spec.limits
    return settings.limited(
        {
            "per_caller": limits.per_caller,
            "waiting": limits.waiting,
            "connections": limits.connections,
            "rows": limits.rows,
            "body_bytes": round(limits.body_megabytes * MEGABYTE),
            "log_window": limits.log_window,
        }
    )
