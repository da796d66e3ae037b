"""`freehold drill offline`: one site cut off from all others, work on both sides, and the return.

Production is read and never written to: the drill plays with twins of its sites, in stores of
their own beside the real ones.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from freehold.app.drill.offline import proofs
from freehold.app.drill.offline.account import LogAccount, OfflineReport, SiteAccount
from freehold.app.drill.offline.asked import Asked
from freehold.app.drill.offline.crew import Crew
from freehold.app.drill.offline.peers import PeerWays, addresses_of
from freehold.app.drill.offline.places import Places
from freehold.app.drill.offline.proofs import Answers, Head
from freehold.app.drill.offline.proxy_places import ProxyPlaces
from freehold.app.drill.offline.stage import Stage
from freehold.app.drill.place import drill_folder, sweep
from freehold.app.drill.production import Standing, begun_sites, differences, standing
from freehold.app.project.reading import OpenProject

Tell = Callable[[str], None]
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
    sweep(project, tell)
    before = standing(project)
    drill = f"drill-{secrets.token_hex(4)}"
    folder = drill_folder(project, drill)
    tell(f"production: {before.entries:,} entries, {len(before.files):,} files, read and digested")
    stage = Stage(asked, drill, folder, places, tell)
    try:
        report = _Drill(asked, drill, stage, tell).play()
    except BaseException:
        for one in stage.clear(keep):
            tell(f"left behind: {one}")
        raise
    if left := stage.clear(keep):
        raise proofs.failed("not everything that it made is gone", "; ".join(left))
    report.removed = stage.removed
    _require_unchanged(project, before, stage.writers, report)
    report.seconds = time.monotonic() - began
    return report


class _Drill:
    def __init__(self, asked: Asked, drill: str, stage: Stage, tell: Tell) -> None:
        self._asked, self._tell = asked, tell
        self._stage = stage
        self._sites = stage.sites
        self._heads: list[Head] = []
        self._addresses: dict[str, str] = {}
        self._peers = PeerWays(frozenset(), ())
        accounts = {site: SiteAccount(site) for site in stage.sites}
        self._report = OfflineReport(asked.cut, asked.hours, drill, accounts)

    @property
    def _crew(self) -> Crew:
        return self._stage.crew

    def play(self) -> OfflineReport:
        self._stage.set_up()
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

    def _begin(self) -> None:
        """Every store answers, a model serves, and all know the same."""
        for site in self._sites:
            learning = (
                self._stage.places.learning(site)
                if isinstance(self._stage.places, ProxyPlaces)
                else nullcontext()
            )
            with learning:
                proofs.require_reach({site: self._crew[site].ask("probe", stores=[site])})
        ways = proofs.require_reach(self._crew.ask("probe"))
        self._tell(f"{len(self._sites)} sites reach {ways} stores, each from its own process")
        self._addresses = addresses_of(self._crew.ask("address"))
        self._peers = PeerWays.of(self._asked.cut, self._ask_peers())
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
        self._stage.cut()
        self._tell(f"{cut} is cut off; every store and every peer's address is probed")
        probed = self._crew.ask("probe")
        self._report.probes = proofs.require_cut(cut, probed)
        self._report.probes += self._peers.require_cut(cut, self._ask_peers())
        self._report.not_probed = list(self._peers.not_probed)
        for met in self._report.probes:
            self._tell(f"  {met}")
        for one in self._report.not_probed:
            self._tell(f"  not tried: {one}")

    def _ask_peers(self) -> Answers:
        return self._crew.ask("peers", addresses=self._addresses)

    def _heal(self) -> None:
        self._stage.heal()
        self._tell(f"{self._asked.cut} is back")

    def _go_on(self) -> None:
        """The hours of the cut: ordinary ones, and one on each side in which a model is made."""
        asked = self._asked
        for tick in range(1, TICKS + 1):
            self._stage.clock.ahead(asked.hours * tick / TICKS)
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
        trained = ("run", "version", "package", "snapshots", "computed", "headline", "allowed")
        account.trained = {name: done[name] for name in trained}
        if done["allowed"] is not True:
            raise proofs.failed(f"{site} released what no policy had allowed")
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
            own = self._stage.twins[site].writer
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
        for writer in sorted(self._stage.writers):
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
    project: OpenProject, before: Standing, writers: set[str], report: OfflineReport
) -> None:
    after = standing(project)
    if changed := differences(before, after, writers):
        raise proofs.failed("production is not as it was", "; ".join(changed[:10]))
    report.production_unchanged = True
    report.production_entries, report.production_files = after.entries, len(after.files)
