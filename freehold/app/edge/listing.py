"""`freehold bundles`: what was made, and which box said last that it runs it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freehold.app.site.opening import Site
from freehold.catalog.bundles import bundles_of, states_of


@dataclass(frozen=True)
class ListedBundle:
    site: str
    model: str
    version: int
    number: int
    manifest: str
    """Digest."""
    latest: bool
    """Whether it is the newest for its site and model."""
    boxes: tuple[Mapping[str, Any], ...]
    """{box, number, files, bytes, at} of each that said last that it runs this one."""


def listing(site: Site) -> list[ListedBundle]:
    """By site, model and number."""
    found = list(bundles_of(site.state))
    newest = {(one.site, one.model): one.number for one in found}
    return [
        ListedBundle(
            one.site,
            one.model,
            one.version,
            one.number,
            one.manifest,
            newest[one.site, one.model] == one.number,
            tuple(
                box
                for box in states_of(site.state, one.site, one.model)
                if box["number"] == one.number
            ),
        )
        for one in found
    ]
