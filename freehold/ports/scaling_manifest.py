"""Says to a system that scales what Freehold would decide.

Laws
- Equal questions give equal text: no clock, no chance.
- The text is YAML of one document that is about the deployment asked for and holds its bounds.
- What the system cannot be told stands in `left_out`, one sentence each: nothing is left out in
  silence, hours to warm least of all.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from freehold.domain.scaling import Targets, Warming


@dataclass(frozen=True)
class Scaled:
    name: str
    """Of the deployment, and of the job under which its metrics are scraped: a DNS label."""
    targets: Targets
    warming: Sequence[Warming] = ()
    metrics: str = ""
    """Address of the server that answers queries about the endpoint's metrics."""
    accelerator: bool = False
    """Whether replicas have an accelerator, whose use then counts too."""


@dataclass(frozen=True)
class Manifest:
    text: str
    left_out: tuple[str, ...] = ()


class ScalingManifest(ABC):
    @abstractmethod
    def manifest(self, scaled: Scaled) -> Manifest:
        """Raises AdapterFailed where the system needs an answer that the question lacks."""
