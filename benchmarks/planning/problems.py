"""Placements like those of teams with racks and several clouds, from a seed.

Sites: racks of one's own, and regions of three large clouds and a small one, in three continents;
prices spread by region (0.85 to 1.45 of the base), and by machine and region a little more.
Egress is free from racks, cheap within a cloud and continent, dearer within a cloud, dearest out of
it (0.05 to 0.12 a gigabyte). Machines: twenty types with and without accelerators, half of them
spot. Steps: pipelines of five shapes (chain, search, layers, gathering, sharing), with artifacts of
0.01 to 1,000 gigabytes.
"""

from dataclasses import dataclass
from random import Random

from freehold.domain.placement import Crossing, Flow, Objective, Option, Problem, Task

SHAPES = ("chain", "search", "layers", "gathering", "sharing")
CLOUDS = {"racks": 0.0, "alpha": 0.09, "beta": 0.12, "gamma": 0.087, "delta": 0.05}
"""Money for a gigabyte that leaves it."""
CONTINENTS = ("eu", "us", "asia")

LINKED = 0.7
"""Share of pipelines that read what an earlier one made."""


@dataclass(frozen=True)
class Place:
    name: str
    cloud: str
    continent: str
    price: float
    """Times the base."""
    carbon: float
    """kgCO2e a kilowatt-hour."""


@dataclass(frozen=True)
class Machine:
    name: str
    cores: int
    gpus: float
    """Speed beside one accelerator of the oldest kind."""
    price: float
    """Money an hour."""
    spot: bool

    @property
    def kilowatts(self) -> float:
        return 0.01 * self.cores + 0.3 * min(self.gpus, 8.0)


@dataclass(frozen=True)
class Work:
    """What a step asks for: core-hours, accelerator-hours, the least of each."""

    core_hours: float
    gpu_hours: float = 0.0
    cores: int = 1


def problem(seed: int, steps: int, sites: int, machines: int = 20) -> Problem:
    random = Random(f"{seed} {steps} {sites} {machines}")
    places = drawn_places(random, sites)
    offered = drawn_machines(machines)
    pipelines = drawn_pipelines(random, places, steps)
    tasks = tuple(
        Task(name, _options(random, work, places, offered))
        for name, work in pipelines.works.items()
    )
    return Problem(tasks, tuple(pipelines.flows), _crossings(random, places), Objective())


def drawn_pipelines(random: Random, places: list[Place], steps: int) -> "Pipelines":
    found = Pipelines(random, [place.name for place in places])
    while len(found.works) < steps:
        found.add(random.choice(SHAPES), min(steps - len(found.works), random.randint(5, 40)))
    return found


def drawn_places(random: Random, count: int) -> list[Place]:
    found = [Place("racks-eu", "racks", "eu", 0.8, 0.3)]
    clouds = [cloud for cloud in CLOUDS if cloud != "racks"]
    while len(found) < count:
        cloud, continent = random.choice(clouds), random.choice(CONTINENTS)
        price, carbon = random.uniform(0.85, 1.45), random.choice([0.02, 0.1, 0.25, 0.4, 0.7])
        found.append(Place(f"{cloud}-{continent}-{len(found)}", cloud, continent, price, carbon))
    return found


def drawn_machines(count: int) -> list[Machine]:
    """Evenly among twenty; the last can do everything."""
    found = []
    for number in (20 * (at + 1) // count - 1 for at in range(count)):
        size, spot = number // 2, bool(number % 2)
        cores = 2 ** (1 + size % 6)
        gpus = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.5, 8.0, 20.0)[size % 10]
        price = (0.045 * cores + 0.6 * gpus**0.95) * (0.35 if spot else 1.0)
        found.append(Machine(f"m{size}{' spot' if spot else ''}", cores, gpus, price, spot))
    return found


def _options(
    random: Random, work: Work, places: list[Place], machines: list[Machine]
) -> tuple[Option, ...]:
    found = []
    for place in places:
        for machine in machines:
            if (work.gpu_hours and not machine.gpus) or machine.cores < work.cores:
                continue
            # Twice the cores never halve the time.
            hours = work.core_hours / machine.cores**0.85
            if work.gpu_hours:
                hours += work.gpu_hours / machine.gpus**0.9
            boot = random.uniform(0.01, 0.1)
            rework = random.uniform(1.05, 1.4) if machine.spot else 1.0
            hours = hours * rework + boot
            price = machine.price * place.price * random.uniform(0.93, 1.07)
            carbon = machine.kilowatts * place.carbon * hours
            uses = {f"{place.name} gpus": float(machine.gpus > 0)} if machine.gpus else {}
            found.append(
                Option(place.name, machine.name, price * hours, carbon, hours * 3600.0, uses)
            )
    return tuple(found)


def _crossings(random: Random, places: list[Place]) -> dict[tuple[str, str], Crossing]:
    found = {}
    for source in places:
        spread = random.choice([1.0, 1.0, 1.0, 1.3])
        for destination in places:
            if source.name == destination.name:
                continue
            near = source.continent == destination.continent
            money = CLOUDS[source.cloud] * spread
            if source.cloud == destination.cloud:
                money = 0.01 if near else 0.02 * spread
            seconds = 2.0 if near else 8.0
            found[source.name, destination.name] = Crossing(
                money, 0.002 if near else 0.006, seconds
            )
    return found


class Pipelines:
    def __init__(self, random: Random, sites: list[str]) -> None:
        self.random, self.sites = random, sites
        self.works: dict[str, Work] = {}
        self.flows: list[Flow] = []

    def add(self, shape: str, steps: int) -> None:
        others = list(self.works)
        begin = self._step(self._light())
        self._source(begin)
        if others and self.random.random() < LINKED:
            self._flow(self.random.choice(others), [begin], 5.0)
        rest = steps - 1
        if rest:
            getattr(self, f"_{shape}")(begin, rest)

    def _step(self, work: Work) -> str:
        name = f"s{len(self.works):04}"
        self.works[name] = work
        return name

    def _light(self) -> Work:
        return Work(self.random.lognormvariate(0.5, 1.0), cores=self.random.choice([1, 4, 16]))

    def _heavy(self) -> Work:
        return Work(self.random.lognormvariate(0.0, 0.5), self.random.lognormvariate(1.5, 1.2))

    def _any(self) -> Work:
        return self._heavy() if self.random.random() < 0.3 else self._light()

    def _size(self, middle: float) -> float:
        return min(1000.0, max(0.01, self.random.lognormvariate(0.0, 1.3) * middle))

    def _source(self, *readers: str) -> None:
        at = tuple(self.random.sample(self.sites, self.random.choice([1, 1, 2])))
        self.flows.append(Flow(f"f{len(self.flows):04}", self._size(60.0), readers, at=at))

    def _flow(self, maker: str, readers: list[str], middle: float) -> None:
        number = len(self.flows)
        self.flows.append(Flow(f"f{number:04}", self._size(middle), tuple(readers), maker))

    def _chain(self, begin: str, steps: int) -> None:
        for _ in range(steps):
            step = self._step(self._any())
            self._flow(begin, [step], 15.0)
            begin = step

    def _search(self, begin: str, steps: int) -> None:
        """One data set, many trials, the best of them."""
        trials = [self._step(self._heavy()) for _ in range(max(1, steps - 1))]
        self._flow(begin, trials, 30.0)
        if steps > 1:
            best = self._step(self._light())
            for trial in trials:
                self._flow(trial, [best], 0.5)

    def _layers(self, begin: str, steps: int) -> None:
        before = [begin]
        while steps > 0:
            layer = [self._step(self._any()) for _ in range(min(steps, self.random.randint(1, 5)))]
            steps -= len(layer)
            read: dict[str, list[str]] = {}
            for step in layer:
                for maker in self.random.sample(
                    before, min(len(before), self.random.randint(1, 2))
                ):
                    read.setdefault(maker, []).append(step)
            for maker, readers in read.items():
                self._flow(maker, readers, 10.0)
            before = layer

    def _gathering(self, begin: str, steps: int) -> None:
        """Parts are worked on alone, then joined two by two."""
        parts = [begin] + [self._step(self._light()) for _ in range(steps // 2)]
        for part in parts[1:]:
            self._source(part)
        for _ in range(steps - steps // 2):
            joined = self._step(self._any())
            for part in parts[:2]:
                self._flow(part, [joined], 8.0)
            parts = [*parts[2:], joined]

    def _sharing(self, begin: str, steps: int) -> None:
        """Short pipelines that read one table, and sources that all of them read."""
        steps_of = [self._step(self._any()) for _ in range(steps)]
        self._flow(begin, steps_of[: max(1, steps // 2)], 20.0)
        self._source(*steps_of[:: max(1, steps // 5)])
        for one, other in zip(steps_of[::2], steps_of[1::2], strict=False):
            self._flow(one, [other], 5.0)
