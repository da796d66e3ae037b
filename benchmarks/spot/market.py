"""Sites and machines on which a job may run, minute by minute: what is known, and what happens.

Time goes in slots of five minutes, as published availability traces do. A machine that is there in
a slot is there for all of it, and its price of the slot is paid, boot included.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from freehold.domain.placement import Place
from freehold.planning.estimate import CHECKPOINT_SECONDS

SLOT_SECONDS = 300
SLOTS_AN_HOUR = 3600 // SLOT_SECONDS
CHECKPOINT_SLOTS = int(CHECKPOINT_SECONDS) // SLOT_SECONDS
"""The planner's own assumption: the jobs save as often as it believes."""

Prices: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Offered:
    """One machine type at one site, on demand or spot, as a price table or a provider's adviser
    tells it beforehand."""

    place: Place
    speed: int
    """Units of work a slot."""
    boot: int
    """Slots, paid for, without work."""
    price: float
    """Money per hour: the mean over long times."""
    interruptions: float = 0.0
    """Per hour at work, over long times; 0 on demand."""


@dataclass(frozen=True)
class Trace:
    """What happens; it begins anew when it is through."""

    offers: tuple[Offered, ...]
    prices: Prices
    """Offer × slot, money per hour."""
    there: Flags
    """Offer × slot; on demand always."""

    @property
    def slots(self) -> int:
        return int(self.there.shape[1])


@dataclass(frozen=True)
class Job:
    work: int
    """Units."""
    start: int
    """Slot of the trace."""
    deadline: int
    """Slots from the start until it must have ended."""


def slots_of(offer: Offered, work: int) -> int:
    """From asking for the machine to the end, if nothing interrupts."""
    return offer.boot + -(-work // offer.speed)
