"""What the replicas' answers of some time say about their use and their queues.

Source: J. D. C. Little 1961, "A proof for the queuing formula L = λW": the replicas that are busy
are the rate of requests by the time that each takes. What waits is what Pollaczek and Khinchine
have for one server whose requests arrive by chance (Kleinrock 1975, "Queueing Systems" 1, section
5.6): an estimate, and too small where requests arrive in bursts.
"""

from dataclasses import dataclass

from freehold.serving.scaling import Sample

FULLEST = 0.99
"""Use at which the estimate of what waits ends: beyond, it has no bound."""


@dataclass(frozen=True)
class Answered:
    """What all replicas answered in some time."""

    requests: int
    busy: float
    """Seconds of work, summed."""
    squares: float
    """Of each request's seconds, summed."""

    def with_each(self, seconds: float) -> "Answered":
        """As if each request had taken so much longer."""
        squares = self.squares + 2 * seconds * self.busy + self.requests * seconds**2
        return Answered(self.requests, self.busy + self.requests * seconds, squares)


def sample_of(at: float, seconds: float, replicas: int, told: Answered) -> Sample:
    """`at`: the end, seconds since 1970 UTC, of the `seconds` in which that was answered."""
    room = seconds * replicas
    use = min(told.busy / room, 1.0)
    rate = told.requests / room
    square = told.squares / told.requests if told.requests else 0.0
    queue = rate**2 * square / (2 * (1 - min(use, FULLEST)))
    return Sample(at, replicas, use, queue)
