"""Labels are law in whatever project: what the product plans, in its own settings, is held against
the law written down once more, and what it refuses, against every placement there is."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property

import pytest
from drawn_project import HERE, DrawnProject, DrawnSite, DrawnStep, drawn_projects, opened
from hypothesis import HealthCheck, given, settings

from freehold.app.run.plan import plan_run
from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import Site
from freehold.app.site.ways import no_way
from freehold.domain.errors import PlacementImpossible, PolicyDenied
from freehold.domain.fact import Draft
from freehold.domain.labels import inherited
from freehold.planning.placed import Placed

Labels = frozenset[tuple[str, str]]
OUTCOMES = {
    "planned",
    "planned, and labelled data travels",
    "no consent",
    "no site",
    "no way",
    "not readable here",
}
SAID = ("cached", "components", "function", "inputs", "key", "machine", "microseconds", "step")


class Law:
    """What the issue says of labels, from what was drawn alone."""

    def __init__(self, drawn: DrawnProject) -> None:
        self.drawn = drawn
        self.handled: dict[str, Labels] = {}
        self.made: dict[str, Labels] = {}
        for one in drawn.steps:
            read = frozenset[tuple[str, str]]().union(*(self.made[name] for name in one.reads))
            self.handled[one.name] = read | frozenset(one.labels.items())
            self.made[one.name] = frozenset(
                (name, value)
                for name, value in self.handled[one.name]
                if not {name, f"{name}={value}"} & set(one.lowers)
            )

    def at(self, labels: Labels, site: str) -> bool:
        """Whether they may be at a site."""
        one = self.drawn.sites[site]
        return all(
            value == one.jurisdiction
            if name == "residency"
            else bool({name, f"{name}={value}"} & set(one.accepts))
            for name, value in labels
        )

    def between(self, labels: Labels, origin: str, destination: str) -> bool:
        """Whether the store that the one leaves them in for the other may carry them, and so all
        whose store it is: the other's, else the one's own, else the first that is not private."""
        if origin == destination:
            return True
        ends = [self.drawn.sites[destination], self.drawn.sites[origin], *self.drawn.sites.values()]
        store = next((end for end in ends if not end.private), None)
        return (
            store is not None
            and self.at(labels, destination)
            and all(
                self.at(labels, one.name)
                for one in self.drawn.sites.values()
                if one.folder == store.folder
            )
        )

    @cached_property
    def lies(self) -> dict[str, str]:
        """Step → `here` or elsewhere, of those that ran before with all that they read here."""
        found: dict[str, str] = {}
        for one in self.drawn.steps:
            if one.lies and all(found.get(name) == HERE for name in one.reads):
                found[one.name] = one.lies
        return found

    @property
    def to_place(self) -> list[DrawnStep]:
        return [one for one in self.drawn.steps if self.lies.get(one.name) != HERE]

    def places(self, step: DrawnStep) -> list[str]:
        """Sites with a machine for the step and whose place allows what it handles."""
        return [
            one.name
            for one in self.drawn.sites.values()
            if one.price and one.large >= step.large and self.at(self.handled[step.name], one.name)
        ]

    def unread_here(self) -> list[str]:
        """What is read where the run is driven from, and may not be there."""
        return [n for n in self.drawn.unread if not self.at(self.made[n], self.drawn.here)]

    def reaches(self, step: DrawnStep, site: str, where: Mapping[str, str]) -> bool:
        """Whether all that it reads has a way to it, and it to where it is driven from."""
        mine = [(self.made[name], where.get(name, self.drawn.here), site) for name in step.reads]
        if step.name in self.drawn.unread:
            mine.append((self.made[step.name], site, self.drawn.here))
        return all(self.between(*way) for way in mine)

    def placements(self) -> Iterator[Mapping[str, str]]:
        """Every one that the law allows."""
        if not self.unread_here():
            yield from self._placements({}, self.to_place)

    def _placements(
        self, where: dict[str, str], left: list[DrawnStep]
    ) -> Iterator[Mapping[str, str]]:
        if not left:
            yield where
            return
        for site in self.places(left[0]):
            if self.reaches(left[0], site, where):
                yield from self._placements({**where, left[0].name: site}, left[1:])


def require_lawful(law: Law, placed: Placed) -> None:
    """Every step, every crossing and every copy of a plan."""
    where = {one.step: one.place.site for one in placed.steps}
    assert where.keys() == {one.name for one in law.to_place}
    for one in placed.steps:
        for way in one.route.ways:
            # Where it runs, and where it would go on while all others stay.
            moved = {**where, one.step: way.place.site}
            assert law.at(law.handled[one.step], way.place.site), (one.step, way.place)
            assert all(law.reaches(o, moved[o.name], moved) for o in law.to_place), way.place
    for crossing in placed.crossings:
        labels = law.made[crossing.output.partition(".")[0]]
        assert law.at(labels, crossing.destination), crossing
        assert law.between(labels, crossing.origin, crossing.destination), crossing
    for copies in placed.kept:
        for output in copies.outputs:
            name = output.partition(".")[0]
            assert law.at(law.made[name], copies.site), (copies.site, output)
            origin = where[name] if copies.when == "when it is made" else law.drawn.here
            assert law.between(law.made[name], origin, copies.site), (copies.site, output)
    assert not law.unread_here()


def unreviewed(law: Law) -> set[str]:
    """Steps that take a label from what they make without anybody's consent."""
    return {
        name
        for name, labels in law.handled.items()
        if labels != law.made[name] and not name.startswith("cleared")
    }


def named(faults: Iterable[str]) -> set[str]:
    return {found[1] for one in faults if (found := re.search(r"step '(\w+)'", one))}


def outcome(drawn: DrawnProject) -> str:
    """Plans it and holds the answer against the law. What came of it."""
    law = Law(drawn)
    with opened(drawn) as site:
        try:
            plan = plan_run(site).plan
        except PolicyDenied as refused:
            assert refused.code == "label.lowering"
            assert named(one.what for one in refused.faults) == unreviewed(law)
            return "no consent"
        except PlacementImpossible as refused:
            return require_due(law, refused)
    assert not unreviewed(law)
    assert plan.placed is not None
    assert plan.placed.solution.solver.startswith("highs")
    require_lawful(law, plan.placed)
    if any(one.labels for one in plan.placed.crossings):
        return "planned, and labelled data travels"
    return "planned"


def require_due(law: Law, refused: PlacementImpossible) -> str:
    """A refusal names exactly the steps that no site may run, or nothing else may be either."""
    nowhere = {one.name for one in law.to_place if not law.places(one)}
    if refused.code == "plan.no-site" and "no site may run" in str(refused.faults):
        assert named(one.what for one in refused.faults) == nowhere
        return "no site"
    assert not nowhere
    assert next(law.placements(), None) is None, (refused.what, refused.why)
    return "not readable here" if law.unread_here() else "no way"


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(drawn_projects())
def test_no_plan_breaks_the_law_and_none_is_refused_without_cause(drawn: DrawnProject) -> None:
    outcome(drawn)


@pytest.mark.long
def test_no_plan_breaks_the_law_and_none_is_refused_without_cause_long() -> None:
    """The drawn projects have it all: plans that move labelled data, and every refusal."""
    met: Counter[str] = Counter()

    @settings(max_examples=1000, suppress_health_check=list(HealthCheck))
    @given(drawn_projects())
    def hold(drawn: DrawnProject) -> None:
        met[outcome(drawn)] += 1

    hold()
    assert met.keys() == OUTCOMES, met


EU = {"residency": "EU"}
BERLIN, OHIO = DrawnSite("berlin", "EU", price=0.5, large=False), DrawnSite("ohio", "US", price=0.0)


def promised(site: Site) -> Iterator[str]:
    """What a plan lets cross, and no site would carry."""
    placed, labelled = plan_run(site).plan.placed, Labelled(site.state)
    assert placed is not None
    assert placed.crossings
    by_step = {row["step"]: row["outputs"][0]["digest"] for _, row in site.state.scan("steps")}
    for one in placed.crossings:
        known = labelled.of([by_step.get(one.output.partition(".")[0], "")])
        labels = inherited([one.labels, known])
        if rule := no_way(labels, [one.origin], one.destination, site.project.spec.sites):
            yield rule


def test_what_a_plan_lets_cross_is_carried() -> None:
    """Else the step before has run, and been paid for, when the next one is refused."""
    paris = DrawnSite("paris", "EU", store="ohio")
    steps = (
        DrawnStep("load", labels=EU),
        DrawnStep("cleared", ("load",), lowers=("residency",), large=True),
    )
    drawn = DrawnProject({"berlin": BERLIN, "paris": paris, "ohio": OHIO}, steps, "berlin")
    with opened(drawn) as site:
        assert list(promised(site)) == []


def test_a_plan_knows_every_label_that_was_recorded_of_what_it_reads() -> None:
    ohio = replace(OHIO, price=0.5)
    steps = (DrawnStep("load", lies=HERE), DrawnStep("fit", ("load",), large=True))
    with opened(DrawnProject({"berlin": BERLIN, "ohio": ohio}, steps, "berlin")) as site:
        ((_, row),) = site.state.scan("steps")
        again = {**{name: row[name] for name in SAID}, "run": "another", "site": "berlin"}
        again["outputs"] = [{**row["outputs"][0], "labels": EU}]
        site.ledger.append([Draft("step.finished", again, 2)])
        assert Labelled(site.state).of([row["outputs"][0]["digest"]]) == EU
        try:
            assert list(promised(site)) == []
        except PlacementImpossible:
            """It was refused when planned: that is as good."""
