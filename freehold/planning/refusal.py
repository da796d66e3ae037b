"""Why a step may not run at a site, or on one of its machines."""

from dataclasses import dataclass
from typing import Any

from freehold.domain.offer import Offer
from freehold.domain.size import spoken
from freehold.domain.step import Needs


@dataclass(frozen=True)
class Refusal:
    site: str
    rule: str
    """`label`, `policy`, `hardware`, `quota`, `machines`, `spot`, `down`, `way`."""
    why: str
    machine: str = ""
    """Empty when it is the whole site."""

    def as_json(self) -> dict[str, Any]:
        return {"machine": self.machine, "rule": self.rule, "site": self.site, "why": self.why}

    def __str__(self) -> str:
        return f"{self.site}{f' {self.machine}' if self.machine else ''}: {self.why}"


def shortage(needs: Needs, offer: Offer) -> str:
    """What the machine lacks, or empty."""
    hardware, short = offer.hardware, []
    if hardware.cpus < needs.cpus:
        short.append(f"needs {needs.cpus:g} cpus, has {hardware.cpus:g}")
    if hardware.memory < needs.memory:
        short.append(f"needs {spoken(needs.memory)} of memory, has {spoken(hardware.memory)}")
    if hardware.accelerators < needs.accelerators:
        short.append(f"needs {needs.accelerators} accelerators, has {hardware.accelerators}")
    elif needs.accelerator and hardware.accelerator != needs.accelerator:
        short.append(f"needs accelerators of {needs.accelerator}, has {hardware.accelerator}")
    return "; ".join(short)


def over_quota(offer: Offer, quotas: dict[str, float]) -> str:
    """Which quota one machine alone passes, or empty."""
    for pool, units in sorted(offer.pools.items()):
        if units > quotas.get(pool, units):
            return f"takes {units:g} of {pool}, the quota is {quotas[pool]:g}"
    return ""


def summed_up(refusals: list[Refusal]) -> list[Refusal]:
    """One for each site and rule: of a site whose machines all fall short, the shortest reason."""
    by_site: dict[tuple[str, str], list[Refusal]] = {}
    for one in refusals:
        by_site.setdefault((one.site, one.rule), []).append(one)
    return [
        several[0]
        if len(several) == 1
        else Refusal(
            site,
            rule,
            f"none of {len(several)} machine types: "
            + "; ".join(f"{one.machine} {one.why}" for one in several[:3])
            + ("; …" if len(several) > 3 else ""),
        )
        for (site, rule), several in by_site.items()
    ]
