"""How an endpoint is run."""

from dataclasses import dataclass, field
from pathlib import Path

from freehold.domain.embedded import EMBEDDED
from freehold.endpoint.batching import DELAY
from freehold.endpoint.listening import HOST, PORT
from freehold.endpoint.request_log import LogSettings
from freehold.serving.admission import AdmissionSettings
from freehold.serving.request import Limits

RUNTIME = EMBEDDED["model_runtime"]


@dataclass(frozen=True)
class EndpointSettings:
    folder: Path
    """The serving folder."""
    host: str = HOST
    port: int = PORT
    """0: any free one."""
    runtime: str = RUNTIME
    """Name of a `freehold.model_runtime` adapter."""
    grpc_port: int | None = None
    """None: no gRPC; 0: any free one."""
    processes: int = 1
    """That answer at the ports."""
    batch_delay: float = DELAY
    """Seconds that sharing a batch may add to an answer; 0: no batches."""
    limits: Limits = field(default_factory=Limits)
    admission: AdmissionSettings = field(default_factory=AdmissionSettings)
    log: LogSettings = field(default_factory=LogSettings)
