"""What is odd about `endpoint.limits` in a project's file."""

from collections.abc import Callable, Iterator

from freehold.domain.endpoint_spec import LimitsSpec
from freehold.domain.errors import Fault

BOUNDS = {
    "per_caller": (0, 1_000_000),
    "waiting": (1, 1_000_000),
    "connections": (1, 1_000_000),
    "rows": (1, 10_000_000),
    "body_megabytes": (0.001, 256),
    "log_window": (0.05, 3600),
}
"""A body's is that of all bodies that have not wholly arrived, together."""


def odd_limits(limits: LimitsSpec, where: Callable[..., str]) -> Iterator[Fault]:
    """Every value that no endpoint could go by."""
    usual = LimitsSpec()
    for name, (low, high) in BOUNDS.items():
        value = getattr(limits, name)
        if not low <= value <= high:
            what = f"'endpoint.limits.{name}' must be between {low:,} and {high:,}, not {value}"
            hint = f"without it, it is {getattr(usual, name):,}"
            yield Fault("project.wrong-value", what, where("endpoint", "limits", name), hint)
