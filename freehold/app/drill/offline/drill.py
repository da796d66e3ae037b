"""`freehold drill offline`: one site cut off from all others, work on both sides, and the return.

Production is read and never written to: the drill plays with twins of its sites, in stores of
their own beside the real ones.
"""

import secrets
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from freehold.app.drill.offline import proofs
from freehold.app.drill.offline.account import LogAccount, OfflineReport, SiteAccount
from freehold.app.drill.offline.asked import Asked
from freehold.app.drill.offline.clock import DrillClock
from freehold.app.drill.offline.crew import Crew, Member
from freehold.app.drill.offline.doors import Doors
from freehold.app.drill.offline.orders import Orders, drill_location, mark_of
from freehold.app.drill.offline.places import Places
from freehold.app.drill.offline.proofs import Answers, Head
from freehold.app.drill.offline.proxy_places import ProxyPlaces
from freehold.app.drill.offline.twins import Twin, make_twins
from freehold.app.drill.production import DRILLS, Standing, begun_sites, differences, standing
from freehold.app.project.reading import SITE_VARIABLE, OpenProject
from freehold.app.site.opening import CLOCK_VARIABLE
from freehold.domain.errors import FreeholdError

Tell = Callable[[str], None]
HANDS = (sys.executable, "-m", "freehold.cli.main", "drill", "at-site")
"""Starts a twin's process when the path of its orders is put behind it."""
TICKS = 8
"""Moves of the clock during the cut."""
WORK_OF_THE_CUT, WORK_OF_THE_OTHER = 1, 4
"""At which of them."""
LONGEST_TALK = 12
"""Rounds of exchange in which all must have heard all."""


def offline_drill(
    project: OpenProject,
    cut: str,
    *,
    hours: float = 48.0,
    values: Mapping[str, Any] | None = None,
    keep: bool = False,
    places: Places | None = None,
    tell: Tell = lambda _: None,
) -> OfflineReport:
    """`values`: parameters of the pipeline, other than the latest run's. `keep`: leave the twins
    for whoever wants to look. `places`: proxies on this machine unless others are given; they are
    closed at the end.

    Raises WrongUsage, NotFound, what a verb raises at a site, and Failed `drill.failed` with the
    proof that did not hold.
    """
    asked = Asked.of(project, cut, hours, values or {})
    began = time.monotonic()
    before = standing(project)
    drill = f"drill-{secrets.token_hex(4)}"
    folder = project.root / ".freehold" / DRILLS / drill
    tell(f"production: {before.entries:,} entries, {len(before.files):,} files, read and digested")
    played = _Drill(asked, drill, folder, places, tell)
    try:
        report = played.play()
    except BaseException:
        _say_left(played.clear(keep), tell)
        raise
    if left := played.clear(keep):
        raise proofs.failed("not everything that it made is gone", "; ".join(left))
    _require_unchanged(project, before, played, report)
    report.seconds = time.monotonic() - began
    return report


class _Drill:
    def __init__(
        self, asked: Asked, drill: str, folder: Path, places: Places | None, tell: Tell
    ) -> None:
        self._asked, self._drill, self._folder, self._tell = asked, drill, folder, tell
        sites = asked.project.spec.sites
        self._sites = tuple(sites)
        self._stores = {s: drill_location(one.store, drill, s) for s, one in sites.items()}
        self._places = places or ProxyPlaces({s: mark_of(drill, s) for s in sites})
        self._doors: Doors | None = None
        self._crew = Crew([])
        self._twins: dict[str, Twin] = {}
        self._heads: list[Head] = []
        accounts = {site: SiteAccount(site) for site in sites}
        self._report = OfflineReport(asked.cut, asked.hours, drill, accounts)

    @property
    def writers(self) -> set[str]:
        return {twin.writer for twin in self._twins.values()}

    def play(self) -> OfflineReport:
        self._raise_twins()
        self._begin()
        before = self._count("before")
        known = {one["conflict"] for s in self._crew.ask("conflicts").values() for one in s["open"]}
        self._cut_off()
        self._go_on()
        at_return = self._count("at_return", since=before)
        proofs.require_apart(self._asked.cut, before, at_return)
        self._check_times(at_return)
        self._heal()
        self._meet(self._sites)
        after = self._count("after")
        self._tally(before, at_return, after)
        self._prove(after, known)
        return self._report

    def clear(self, keep: bool) -> list[str]:
        """Ends and removes all that the drill made; what could not be, in words."""
        left: list[str] = []
        try:
            self._places.heal(self._asked.cut)
            if self._doors is not None:
                self._doors.reopen(self._asked.cut)
            for site in self._crew.sites:
                left += self._clean(site)
        finally:
            self._crew.end()
            self._places.close()
            if self._doors is not None:
                left += self._doors.clear()
        if not keep:
            shutil.rmtree(self._folder, ignore_errors=True)
            for empty in (self._folder.parent, self._folder.parent.parent):
                if empty.is_dir() and not any(empty.iterdir()):
                    empty.rmdir()
            left += [f"{self._folder} is still there"] if self._folder.exists() else []
        return left

    def _clean(self, site: str) -> list[str]:
        if not self._crew[site].alive:
            return [f"objects below {self._stores[site]}"]
        try:
            said = self._crew[site].ask("clean")
        except FreeholdError as error:
            return [f"objects below {self._stores[site]}: {error.what}"]
        self._report.removed += said["removed"]
        return [f"{said['left']} objects below {self._stores[site]}"] if said["left"] else []

    def _raise_twins(self) -> None:
        self._folder.mkdir(parents=True)
        self._twins = make_twins(self._asked.project, self._folder / "twins")
        for twin in self._twins.values():
            self._tell(f"twin of {twin.site}: {twin.writer}, knows {twin.learned:,} entries")
        self._doors = Doors(self._folder / "doors", self._stores)
        self._clock = DrillClock(self._folder / "clock")
        self._crew = Crew([self._start(site, self._doors) for site in self._sites])

    def _start(self, site: str, doors: Doors) -> Member:
        orders = self._folder / f"{site}.json"
        keys = {name: twin.key for name, twin in self._twins.items()}
        root = str(self._twins[site].root)
        Orders(root, site, self._asked.model, doors.seen_by(site), keys).write(orders)
        environment = {SITE_VARIABLE: site, CLOCK_VARIABLE: str(self._clock.path)}
        return Member(site, self._places.start(site, [*HANDS, str(orders)], environment))

    def _begin(self) -> None:
        """Every store answers, a model serves, and all know the same."""
        for site in self._sites:
            learning = (
                self._places.learning(site)
                if isinstance(self._places, ProxyPlaces)
                else nullcontext()
            )
            with learning:
                proofs.require_reach({site: self._crew[site].ask("probe", stores=[site])})
        ways = proofs.require_reach(self._crew.ask("probe"))
        self._tell(f"{len(self._sites)} sites reach {ways} stores, each from its own process")
        if not begun_sites(self._asked.project) or not self._serving():
            self._first_model()
        for site in (self._asked.cut, self._asked.other):
            self._crew[site].ask("snapshot", values=self._asked.values)
        self._meet(self._sites)
        for site, said in self._crew.ask("serve").items():
            self._report.sites[site].endpoint = said["endpoint"]

    def _serving(self) -> bool:
        """Whether production has a champion."""
        said = self._crew[self._asked.other].ask("champion")
        return said["champion"] is not None

    def _first_model(self) -> None:
        other = self._asked.other
        self._tell(f"production has released no {self._asked.model}: {other} makes a first one")
        done = self._crew[other].ask("work", values=self._asked.values)
        self._report.began = f"{self._asked.model}@{done['version']}"

    def _cut_off(self) -> None:
        cut = self._asked.cut
        assert self._doors is not None
        self._places.cut(cut)
        self._doors.shut(cut)
        self._tell(f"{cut} is cut off; every store is probed from every site")
        probed = self._crew.ask("probe")
        self._report.probes = proofs.require_cut(cut, probed)
        for met in self._report.probes:
            self._tell(f"  {met}")

    def _heal(self) -> None:
        assert self._doors is not None
        self._places.heal(self._asked.cut)
        self._doors.reopen(self._asked.cut)
        self._tell(f"{self._asked.cut} is back")

    def _go_on(self) -> None:
        """The hours of the cut: ordinary ones, and one on each side in which a model is made."""
        asked = self._asked
        for tick in range(1, TICKS + 1):
            self._clock.ahead(asked.hours * tick / TICKS)
            if tick == WORK_OF_THE_CUT:
                self._work(asked.cut)
            if tick == WORK_OF_THE_OTHER:
                self._work(asked.other)
                self._meet_others()
            for site, said in self._crew.ask("note").items():
                self._report.sites[site].predictions += said["rows"]
                self._heads.append(Head.of(said))
        self._tell(f"{asked.hours:g} hours have gone by on every clock")

    def _work(self, site: str) -> None:
        done = self._crew[site].ask("work", values=self._asked.values)
        account = self._report.sites[site]
        trained = ("run", "version", "package", "snapshots", "computed", "headline")
        account.trained = {name: done[name] for name in trained}
        released = ("release", "strategy", "approved", "version")
        account.released = {name: done[name] for name in released}
        account.endpoint = done["endpoint"]
        account.predictions += done["predicted"]["rows"]
        self._heads.append(Head.of(done))
        if done["predicted"]["version"] != done["version"]:
            raise proofs.failed(
                f"the endpoint of {site} does not answer with the version that was released",
                f"it answers with {done['predicted']['version']}, released is {done['version']}",
            )
        self._tell(
            f"{site}: {self._asked.model}@{done['version']} trained, allowed, approved, released;"
            f" {done['predicted']['rows']} predictions answered by it"
        )

    def _meet_others(self) -> None:
        """Whoever is not cut off goes on meeting, whatever is silent."""
        others = [site for site in self._sites if site != self._asked.cut]
        if len(others) > 1:
            self._crew.ask("exchange", others)

    def _meet(self, sites: tuple[str, ...]) -> None:
        """Until a whole round brings nothing new to anybody."""
        for _ in range(LONGEST_TALK):
            said = {site: self._crew[site].ask("exchange") for site in sites}
            reached = not any(one["unreachable"] for one in said.values())
            faults = [f"{s}: {f['what']}" for s, one in said.items() for f in one["faults"]]
            if faults:
                raise proofs.failed("a log was not taken", "; ".join(faults))
            if reached and all(one["quiet"] for one in said.values()):
                return
        silent = "; ".join(
            f"{site}: {store}: {why}"
            for site, one in said.items()
            for store, why in one["unreachable"].items()
        )
        raise proofs.failed(f"the sites still talk after {LONGEST_TALK} rounds", silent)

    def _count(self, when: str, since: Answers | None = None) -> Answers:
        """What every twin holds now."""
        said = {}
        for site in self._sites:
            own = self._twins[site].writer
            first = since[site]["logs"][own][0] if since else 0
            said[site] = self._crew[site].ask("logs", since=first)
            held = sum(size for size, *_ in said[site]["logs"].values())
            self._report.sites[site].entries[when] = held
            size, root, *_ = said[site]["logs"][own]
            if when != "after":
                self._heads.append(Head(own, size, root))
        return said

    def _check_times(self, at_return: Answers) -> None:
        cut, hours = self._asked.cut, self._asked.hours
        self._report.spanned = proofs.require_hours(hours, cut, at_return[cut]["times"])

    def _tally(self, before: Answers, at_return: Answers, after: Answers) -> None:
        for writer in sorted(self.writers):
            counts = [
                max(s["logs"].get(writer, [0])[0] for s in x.values()) for x in (before, after)
            ]
            held = {site: said["logs"].get(writer, [0])[0] for site, said in at_return.items()}
            self._report.logs.append(LogAccount(writer, counts[0], held, counts[1]))

    def _prove(self, after: Answers, known: set[str]) -> None:
        asked, report = self._asked, self._report
        proofs.require_one_history(after)
        report.kept = proofs.require_kept(self._crew, self._heads)
        report.verified = proofs.require_verified(self._crew.ask("audit"))
        sides = (asked.cut, asked.other)
        told = self._crew.ask("conflicts")
        report.conflict = proofs.require_conflict(asked.model, sides, known, told)
        for site in sides:
            answered = self._crew[site].ask("predict")["predicted"]
            wanted = report.sites[site].released["version"]
            if answered["version"] != wanted:
                raise proofs.failed(
                    f"the endpoint of {site} no longer answers with what it released",
                    f"it answers with {answered['version']}, released is {wanted}",
                )
        proofs.require_same_processes(self._crew)
        for site in self._sites:
            (report.sites[site].pid,) = self._crew[site].pids
        self._tell("one history at every site; every log verifies; nothing acknowledged is missing")


def _require_unchanged(
    project: OpenProject, before: Standing, played: _Drill, report: OfflineReport
) -> None:
    after = standing(project)
    if changed := differences(before, after, played.writers):
        raise proofs.failed("production is not as it was", "; ".join(changed[:10]))
    report.production_unchanged = True
    report.production_entries, report.production_files = after.entries, len(after.files)


def _say_left(left: list[str], tell: Tell) -> None:
    for one in left:
        tell(f"left behind: {one}")
