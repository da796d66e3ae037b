"""A price source of one machine type in one region of one provider."""

from freehold.domain.errors import NotFound
from freehold.domain.offer import Figure, Hardware
from freehold.ports.price_source import MachineType, PriceSource

BIG = MachineType(
    "big",
    Hardware(8, 32 * 2**30),
    Figure(1.0, "USD/h", "table", "2025"),
    Figure(0.4, "USD/h", "assumed", "2025"),
    Figure(100, "W", "table"),
)


class OneRegion(PriceSource):
    """One machine type in one region of one provider."""

    def digest(self) -> str:
        return "sha256:base"

    def machine(self, provider: str, region: str, name: str) -> MachineType:
        self._check(provider, region)
        if name != "big":
            raise NotFound("no such type", why="nearest: big", code="price.unknown-machine")
        return BIG

    def grid_carbon(self, provider: str, region: str) -> Figure | None:
        self._check(provider, region)
        return Figure(300, "g/kWh", "table")

    def overhead(self, provider: str) -> Figure:
        self._check(provider, "here")
        return Figure(1.1, "1", "table")

    def storage(self, provider: str, region: str) -> Figure | None:
        self._check(provider, region)
        return None

    def transfer(self, origin: tuple[str, str], destination: tuple[str, str]) -> Figure | None:
        for place in (origin, destination):
            if place[0]:
                self._check(*place)
        return Figure(0.09 if origin[0] else 0.0, "USD/GB", "table")

    def _check(self, provider: str, region: str) -> None:
        if provider != "cloud":
            raise NotFound("no such provider", code="price.unknown-provider")
        if region != "here":
            raise NotFound("no such region", code="price.unknown-region")
