"""When a site leaves a version that was rolled back: at once, but where it came region after region
newest first."""

from freehold.delivery.decision import MINUTE
from freehold.domain.release import Release


def goes_back(release: Release, site: str, now: int) -> bool:
    """Whether a site's traffic is free of a version that was rolled back, or is to be now.

    Laws
    - A version that was revoked leaves everywhere at once; so does one whose guardrail was crossed
      at this very site.
    - A stage goes back when every newer one that was reached said that it has,
      and at the latest after `reversal_minutes` for each of them: a site that is cut off keeps no
      other from going back for long.
    """
    if not release.is_staged or release.guardrail in ("revoked", "elsewhere"):
        return True
    if not release.reaches(site):
        return True
    if site == release.stopped_at and release.guardrail != "person":
        return True
    own = next(at for at, batch in enumerate(release.batches) if site in batch)
    newer = release.batches[own + 1 : release.stage + 1]
    if all(one in release.gone_back for batch in newer for one in batch):
        return True
    return now - release.began >= len(newer) * release.settings.rolling.reversal_minutes * MINUTE
