"""How a twin's process tries the stores."""

import threading
from pathlib import Path

import pytest

from freehold.app.drill.offline import hands
from freehold.app.project.reading import OpenProject
from freehold.app.site.opening import open_site
from freehold.domain.errors import AdapterMissing
from freehold.ports.object_store import ObjectStore


def never(_: Path) -> hands.RunningEndpoint:
    raise AssertionError("nothing serves here")


def test_stores_are_opened_one_by_one_and_each_is_told_for_itself(
    shop: OpenProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads that import one library get each other's half of it."""
    whole = hands.Hands._store

    def store(self: hands.Hands, name: str) -> ObjectStore:
        assert threading.current_thread() is threading.main_thread()
        if name == "aws":
            raise AdapterMissing("its adapter is not there")
        return whole(self, name)

    monkeypatch.setattr(hands.Hands, "_store", store)
    with open_site(shop.root, site="onprem") as site:
        said = hands.Hands(site, "abandon", never).obey({"do": "probe", "number": 1})
    assert said["stores"] == {"onprem": "", "aws": "adapter.missing: its adapter is not there"}
