"""Every proof of the offline drill holds where it should, and fails where one thing is off."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from freehold.app.drill.offline import proofs
from freehold.app.drill.offline.crew import Crew
from freehold.app.drill.offline.proofs import Head
from freehold.domain.errors import Failed

HOUR = 3_600_000_000
OUT = "storage.unreachable: the store does not answer"


def fails(prove: Callable[[], object]) -> Failed:
    with pytest.raises(Failed) as caught:
        prove()
    assert caught.value.code == "drill.failed"
    assert caught.value.hint
    return caught.value


def said(stores: dict[str, str]) -> dict[str, Any]:
    return {"stores": stores}


def test_stores_must_answer_before_the_cut() -> None:
    assert proofs.require_reach({"a": said({"a": "", "b": ""}), "b": said({"b": ""})}) == 3
    error = fails(lambda: proofs.require_reach({"a": said({"a": "", "b": OUT})}))
    assert "a does not reach the store of b" in error.why


def test_a_cut_site_reaches_nothing_and_nobody_reaches_its_store() -> None:
    cut = {"a": said({"a": "", "b": OUT}), "b": said({"a": OUT, "b": OUT})}
    met = proofs.require_cut("b", cut)
    assert met == [
        f"a → store of b: {OUT}",
        f"b → store of a: {OUT}",
        f"b → store of b: {OUT}",
    ]
    fails(lambda: proofs.require_cut("b", {**cut, "a": said({"a": "", "b": ""})}))
    fails(lambda: proofs.require_cut("b", {**cut, "b": said({"a": "", "b": OUT})}))
    fails(lambda: proofs.require_cut("b", {**cut, "b": said({"a": OUT, "b": ""})}))
    fails(lambda: proofs.require_cut("c", cut))


def held(own: str, sizes: dict[str, int], state: str = "s", folded: int = 0) -> dict[str, Any]:
    logs = {writer: [size, f"root {size}", size - folded] for writer, size in sizes.items()}
    return {"writer": own, "logs": logs, "state": state}


def test_neither_side_learns_of_the_other_during_the_cut() -> None:
    before = {"a": held("wa", {"wa": 2, "wb": 3}), "b": held("wb", {"wa": 2, "wb": 3})}
    apart = {"a": held("wa", {"wa": 5, "wb": 3}), "b": held("wb", {"wa": 2, "wb": 4})}
    proofs.require_apart("b", before, apart)
    heard = {**apart, "a": held("wa", {"wa": 5, "wb": 4})}
    fails(lambda: proofs.require_apart("b", before, heard))
    heard = {**apart, "b": held("wb", {"wa": 3, "wb": 4})}
    fails(lambda: proofs.require_apart("b", before, heard))
    idle = {**apart, "b": held("wb", {"wa": 2, "wb": 3})}
    fails(lambda: proofs.require_apart("b", before, idle))


def test_sites_that_are_not_cut_may_go_on_meeting() -> None:
    before = {site: held(f"w{site}", {"wa": 1, "wb": 1, "wc": 1}) for site in "abc"}
    after = {
        "a": held("wa", {"wa": 2, "wb": 1, "wc": 4}),
        "b": held("wb", {"wa": 1, "wb": 2, "wc": 1}),
        "c": held("wc", {"wa": 2, "wb": 1, "wc": 4}),
    }
    proofs.require_apart("b", before, after)


def test_one_history_is_the_same_logs_folded_to_one_state() -> None:
    one = held("wa", {"wa": 5, "wb": 4})
    proofs.require_one_history({"a": one, "b": held("wb", {"wa": 5, "wb": 4})})
    for other in (
        held("wb", {"wa": 5, "wb": 3}),
        held("wb", {"wa": 5}),
        held("wb", {"wa": 5, "wb": 4}, state="t"),
    ):
        fails(lambda other=other: proofs.require_one_history({"a": one, "b": other}))
    waits = held("wa", {"wa": 5, "wb": 4}, folded=1)
    fails(lambda: proofs.require_one_history({"a": waits, "b": waits}))


class Scripted:
    """In place of processes: what they would answer."""

    def __init__(self, answers: dict[str, dict[str, Any]]) -> None:
        self._answers = answers

    def ask(self, *_: object, **__: object) -> dict[str, dict[str, Any]]:
        return self._answers


def test_what_was_acknowledged_is_kept_by_all() -> None:
    heads = [Head("wa", 5, "ra"), Head("wa", 7, "rb"), Head("wb", 4, "rc")]
    whole = {site: {"roots": ["ra", "rb", "rc"]} for site in "ab"}
    assert proofs.require_kept(cast(Crew, Scripted(whole)), heads) == 11
    short = {**whole, "b": {"roots": ["ra", "", "rc"]}}
    error = fails(lambda: proofs.require_kept(cast(Crew, Scripted(short)), heads))
    assert "b does not hold the first 7 entries of wa" in error.what


def test_every_log_verifies_everywhere() -> None:
    holds = {"holds": True, "faults": [], "logs": 3}
    assert proofs.require_verified({"a": holds, "b": holds}) == 6
    broken = {"holds": False, "faults": ["wa: entry 3 is not what was signed"], "logs": 3}
    error = fails(lambda: proofs.require_verified({"a": holds, "b": broken}))
    assert "entry 3" in error.why


def test_entries_carry_the_times_of_the_cut() -> None:
    assert proofs.require_hours(48, "a", [0, 42 * HOUR]) == 42
    fails(lambda: proofs.require_hours(48, "a", [0, HOUR]))
    fails(lambda: proofs.require_hours(48, "a", []))


def quarrel(about: str = "m/champion", holds: str = "@4", name: str = "c1") -> dict[str, Any]:
    sides = [{"site": "a", "value": "@2"}, {"site": "b", "value": "@4"}]
    return {"conflict": name, "about": about, "sides": sides, "holds": holds}


def test_the_two_promotions_are_one_conflict_the_same_everywhere() -> None:
    old = quarrel(name="c0")
    told = {site: {"open": [old, quarrel()]} for site in "ab"}
    assert proofs.require_conflict("m", "ab", {"c0"}, told)["conflict"] == "c1"
    for wrong in (
        [old],
        [old, quarrel(), quarrel(name="c2")],
        [old, quarrel(about="m@4")],
        [old, quarrel(holds="@9")],
        [old, quarrel(holds="@2")],
    ):
        other = {**told, "b": {"open": wrong}}
        fails(lambda other=other: proofs.require_conflict("m", "ab", {"c0"}, other))
    fails(lambda: proofs.require_conflict("m", "ac", {"c0"}, told))


class Process:
    def __init__(self, pids: set[int], endpoints: set[int], alive: bool = True) -> None:
        self.pids, self.endpoints, self.alive = pids, endpoints, alive


class Processes:
    def __init__(self, one: Process) -> None:
        self.sites = ("a",)
        self._one = one

    def __getitem__(self, _: str) -> Process:
        return self._one


def test_processes_live_through_the_drill() -> None:
    def prove(one: Process) -> None:
        proofs.require_same_processes(cast(Crew, Processes(one)))

    prove(Process({1}, {2}))
    prove(Process({1}, set()))
    fails(lambda: prove(Process({1, 3}, {2})))
    fails(lambda: prove(Process({1}, {2, 4})))
    fails(lambda: prove(Process({1}, {2}, alive=False)))
