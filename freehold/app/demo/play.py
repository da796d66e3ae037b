"""`freehold demo`: the acts, in order. Every act calls the verb that its command calls."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from freehold.app.audit.verify import audit
from freehold.app.demo.outcome import ALTERED, CHEAT, SHUFFLED, DemoOutcome, Refusal
from freehold.app.demo.stage import FIRST_DAY, MODEL, Audience, Hands, Period
from freehold.app.drill.tamper import tamper
from freehold.app.history.facts import facts_of
from freehold.app.loop.compare import compare_months
from freehold.app.loop.replay import plan_replay, record, replay
from freehold.app.loop.signals import signals
from freehold.app.model.models import models
from freehold.app.project.init import init
from freehold.app.release.release import plan_release, release
from freehold.app.run.plan import plan_run
from freehold.app.run.run import run
from freehold.app.site.opening import Site, open_site
from freehold.catalog.versions import ModelVersion
from freehold.delivery.releases import releases_of, running_release
from freehold.domain.errors import Failed, PolicyDenied
from freehold.monitoring.proposals import proposals_of


def play(
    folder: Path, period: Period, seed: int, audience: Audience, hands: Hands
) -> Callable[[float], DemoOutcome]:
    """Play the whole loop in a new folder; the outcome wants the seconds that it took.

    Raises what the verbs raise; the folder stays as far as it got.
    """
    audience.command(f"freehold init {folder.name} --template flights")
    init(folder, "flights")
    audience.command(f"cd {folder.name}")
    with open_site(folder) as site:
        return _Play(site, period, seed, audience, hands).go()


class _Play:
    def __init__(
        self, site: Site, period: Period, seed: int, audience: Audience, hands: Hands
    ) -> None:
        self._site, self._period, self._seed = site, period, seed
        self._audience, self._hands = audience, hands
        self._rows = 0
        self._refusals: list[Refusal] = []

    def go(self) -> Callable[[float], DemoOutcome]:
        first = self._run({})
        self._release(first)
        self._replay(FIRST_DAY, self._period.trials)
        day = self._until_free(self._period.trials)
        self._trials(first)
        self._replay(day, self._period.end)
        self._note_rollback()
        self._audience.command("freehold audit verify")
        return self._outcome(first)

    def _until_free(self, day: date) -> date:
        """The first day from `day` on at whose start no release is running."""
        while running_release(self._site.state, MODEL) is not None and day < self._period.end:
            self._replay(day, day + timedelta(days=1))
            day += timedelta(days=1)
        return day

    def _trials(self, first: ModelVersion) -> None:
        shuffled = self._run({"shuffle_labels": "true"})
        if shuffled.allowed:
            self._audience.say(f"{shuffled.name} was not denied; it is kept out of traffic")
        else:
            self._denied(shuffled)
        self._audience.command(f"freehold drill tamper {first.name}")
        altered = tamper(self._site, first.name, self._hands.start)
        if altered.refused_with:
            self._refuse(ALTERED, altered.refused_with)
        cheat = self._run({"leak": "dep_delay"})
        self._cheat = cheat.version
        if cheat.allowed:
            self._release(cheat)

    def _run(self, values: Mapping[str, str]) -> ModelVersion:
        given = {**values, "seed": str(self._seed)}
        sets = "".join(f" --set {name}={value}" for name, value in given.items())
        self._audience.command(f"freehold run --yes{sets}")
        finished = run(
            self._site, plan_run(self._site, "", given), self._audience.step, self._audience.stage
        )
        version = finished.version
        if version is None:
            raise Failed(
                "the demo's pipeline made no model",
                why="it returned no Candidate",
                hint="report it: the demo brings its own project",
                code="demo.no-model",
            )
        for warning in finished.warnings:
            self._audience.say(f"warning: {warning}")
        verdict = "allowed" if version.allowed else f"denied by {', '.join(version.denials)}"
        self._audience.say(f"{version.name}: AUC {version.headline['auc']:.3f}, {verdict}")
        return version

    def _release(self, version: ModelVersion) -> None:
        self._audience.command(f"freehold release {version.name} --yes")
        begun = release(self._site, plan_release(self._site, version.name))
        self._audience.say(f"{version.name} gets {begun.weight} % of the traffic")

    def _denied(self, version: ModelVersion) -> None:
        try:
            self._release(version)
        except PolicyDenied as denied:
            self._refuse(SHUFFLED, ", ".join(version.denials) or denied.code)

    def _replay(self, since: date, until: date) -> None:
        self._audience.command(f"freehold replay --from {since} --to {until} --yes")
        recording = record(self._site, plan_replay(self._site), since, until)
        with self._hands.endpoint(self._site) as client:
            self._rows += replay(
                self._site, recording, client, self._audience.day, self._audience.say
            )

    def _refuse(self, what: str, code: str) -> None:
        self._refusals.append(Refusal(what, code))
        self._audience.say(f"refused: {what} [{code}]")

    def _note_rollback(self) -> None:
        for one in releases_of(self._site.state, MODEL):
            if one.version == self._cheat and one.status == "rolled-back":
                self._refuse(CHEAT, one.guardrail)

    def _outcome(self, first: ModelVersion) -> Callable[[float], DemoOutcome]:
        site = self._site
        history = audit(site).history
        months = tuple(compare_months(site, first.name))
        found = signals(site, MODEL)["signals"]
        listed = tuple(
            {
                "version": row["version"],
                "auc": row["headline"]["auc"],
                "alias": row["aliases"][0] if row["aliases"] else "",
            }
            for row in models(site, MODEL)
        )
        made = tuple(
            one.made_version for one in proposals_of(site.state, MODEL) if one.made_version
        )
        rollbacks = tuple(_rollbacks(site))

        def outcome(seconds: float) -> DemoOutcome:
            return DemoOutcome(
                seconds=seconds,
                rows=self._rows,
                models=listed,
                months=months,
                rollbacks=rollbacks,
                refusals=tuple(self._refusals),
                signals=tuple(
                    {"kind": s["kind"], "feature": s["feature"], "day": s["window_end"]}
                    for s in found
                ),
                retrained=made,
                entries=history.entries,
                verified=history.holds,
            )

        return outcome


def _rollbacks(site: Site) -> list[dict[str, Any]]:
    return [
        {name: fact.body[name] for name in ("version", "guardrail", "value", "limit", "rows")}
        for fact in facts_of(site, "release.rolled-back")
    ]
