"""What somebody asks a bundle to be."""

from dataclasses import dataclass, field

from freehold.domain.project import StoreSpec


@dataclass(frozen=True)
class Wanted:
    name: str
    """`MODEL@VERSION` or `MODEL@ALIAS`."""
    place: str
    """The site that it is for."""
    runtime: str = ""
    """Name of the adapter that answers; empty: what the package asks for."""
    reports: StoreSpec = field(default_factory=lambda: StoreSpec(""))
    """Where reports go; with an empty address no store's client comes along."""
    grpc: bool = False
    """Whether what answers by gRPC comes along."""
