"""What a trial of two versions found, as facts.

Facts
  release.decided     {release, model, version, step, metric, winner, value, low, high, level, rows}
  release.weighted    {release, model, version, step, look, weight, chance, metric,
                      arms: [{rows, mean}]}; the champion's arm first
`winner` is `version`, `champion` or `none`; `value` is the effect in the metric's unit, null where
too little is known; `rows` is of the smaller arm.
"""

from freehold.delivery.decision import Decide, Reweigh
from freehold.domain.fact import Draft
from freehold.domain.release import Release


def decided(release: Release, decision: Decide, cause: tuple[str, ...]) -> Draft:
    effect = decision.effect
    body = {
        "release": release.id,
        "model": release.model,
        "version": release.version,
        "step": release.step,
        "metric": decision.metric,
        "winner": decision.winner,
        "value": effect.value,
        "low": effect.low,
        "high": effect.high,
        "level": effect.level,
        "rows": effect.count,
    }
    return Draft("release.decided", body, cause=cause)


def weighted(release: Release, decision: Reweigh, cause: tuple[str, ...]) -> Draft:
    body = {
        "release": release.id,
        "model": release.model,
        "version": release.version,
        "step": release.step,
        "look": decision.look,
        "weight": decision.weight,
        "chance": decision.chance,
        "metric": release.settings.bandit.metric,
        "arms": [{"rows": one.rows, "mean": one.mean} for one in decision.arms],
    }
    return Draft("release.weighted", body, cause=cause)
