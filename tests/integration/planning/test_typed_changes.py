"""`freehold plan --what-if` and `--diff`, as they are typed."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def free(shop: Any) -> Any:
    """Data that may go anywhere in Europe."""
    shop.change("shop.py", ', "pii": ""', "")
    return shop


def moves(said: Any) -> dict[str, tuple[str, str]]:
    return {
        one["step"]: (one["before"]["site"], one["after"]["site"])
        for one in said.data["difference"]["moved"]
    }


@pytest.mark.parametrize(
    ("changes", "moved", "dearer"),
    [
        (["down=aws"], {"fit": ("aws", "onprem"), "report": ("aws", "onprem")}, True),
        (["price=aws*200"], {"fit": ("aws", "onprem"), "report": ("aws", "onprem")}, True),
        (["price=onprem*0.001"], {"fit": ("aws", "onprem"), "report": ("aws", "onprem")}, False),
        (["price=onprem*2"], {}, True),
        (["down=onprem"], {"load": ("onprem", "aws")}, True),
        (
            ["price=aws/m5.xlarge*2", "down=azure"],
            {},
            True,
        ),
        (
            ["down=aws", "unlabel=load:residency"],
            {"fit": ("aws", "azure"), "report": ("aws", "azure")},
            False,
        ),
    ],
)
def test_a_change_is_planned_and_shown_beside_the_plan_without_it(
    free: Any,
    freehold: Callable[..., Any],
    changes: list[str],
    moved: dict[str, tuple[str, str]],
    dearer: bool,
) -> None:
    typed = [word for change in changes for word in ("--what-if", change)]
    said = freehold("plan", *typed, "--json")
    assert said.code == 0, said.err
    assert said.data["changes"] == changes
    assert moves(said) == moved
    money = said.data["difference"]["totals"]["money"]
    assert (money["after"] > money["before"]) is dearer
    shown = freehold("plan", *typed)
    assert shown.code == 0
    assert f"compared: {', '.join(changes)}" in shown.out
    for step, (before, after) in moved.items():
        line = next(one for one in shown.out.splitlines() if one.startswith(f"  {step} moves:"))
        assert f": {before} " in line
        assert f"→ {after} " in line
    assert ("more" if dearer else "less") in shown.out
    with free.open() as site:
        assert list(site.state.scan("runs")) == []


def test_a_label_that_is_removed_moves_what_it_kept(
    shop: Any, freehold: Callable[..., Any]
) -> None:
    said = freehold("plan", "--what-if", "unlabel=load:pii", "--json")
    assert moves(said)["fit"] == ("onprem", "aws")
    assert said.data["difference"]["totals"]["money"]["less"] > 0
    assert said.data["difference"]["assumed"] == ["labels"]


def test_a_site_without_which_nothing_can_run_is_refused_with_every_rule(
    shop: Any, freehold: Callable[..., Any]
) -> None:
    """The label keeps all at home: that home is down leaves no plan, and the answer says so."""
    said = freehold("plan", "--what-if", "down=onprem", "--json")
    assert said.code == 1
    error = said.data["error"]
    assert error["code"] == "plan.no-site"
    told = " ".join(fault["what"] for fault in error["faults"])
    assert "onprem: it is left out" in told
    assert "aws: pii: the site does not accept it" in told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("down=awz", "there is no site 'awz'; there is aws"),
        ("price=aws*-1", "-1 is not above 0"),
        ("price=aws/m5*2", "there is no machine 'm5'"),
        ("unlabel=lod:pii", "there is no step 'lod'; there is load"),
        ("doun=aws", "there is no change 'doun'; down?"),
    ],
)
def test_what_cannot_be_read_is_wrong_usage(
    shop: Any, freehold: Callable[..., Any], change: str, told: str
) -> None:
    said = freehold("plan", "--what-if", change, "--json")
    assert said.code == 2
    (fault,) = said.data["error"]["faults"]
    assert told in fault["what"]
    assert fault["where"] == change


def test_a_plan_is_compared_with_the_last_that_was_carried_out(
    shop: Any, freehold: Callable[..., Any]
) -> None:
    said = freehold("plan", "--diff", "--json")
    assert said.code == 1
    assert said.data["error"]["code"] == "plan.none-applied"
    assert freehold("run", "--yes").code == 0
    shop.change("shop.py", "resumes=True", "resumes=True, cache=False")
    shop.change("freehold.yaml", "purchase: 9000", "purchase: 12000")
    said = freehold("plan", "--diff", "--json")
    assert said.code == 0, said.err
    difference = said.data["difference"]
    assert difference["assumed"] == ["code", "sites"]
    assert difference["totals"]["money"]["less"] > 0
    shown = freehold("plan", "--diff").out
    assert "compared: the last plan that was carried out" in shown
    assert "they stand on different code, sites" in shown
    assert "money: " in shown
