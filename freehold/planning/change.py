"""`--what-if`: a change of what a plan stands on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from freehold.domain.errors import Fault, WrongUsage
from freehold.domain.offer import Figure
from freehold.planning.ground import Ground
from freehold.planning.problem import Limits

FORMS = (
    "down=SITE",
    "price=SITE[/MACHINE]*FACTOR",
    "unlabel=[STEP:]LABEL",
    "quota=SITE/POOL:UNITS",
    "deadline=HOURS",
    "budget=MONEY",
)


@dataclass(frozen=True)
class Changes:
    texts: tuple[str, ...] = ()
    """As they were written."""
    down: tuple[str, ...] = ()
    prices: tuple[tuple[str, str, float], ...] = ()
    """Site, machine or empty, factor."""
    quotas: Mapping[str, float] = field(default_factory=dict)
    ignored: tuple[tuple[str, str], ...] = ()
    """Step or empty, label."""
    deadline_hours: float | None = None
    budget: float | None = None

    def on(self, ground: Ground) -> Ground:
        """What is changed says so in its source."""
        offers = dict(ground.offers)
        for site, machine, factor in self.prices:
            offers[site] = tuple(
                replace(one, price=_times(one.price, factor))
                if machine in ("", one.machine)
                else one
                for one in offers.get(site, ())
            )
        down = {**ground.down, **dict.fromkeys(self.down, "it is left out")}
        return replace(ground, offers=offers, down=down, quotas={**ground.quotas, **self.quotas})

    def limits(self, limits: Limits) -> Limits:
        hours = self.deadline_hours
        return Limits(
            limits.deadline if hours is None else hours * 3600,
            limits.budget if self.budget is None else self.budget,
        )

    def ignored_of(self, labels: Mapping[str, Mapping[str, str]]) -> dict[str, set[str]]:
        """By step, its own labels that are left out. `labels`: every step's own."""
        found: dict[str, set[str]] = {}
        for step, label in self.ignored:
            for name in labels:
                if step in ("", name):
                    found.setdefault(name, set()).add(label)
        return found


def read_changes(
    texts: Iterable[str], ground: Ground, labels: Mapping[str, Mapping[str, str]]
) -> Changes:
    """Raises WrongUsage `usage.what-if` with every fault."""
    texts = tuple(texts)
    faults: list[Fault] = []
    found = Changes(texts)
    for text in texts:
        try:
            found = _with(found, text, ground, labels)
        except ValueError as exc:
            faults.append(Fault("usage.what-if", str(exc), text))
    if faults:
        raise WrongUsage(
            "a change of --what-if cannot be read",
            why=f"the forms are {', '.join(FORMS)}",
            faults=faults,
            hint="for example: --what-if down=aws --what-if 'price=onprem*2'",
            code="usage.what-if",
        )
    return found


def _with(
    found: Changes, text: str, ground: Ground, labels: Mapping[str, Mapping[str, str]]
) -> Changes:
    kind, _, value = text.partition("=")
    match kind:
        case "down":
            return replace(found, down=(*found.down, _known(value, ground.sites, "site")))
        case "price":
            target, _, factor = value.rpartition("*")
            site, _, machine = target.partition("/")
            _known(site, ground.sites, "site")
            if machine:
                _known(machine, [one.machine for one in ground.offers.get(site, ())], "machine")
            number = _positive(factor)
            return replace(found, prices=(*found.prices, (site, machine, number)))
        case "unlabel":
            step, _, label = value.rpartition(":")
            if step:
                _known(step, list(labels), "step")
            own = {name for one, given in labels.items() if step in ("", one) for name in given}
            _known(label.partition("=")[0], sorted(own), "label of a step's own")
            return replace(found, ignored=(*found.ignored, (step, label)))
        case "quota":
            pool, _, units = value.rpartition(":")
            site, _, what = pool.partition("/")
            _known(site, ground.sites, "site")
            name = f"{site} {what}"
            return replace(found, quotas={**found.quotas, name: _positive(units, zero=True)})
        case "deadline":
            return replace(found, deadline_hours=_positive(value))
        case "budget":
            return replace(found, budget=_positive(value))
    close = get_close_matches(kind, [form.partition("=")[0] for form in FORMS], n=1)
    raise ValueError(f"there is no change '{kind}'" + (f"; {close[0]}?" if close else ""))


def _known(name: str, known: Iterable[str], what: str) -> str:
    names = list(dict.fromkeys(known))
    if name in names:
        return name
    close = get_close_matches(name, names, n=3) or names[:8]
    raise ValueError(f"there is no {what} '{name}'; there is {', '.join(close) or 'none'}")


def _positive(text: str, zero: bool = False) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a number") from None
    if not (number > 0 or (zero and number == 0)) or number == float("inf"):
        raise ValueError(f"{text} is not {'at least' if zero else 'above'} 0")
    return number


def _times(figure: Figure, factor: float) -> Figure:
    told = f"{figure.source}, × {factor:g} as --what-if says"
    return replace(figure, value=figure.value * factor, source=told)
