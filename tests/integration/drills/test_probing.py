"""How a twin's process tries the stores and the other sites."""

import socket
import threading
from pathlib import Path

import pytest

from freehold.app.drill.offline import hands, peers
from freehold.app.project.reading import OpenProject
from freehold.app.site.opening import open_site
from freehold.domain.errors import AdapterMissing, Failed
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


NOWHERE = "255.255.255.255"
"""No machine's: a connection to it fails at once."""


def test_a_machine_that_refuses_has_answered_and_silence_is_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(peers, "PORT", listener.getsockname()[1])
        assert peers.try_peers({"listens": "127.0.0.1"}) == {"listens": ""}
    assert peers.try_peers({"refuses": "127.0.0.1"}) == {"refuses": ""}
    met = peers.try_peers({"nowhere": NOWHERE})["nowhere"]
    assert met.startswith(f"no answer from {NOWHERE}: ")


def test_an_address_of_its_own_is_the_one_that_a_site_speaks_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peers, "ELSEWHERE", "127.0.0.1")
    assert peers.own_address(["", "not a URL", "http://127.0.0.1:9000"]) == ""
    ways = {"store.example": "10.0.0.1", "anywhere.example": "10.0.0.9"}
    monkeypatch.setattr(peers, "ELSEWHERE", "anywhere.example")
    monkeypatch.setattr(peers, "_source", lambda host, _: ways.get(host, ""))
    assert peers.own_address(["", "https://store.example:9443"]) == "10.0.0.1"
    assert peers.own_address(["", ""]) == "10.0.0.9", "a vendor's own store has no endpoint"
    said = {"a": "10.0.0.1", "b": "10.0.0.2", "c": "10.0.0.2", "d": ""}
    found = peers.addresses_of({site: {"address": one} for site, one in said.items()})
    assert found == {"a": "10.0.0.1"}, "of what two share nobody knows whose it is"


def probed(**met: dict[str, str]) -> dict[str, dict[str, dict[str, str]]]:
    return {site: {"peers": found} for site, found in met.items()}


BEFORE = probed(a={"b": "", "c": "silence"}, b={"a": "", "c": "silence"}, c={"a": "", "b": ""})
"""a is to be cut; c answers nobody, and has an address."""


def test_only_what_answered_before_the_cut_proves_anything() -> None:
    ways = peers.PeerWays.of("a", BEFORE)
    assert ways.answered == {("a", "b"), ("b", "a"), ("c", "a")}
    assert ways.not_probed == ("a → c: no answer before the cut, either: silence",)
    gone = "no route"
    silent = probed(a={"b": gone, "c": gone}, b={"a": gone, "c": ""}, c={"a": gone, "b": ""})
    assert ways.require_cut("a", silent) == [
        "a → b: no route",
        "b → a: no route",
        "c → a: no route",
    ]


def test_a_peer_that_still_answers_fails_the_drill() -> None:
    ways = peers.PeerWays.of("a", BEFORE)
    open_in = probed(a={"b": "no route", "c": "x"}, b={"a": "", "c": "x"}, c={"a": "x", "b": "x"})
    with pytest.raises(Failed, match="a is not cut off") as caught:
        ways.require_cut("a", open_in)
    assert (caught.value.code, caught.value.why) == ("drill.failed", "b still reaches a")


def test_without_addresses_it_is_said_that_nothing_is_known() -> None:
    ways = peers.PeerWays.of("a", probed(a={}, b={}))
    assert ways.not_probed == (
        "a → b: b has no network address of its own that is known here",
        "b → a: a has no network address of its own that is known here",
    )
    assert ways.require_cut("a", probed(a={}, b={})) == []
