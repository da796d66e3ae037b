"""How an endpoint is run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from freehold.domain.embedded import EMBEDDED
from freehold.endpoint.batching import DELAY
from freehold.endpoint.listening import HOST, PORT
from freehold.endpoint.request_log import LogSettings
from freehold.serving.admission import AdmissionSettings
from freehold.serving.request import Limits

RUNTIME = EMBEDDED["model_runtime"]
_ADMISSION = ("per_caller", "waiting", "connections")
_REQUEST = ("rows", "body_bytes")
_WINDOW = "log_window"


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

    def limited(self, given: Mapping[str, Any]) -> "EndpointSettings":
        """With these of `limits.LIMITS`, `_` for `-`; what is None or not there stays as it is."""
        known = {name: one for name, one in given.items() if one is not None}
        admission = {name: known[name] for name in _ADMISSION if name in known}
        limits = {name: known[name] for name in _REQUEST if name in known}
        log = {"window": known[_WINDOW]} if _WINDOW in known else {}
        return replace(
            self,
            admission=replace(self.admission, **admission),
            limits=replace(self.limits, **limits),
            log=replace(self.log, **log),
        )

    @property
    def set_limits(self) -> dict[str, Any]:
        """What `limited` makes the same of."""
        told: dict[str, Any] = {name: getattr(self.admission, name) for name in _ADMISSION}
        told |= {name: getattr(self.limits, name) for name in _REQUEST}
        return told | {_WINDOW: self.log.window}
