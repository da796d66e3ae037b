"""The endpoint of a project: what `endpoint:` in `freehold.yaml` says."""

from dataclasses import dataclass

from freehold.domain.embedded import EMBEDDED


@dataclass(frozen=True)
class LogSpec:
    """What the request log keeps, and how."""

    sample: float = 1.0
    """Share of the keys whose rows are kept; the others are counted. All rows are kept that a
    version failed to answer, and all while a release runs."""
    personal: tuple[str, ...] = ()
    """Columns of which the log has a token instead of the value."""
    personal_ids: bool = False
    """Whether ids that clients give are personal too: the log and the labels then have tokens of
    all prediction and request ids."""


PROCESSES = 64
"""Of an endpoint, at most: a mistyped port must not become as many."""
_YEAR = 366 * 86400


@dataclass(frozen=True)
class LimitsSpec:
    """What an endpoint takes; each of its processes counts for itself."""

    per_caller: float = 0.0
    """Requests a second of one caller, who may save up those of a second; 0: no limit."""
    waiting: int = 1024
    """Requests that have not had their turn."""
    connections: int = 4096
    """Open at once."""
    rows: int = 10_000
    """Of one request."""
    body_megabytes: float = 8.0
    """Of one request, packed and unpacked; a megabyte has 1,048,576 bytes."""
    log_window: float = 2.0
    """Seconds until an answer stands in the request log: what a crash may take from it."""


@dataclass(frozen=True)
class EndpointSpec:
    model: str
    host: str = "127.0.0.1"
    port: int = 8100
    grpc_port: int | None = None
    """Where it answers by gRPC too, on this machine; 0: at a free port. Not said: it does not."""
    runtime: str = EMBEDDED["model_runtime"]
    """The runtime adapter that answers predictions; `auto` takes the one that the package asks for.
    They give the numbers of the model's own library; ONNX Runtime, which `auto` takes where a
    package has an ONNX model, gives them within 1e-5."""
    processes: int = 1
    """That answer at the port and share the models' memory where that is possible; one that ends is
    started again."""
    sleep_after: float = 0.0
    """Seconds without a request to score after which the endpoint ends; the next one, which waits
    for it, starts it again. 0: never."""
    batch_delay: float = 0.002
    """Seconds that an answer may take longer because it shares a call of its model with others',
    where the model gains by that. 0: no sharing."""
    log: LogSpec = LogSpec()
    limits: LimitsSpec = LimitsSpec()

    def odd_numbers(self) -> dict[str, str]:
        """What is wrong with them, by field."""
        bounds = {
            "port": (0, 65535),
            "grpc_port": (0, 65535),
            "processes": (1, PROCESSES),
            "sleep_after": (0, _YEAR),
            "batch_delay": (0, 1),
        }
        values = {name: getattr(self, name) for name in bounds}
        return {
            name: f"must be between {low} and {high}, not {values[name]}"
            for name, (low, high) in bounds.items()
            if values[name] is not None and not low <= values[name] <= high
        }
