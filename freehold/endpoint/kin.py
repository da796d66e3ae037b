"""Processes of one endpoint, which share its port: each has a door of its own, by which the others
ask it what only it knows."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from freehold.domain.errors import FreeholdError
from freehold.endpoint.exchange import Exchanges, Told

PATIENCE = 5.0
"""Seconds for another one's answer; who is just being started again does not answer."""


class Kin:
    """Used on one event loop."""

    def __init__(self, place: int, doors: Sequence[str]) -> None:
        """`place`: whose this is, among all. `doors`: their URLs."""
        self.place = place
        self._others = {
            number: Exchanges(f"process {number}", url)
            for number, url in enumerate(doors)
            if number != place
        }

    async def ask(self, method: str, target: str) -> dict[int, Told | None]:
        """Of all others, by place; None for who does not answer."""
        answers = [self._asked(one, method, target) for one in self._others.values()]
        return dict(zip(self._others, await asyncio.gather(*answers), strict=True))

    async def _asked(self, other: Exchanges, method: str, target: str) -> Told | None:
        try:
            return await asyncio.wait_for(other.ask(method, target, {}, b""), PATIENCE)
        except (FreeholdError, TimeoutError):
            return None


def merged(texts: Mapping[int, bytes | None]) -> bytes:
    """Metrics of all processes, each with the label `process`: where one starts anew, only its own
    counters do. None for one that did not answer."""
    registry = CollectorRegistry()
    registry.register(_Families(texts))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, texts: Mapping[int, bytes | None]) -> None:
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for place, text in self._texts.items():
            for found in text_string_to_metric_families((text or b"").decode()):
                family = families.setdefault(
                    found.name, Metric(found.name, found.documentation, found.type)
                )
                for sample in found.samples:
                    labels = {**sample.labels, "process": str(place)}
                    family.samples.append(sample._replace(labels=labels))
        yield from families.values()
        up = GaugeMetricFamily(
            "freehold_process_up", "Whether it answers its kin.", labels=["process"]
        )
        for place, text in self._texts.items():
            up.add_metric([str(place)], text is not None)
        yield up
