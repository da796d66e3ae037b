"""What a trial of two versions found, as a fact.

Facts
  release.decided     {release, model, version, step, metric, winner, value, low, high, level, rows}
`winner` is `version`, `champion` or `none`; `value` is the effect in the metric's unit, null where
too little is known; `rows` is of the smaller arm.
"""

from freehold.delivery.decision import Decide
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
