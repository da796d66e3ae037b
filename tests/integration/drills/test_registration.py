"""A registration that a collection of the same site crosses."""

from typing import Any

import pytest

from freehold.app.project.reading import OpenProject
from freehold.app.run import run as running
from freehold.app.run.plan import plan_run
from freehold.app.site.opening import open_site
from freehold.catalog.versions import version_of
from tests.collected import collected_until


def test_what_a_collection_let_go_of_is_stored_again_before_it_is_named(
    new_shop: OpenProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when it looked just before a resumed registration took its lock."""
    with open_site(new_shop.root) as site:
        register = running.register
        gone: list[list[str]] = []

        def crossed(*given: Any) -> Any:
            gone.append(collected_until(site, monkeypatch, "_make"))
            return register(*given)

        monkeypatch.setattr(running, "register", crossed)
        running.run(site, plan_run(site, "train", {"rows": 400}))
        version = version_of(site.state, "abandon", 1)
        named = {version.package, *version.attestations.values()}
        assert version.package in gone[0] and len(gone[0]) == len(named) - 1  # judged afterwards
        assert all(site.artifacts.holds(digest) for digest in named)
