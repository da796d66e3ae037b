"""What a person says to a running release, beside taking it back: pause it, let it go on.

Facts
  release.paused      {release, model, version, step, reason}
  release.resumed     {release, model, version, step, reason}
`reason` names the attachment with the person's words, or is empty.
"""

from freehold.delivery.releases import release_of
from freehold.domain.errors import Conflict
from freehold.domain.fact import Draft
from freehold.domain.projection import State
from freehold.domain.release import Release


def pause(state: State, release: str, reason: str = "") -> tuple[Draft, ...]:
    """None if it is paused. Call it inside `Ledger.decide`. Raises NotFound, Conflict
    `release.finished`."""
    return _said(state, release, "release.paused", reason)


def resume(state: State, release: str, reason: str = "") -> tuple[Draft, ...]:
    """None if it is not paused. Call it inside `Ledger.decide`. Raises NotFound, Conflict
    `release.finished`."""
    return _said(state, release, "release.resumed", reason)


def _said(state: State, name: str, kind: str, reason: str) -> tuple[Draft, ...]:
    release = release_of(state, name)
    require_running(release)
    if release.paused == (kind == "release.paused"):
        return ()
    body = {
        "release": release.id,
        "model": release.model,
        "version": release.version,
        "step": release.step,
        "reason": reason,
    }
    return (Draft(kind, body, cause=(release.fact,)),)


def require_running(release: Release) -> None:
    """Raises Conflict `release.finished`."""
    if release.status != "running":
        raise Conflict(
            f"release {release.id} has ended",
            why=f"it is {release.status}",
            hint="`freehold release status` shows it; `freehold release` begins another",
            code="release.finished",
        )
