"""What the project's file says of an endpoint, as an endpoint takes it."""

from pathlib import Path

from freehold.domain.endpoint_spec import EndpointSpec
from freehold.endpoint.settings import EndpointSettings

MEGABYTE = 2**20


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
