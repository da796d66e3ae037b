"""What may be asked of `--what-if`, and how two plans are compared."""

from collections.abc import Callable
from typing import Any

import pytest

from freehold.domain.errors import WrongUsage
from freehold.domain.offer import Offer
from freehold.domain.placement import Place
from freehold.planning.change import read_changes
from freehold.planning.comparison import compare
from freehold.planning.ground import Ground
from freehold.planning.problem import Limits
from freehold.planning.run_plan import PlannedStep, RunPlan

OWN = {"load": {"pii": ""}, "fit": {}}


@pytest.fixture
def stands(offer: Callable[..., Offer], ground: Callable[..., Ground]) -> Ground:
    return ground(offer("aws", "m5", 2.0), offer("aws", "c5", 3.0), offer("home", "rack", 1.0))


def test_a_price_is_changed_and_says_so(stands: Ground) -> None:
    changed = read_changes(["price=aws/m5*2", "price=home*0.5"], stands, OWN).on(stands)
    prices = {(o.site, o.machine): o.price for offers in changed.offers.values() for o in offers}
    assert prices["aws", "m5"].value == 4.0
    assert prices["aws", "c5"].value == 3.0
    assert prices["home", "rack"].value == 0.5
    assert "--what-if" in prices["aws", "m5"].source


def test_a_site_is_down_a_quota_is_another_and_limits_are(stands: Ground) -> None:
    found = read_changes(["down=aws", "quota=home/cpus:0", "deadline=2", "budget=1.5"], stands, OWN)
    changed = found.on(stands)
    assert set(changed.down) == {"aws"}
    assert changed.quotas == {"home cpus": 0.0}
    assert found.limits(Limits(1.0, None)) == Limits(7200.0, 1.5)


def test_a_label_is_left_out_at_one_step_or_at_all(stands: Ground) -> None:
    assert read_changes(["unlabel=load:pii"], stands, OWN).ignored_of(OWN) == {"load": {"pii"}}
    everywhere = read_changes(["unlabel=pii"], stands, OWN).ignored_of(OWN)
    assert everywhere == {"load": {"pii"}, "fit": {"pii"}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("dwn=aws", "down?"),
        ("down=awz", "aws"),
        ("price=aws/m6*2", "m5"),
        ("price=aws*zero", "'zero' is not a number"),
        ("price=aws*-1", "-1 is not above 0"),
        ("price=aws*inf", "inf is not above 0"),
        ("unlabel=lod:pii", "load"),
        ("unlabel=residency", "there is pii"),
        ("quota=aws/cpus:-1", "at least 0"),
        ("deadline=soon", "'soon' is not a number"),
        ("", "there is no change ''"),
    ],
)
def test_what_cannot_be_read_says_what_could(stands: Ground, text: str, told: str) -> None:
    with pytest.raises(WrongUsage) as raised:
        read_changes(["down=aws", text], stands, OWN)
    (fault,) = raised.value.faults
    assert fault.where == text
    assert told in fault.what


def plan(places: dict[str, Place], **assumed: str) -> dict[str, Any]:
    steps = tuple(PlannedStep(name, "m:f", "run", (), "", p) for name, p in places.items())
    return RunPlan("train", {}, steps, "", assumed).as_json()


def test_two_plans_beside_each_other() -> None:
    before = plan(
        {"a": Place("x"), "b": Place("x", "m5"), "gone": Place("x")}, prices="1", code="1"
    )
    after = plan({"a": Place("x"), "b": Place("y", "m5"), "new": Place("x")}, prices="2", code="1")
    found = compare(before, after)
    assert [(one.step, one.before.site, one.after.site) for one in found.moved] == [("b", "x", "y")]
    assert (found.added, found.removed, found.assumed) == (("new",), ("gone",), ("prices",))
    assert not found.none
    assert compare(before, before).none
