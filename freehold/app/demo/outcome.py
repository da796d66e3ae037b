"""What a play came to: the object that `freehold demo --json` ends with, and its story."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from freehold.app.loop.compare import Month

CHEAT = "a model that cheats"
SHUFFLED = "a model trained on shuffled labels"
ALTERED = "a package with one byte changed"
TRIALS = (CHEAT, SHUFFLED, ALTERED)


@dataclass(frozen=True)
class Refusal:
    what: str
    code: str
    """Of the error, the rule or the guardrail."""


@dataclass(frozen=True)
class DemoOutcome:
    seconds: float
    rows: int
    """Requests answered."""
    models: tuple[dict[str, Any], ...]
    """version, auc, alias."""
    months: tuple[Month, ...]
    rollbacks: tuple[dict[str, Any], ...]
    """version, guardrail, value, limit, rows."""
    refusals: tuple[Refusal, ...]
    signals: tuple[dict[str, Any], ...]
    """kind, feature, day."""
    retrained: tuple[int, ...]
    """Versions that proposals made."""
    entries: int
    verified: bool

    def as_json(self) -> dict[str, Any]:
        return {
            "shape": 1,
            "seconds": round(self.seconds, 1),
            "rows": self.rows,
            "models": list(self.models),
            "months": [
                {
                    "month": one.month,
                    "auc_frozen": one.frozen.value,
                    "auc_live": one.live.value,
                    "rows": one.rows,
                    "gained": one.gained.as_json(),
                }
                for one in self.months
            ],
            "rollbacks": list(self.rollbacks),
            "refusals": [{"what": one.what, "code": one.code} for one in self.refusals],
            "signals": list(self.signals),
            "retrained": list(self.retrained),
            "ledger": {"entries": self.entries, "verified": self.verified},
        }

    def events(self) -> frozenset[str]:
        """What happened, without days, figures, and which of several lines was crossed first: what
        must not depend on a seed."""
        found = {f"refused: {one.what}" for one in self.refusals}
        found |= {"rolled back without a person" for _ in self.rollbacks}
        found |= {f"signal: {one['kind']}" for one in self.signals}
        found |= {f"not refused: {what}" for what in self.missing()}
        found.add("retrained" if self.retrained else "not retrained")
        found.add("ledger verified" if self.verified else "ledger broken")
        return frozenset(found)

    def reasons(self) -> str:
        """Why each trial was refused, which may depend on a seed."""
        return "; ".join(f"{one.what}: {one.code}" for one in self.refusals)

    def story(self) -> Iterator[str]:
        """In plain numbers."""
        first = self.models[0]
        yield f"The first model: AUC {first['auc']:.3f} on the last two weeks before April."
        yield f"{self.rows:,} flights asked about, hour by hour, each label when it landed."
        for one in self.rollbacks:
            yield (
                f"Version {one['version']} was rolled back without a person: {one['guardrail']}"
                f" {one['value']:.2f} over {one['limit']:g} after {one['rows']:,} rows."
            )
        for refusal in self.refusals:
            yield f"Refused: {refusal.what} [{refusal.code}]."
        for what in self.missing():
            yield f"DID NOT HAPPEN: {what} was not refused."
        yield from self._drift()
        yield from self._retraining()
        yield f"The ledger: {self.entries:,} entries, {'verified' if self.verified else 'BROKEN'}."

    def missing(self) -> tuple[str, ...]:
        """Refusals that a play must show and this one does not."""
        return tuple(what for what in TRIALS if what not in {one.what for one in self.refusals})

    def _drift(self) -> Iterator[str]:
        features = {one["feature"] for one in self.signals if one["kind"] == "feature-drift"}
        if features:
            yield f"Warned of drift in {len(features)} features; that alone changes nothing."
        for kind in ("score-drift", "quality"):
            days = sorted(one["day"] for one in self.signals if one["kind"] == kind)
            if days:
                times = "once" if len(days) == 1 else f"{len(days)} times"
                yield f"Signal {kind}, {times}, first on {days[0]}."

    def _retraining(self) -> Iterator[str]:
        if not self.retrained:
            yield "No proposal to retrain was made in this period."
            return
        made = f"{len(self.retrained)} times, versions {self.retrained[0]} to {self.retrained[-1]}"
        if len(self.retrained) == 1:
            made = f"once, version {self.retrained[0]}"
        yield f"Retrained by proposal {made}, each released or refused by the same rules."
        better = [one for one in self.months if (one.gained.low or 0) > 0]
        worse = [one for one in self.months if (one.gained.high or 0) < 0]
        yield (
            f"What served was better than the frozen first model in {len(better)} of"
            f" {len(self.months)} months beyond chance, and worse in {len(worse)}."
        )
