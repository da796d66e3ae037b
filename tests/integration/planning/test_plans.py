"""`freehold plan` over three sites with the tables of prices: where, why not, at what cost."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from freehold.app.run.applying import apply_plan, difference_to_last, plan_again, read_plan
from freehold.app.run.plan import plan_run
from freehold.app.run.run import run
from freehold.app.run.whatif import what_would_change
from freehold.domain.errors import (
    Conflict,
    NotFound,
    PlacementImpossible,
    PolicyDenied,
    ProjectInvalid,
    WrongUsage,
)
from freehold.planning.run_plan import RunPlan


def where(plan: RunPlan) -> dict[str, str]:
    assert plan.placed is not None
    return {one.step: one.place.site for one in plan.placed.steps}


def test_a_label_keeps_every_step_at_home_and_the_plan_says_so(shop: Any) -> None:
    with shop.open() as site:
        plan = plan_run(site).plan
    assert set(where(plan).values()) == {"onprem"}
    assert plan.placed is not None
    fit = plan.placed.step("fit")
    assert fit.labels == {"pii": "", "residency": "EU"}
    refused = {one.site: (one.rule, one.why) for one in fit.refused}
    assert refused["aws"] == ("label", "pii: the site does not accept it")
    assert refused["azure"][0] == "label"


def test_removing_the_label_moves_it_and_shows_the_saving(shop: Any) -> None:
    with shop.open() as site:
        found = what_would_change(site, "train", {}, ["unlabel=load:pii"])
        assert site.state.get("applied_plans", "train") is None
    moved = {one.step: one.after.site for one in found.difference.moved}
    assert moved["fit"] == "aws"
    before, after = found.difference.totals["money"]
    assert after < before
    assert found.difference.assumed == ("labels",)


def test_every_figure_of_a_plan_says_its_source(shop: Any) -> None:
    shop.change("shop.py", ', "pii": ""', "")
    with shop.open() as site:
        placed = plan_run(site).plan.placed
    assert placed is not None
    for step in placed.steps:
        assert {"price", "work"} <= step.figures.keys()
        assert all(figure.source for figure in step.figures.values())
    fit = placed.step("fit")
    assert fit.place.spot
    assert "under on demand" in fit.figures["price"].source
    assert fit.figures["price"].date
    load = placed.step("load")
    assert "9000 USD / 4 years" in load.figures["price"].source
    for crossing in placed.crossings:
        assert crossing.price.source
        assert crossing.size.source


def test_a_declared_step_lowers_a_label_with_a_policys_consent(shop: Any) -> None:
    shop.change("shop.py", "resumes=True", 'resumes=True, lowers=["pii"]')
    with shop.open() as site:
        planned = plan_run(site)
        assert planned.lowered == {"fit": {"pii": ""}}
        assert where(planned.plan) == {"load": "onprem", "fit": "onprem", "report": "aws"}
        made = run(site, _at_home(planned)).outcome
        (artifact,) = made.steps["fit"].outputs
        assert artifact.labels == {"residency": "EU"}
        row = site.state.get("applied_plans", "train")
    assert row["lowered"] == {"fit": {"pii": ""}}


def _at_home(planned: Any) -> Any:
    """As if all were placed here: no agent of another site is needed."""
    from dataclasses import replace

    return replace(planned, places={})


@pytest.mark.parametrize(
    ("consent", "lowers"), [("", '["pii"]'), ("lowering", '["pii", "residency=EU"]')]
)
def test_without_consent_nothing_is_lowered(shop: Any, consent: str, lowers: str) -> None:
    if not consent:
        shop.change("freehold.yaml", "  consent: lowering\n", "")
    shop.change("shop.py", "resumes=True", f"resumes=True, lowers={lowers}")
    with shop.open() as site, pytest.raises(PolicyDenied) as raised:
        plan_run(site)
    assert raised.value.code == "label.lowering"
    (fault,) = raised.value.faults
    assert "'fit' may not lower" in fault.what
    assert fault.where.startswith("shop.py:")


def test_a_policy_refuses_a_step_at_a_site(shop: Any) -> None:
    shop.change("shop.py", ', "pii": ""', "")
    with shop.open() as site:
        assert where(plan_run(site).plan)["report"] == "aws"
    shop.change("placing/friday.rego", '"nowhere"', '"aws"')
    with shop.open() as site:
        placed = plan_run(site).plan.placed
    assert placed is not None
    report = placed.step("report")
    assert report.place.site == "onprem"
    (refusal,) = [one for one in report.refused if one.site == "aws"]
    assert refusal.rule == "policy"
    assert "friday/not-there: reports are not made there" in refusal.why


def test_a_step_with_no_site_lists_every_rule(shop: Any) -> None:
    shop.change("shop.py", "cpus=4", "cpus=4, accelerators=1")
    with shop.open() as site, pytest.raises(PlacementImpossible) as raised:
        plan_run(site)
    (fault,) = raised.value.faults
    assert "needs 1 accelerators, has 0" in fault.what
    assert "pii: the site does not accept it" in fault.what
    assert fault.where.startswith("shop.py:")


def test_where_no_site_states_machines_labels_still_hold(shop: Any) -> None:
    text = (shop.root / "freehold.yaml").read_text()
    kept = [
        "freehold.yaml",
        "\n".join(
            line
            for line in text.splitlines()
            if not line.startswith(("    machines", "      ")) and "region" not in line
        ),
    ]
    shop.write(
        kept[0], kept[1].replace("    provider: aws\n", "").replace("    provider: azure\n", "")
    )
    with shop.open() as site:
        plan = plan_run(site).plan
        assert plan.placed is None
        assert {one.place.site for one in plan.steps} == {"onprem"}
    shop.change("freehold.yaml", "site: onprem", "site: azure")
    from freehold.app.site.opening import open_site

    with open_site(shop.root) as site, pytest.raises(PlacementImpossible) as raised:
        plan_run(site)
    assert "residency=EU" in raised.value.faults[0].what or "pii" in raised.value.faults[0].what
    with open_site(shop.root) as site, pytest.raises(WrongUsage):
        plan_run(site, what_if=["down=aws"])


# Carried out only while the world is as it was.


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("shop.py", "rows) / len", "rows) // len", "Python"),
        ("freehold.yaml", "purchase: 9000", "purchase: 9001", "sites"),
        ("freehold.yaml", "boot_seconds: 60", "boot_seconds: 61", "sites"),
        ("placing/friday.rego", "nowhere", "somewhere", "policies"),
        ("requirements.lock", "", "polars==1", "environment"),
        ("prices.yaml", "0.9", "0.8", "prices"),
    ],
)
def test_a_plan_is_not_carried_out_when_the_world_has_moved(
    shop: Any, freehold: Callable[..., Any], name: str, old: str, new: str, told: str
) -> None:
    shop.write("requirements.lock", "")
    shop.write("prices.yaml", "overhead: [{provider: aws, ratio: 1.9}]\n")
    shop.change("prices.yaml", "1.9", "0.9")
    shop.change("prices.yaml", "0.9", "1.9")
    shop.change("freehold.yaml", "site: onprem", "site: onprem\nprices: prices.yaml")
    assert freehold("plan", "--save", "plan.json").code == 0
    if name == "prices.yaml":
        old, new = "1.9", "1.8"
    if old:
        shop.change(name, old, new)
    else:
        shop.write(name, new)
    said = freehold("run", "--plan", "plan.json", "--yes", "--json")
    assert said.code == 1
    assert said.data["error"]["code"] == "plan.moved"
    assert told in said.data["error"]["because"]
    with shop.open() as site:
        assert list(site.state.scan("runs")) == []
        assert site.state.get("applied_plans", "train") is None


def test_between_the_question_and_the_answer_the_world_may_move(shop: Any) -> None:
    with shop.open() as site:
        planned = plan_run(site)
        shop.change("freehold.yaml", "purchase: 9000", "purchase: 1")
        with pytest.raises(Conflict) as raised:
            run(site, planned)
        assert raised.value.code == "plan.moved"
        assert list(site.state.scan("runs")) == []


def test_a_saved_plan_is_carried_out_and_is_the_one_to_compare_with(
    shop: Any, freehold: Callable[..., Any]
) -> None:
    assert freehold("plan", "--save", "plan.json").code == 0
    said = freehold("run", "--plan", "plan.json", "--yes", "--json")
    assert said.code == 0, said.out + said.err
    document = json.loads((shop.root / "plan.json").read_text())
    with shop.open() as site:
        row = site.state.get("applied_plans", "train")
        assert row["plan"] == document["digest"]
        assert row["assumed"] == document["assumed"]
        assert row["money"] == pytest.approx(document["placement"]["money"])
        assert row["steps"]["fit"]["place"]["site"] == "onprem"
        (started,) = [one for _, one in site.state.scan("runs")]
        assert started["cause"] == [row["fact"]]
        shop.change("shop.py", "seconds=300", "seconds=300, cache=False")
        again = plan_run(site)
        found = difference_to_last(site, again)
    assert found.assumed == ("code",)
    assert found.totals["money"][1] < found.totals["money"][0]


def test_a_plan_changed_by_hand_is_no_plan(shop: Any, freehold: Callable[..., Any]) -> None:
    freehold("plan", "--save", "plan.json")
    document = json.loads((shop.root / "plan.json").read_text())
    document["steps"][1]["place"]["site"] = "azure"
    shop.write("plan.json", json.dumps(document))
    said = freehold("run", "--plan", "plan.json", "--yes")
    assert said.code == 2
    assert "changed by hand" in said.err
    shop.write("plan.json", "{")
    assert freehold("run", "--plan", "plan.json", "--yes").code == 2
    assert freehold("run", "--plan", "none.json", "--yes").code == 1
    assert freehold("run", "--plan", "plan.json", "--set", "rows=3", "--yes").code == 2


def test_a_saved_plan_is_read_back(shop: Any, freehold: Callable[..., Any]) -> None:
    shop.change("shop.py", ', "pii": ""', "")
    freehold("plan", "--save", "plan.json")
    with shop.open() as site:
        planned = plan_again(site, read_plan(shop.root / "plan.json"))
        assert planned.places["fit"].site == "aws"
        assert planned.places["fit"].spot
        with pytest.raises(NotFound) as raised:
            difference_to_last(site, planned)
        assert raised.value.code == "plan.none-applied"
        apply_plan(site, planned)
        assert difference_to_last(site, planned).none


# What people see.


def test_the_plan_is_shown_with_places_money_and_what_leaves(
    shop: Any, freehold: Callable[..., Any]
) -> None:
    shop.change("shop.py", ', "pii": ""', "")
    said = freehold("plan")
    assert "aws g4dn.xlarge spot" in said.out
    assert "onprem → aws" in said.out
    assert "residency=EU" in said.out
    assert "total " in said.out
    assert "USD" in said.out
    assert "proven best" in said.out
    explained = freehold("plan", "--explain", "fit")
    assert "runner-up:" in explained.out
    assert "refused [label] azure: residency=EU: the site's jurisdiction is US" in explained.out
    assert "price:" in explained.out
    assert freehold("plan", "--explain", "ft").code == 1


def test_as_json(shop: Any, freehold: Callable[..., Any]) -> None:
    data = freehold("plan", "--json").data
    assert data["shape"] == 2
    assert data["assumed"].keys() == {
        "code", "environment", "labels", "policies", "prices", "sites",
    }  # fmt: skip
    fit = next(one for one in data["placement"]["steps"] if one["step"] == "fit")
    assert fit["figures"]["price"]["source"]
    assert data["placement"]["solution"]["gap"] == 0.0
    assert data["digest"] == freehold("plan", "--json").data["digest"]


# Bad input: place and remedy.


@pytest.mark.parametrize(
    ("old", "new", "code", "told"),
    [
        ("m5.xlarge:", "m5.xlrge:", "price.unknown-machine", "m5.xlarge"),
        ("region: eastus", "region: eastuss", "price.unknown-region", "eastus"),
        ("provider: aws", "provider: awss", "project.wrong-value", "aws"),
        ("memory: 64 GiB", "memory: 64 lots", "project.wrong-value", "64 lots"),
        ("memory: 64 GiB", "memory: 64 GiB\n        price: -1", "project.wrong-value", "-1"),
        ("purchase: 9000", "purchase: -9", "owned.not-positive", "purchase"),
        ("kwh_price: 0.28", "kwh_price: .nan", "owned.not-a-number", "energy"),
        ("carbon: 380", "carbon: -1", "project.wrong-value", "carbon"),
        ("carbon: 380", "quota: {gpus: 1}", "project.wrong-value", "gpus"),
        ("carbon: 380", "carbon_hours: [1, 2]", "project.wrong-value", "24"),
        ("project: shop", "project: shop\ncurrency: euro", "project.wrong-value", "euro"),
        ("project: shop", "project: shop\ncurrency: EUR", "price.currency", "USD/h"),
        ("project: shop", "project: shop\nprices: none.yaml", "project.missing-file", "none.yaml"),
        ('    store: {at: "file://ROOT/stores/aws"}\n', "", "project.missing-key", "store"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    shop: Any, freehold: Callable[..., Any], old: str, new: str, code: str, told: str
) -> None:
    shop.change("freehold.yaml", old.replace("ROOT", str(shop.root)), new)
    said = freehold("plan", "--json")
    assert said.code == 1, said.out
    faults = said.data["error"]["faults"]
    assert any(one["code"] == code and told in f"{one['what']} {one['hint']}" for one in faults), (
        faults
    )
    assert all(one["where"].startswith("freehold.yaml:") for one in faults)


def test_a_machine_without_a_price_is_no_offer_but_a_fault(
    shop: Any, freehold: Callable[..., Any]
) -> None:
    """The price file knows it, with a price of zero: that is unknown, and never free."""
    shop.change("freehold.yaml", "region: eu-north-1", "region: us-east-1")
    shop.change("freehold.yaml", "m5.xlarge:", "c5.9xlarge:")
    said = freehold("plan", "--json")
    assert said.code == 1
    (fault,) = said.data["error"]["faults"]
    assert fault["code"] == "price.unknown"
    assert fault["what"] == "aws c5.9xlarge: its price is not known"
    assert fault["where"].startswith("freehold.yaml:")
    assert "`price:`" in fault["hint"]
    shop.change("freehold.yaml", "boot_seconds: 60}", "boot_seconds: 60, price: 1.53}")
    assert freehold("plan").code == 0


def test_a_spot_price_that_is_not_known_is_a_fault(shop: Any, freehold: Callable[..., Any]) -> None:
    shop.change("freehold.yaml", "region: eu-north-1", "region: us-east-1")
    shop.change("freehold.yaml", "m5.xlarge: {", "c5.9xlarge: {price: 1.53, spot: true, ")
    said = freehold("plan", "--json")
    (fault,) = said.data["error"]["faults"]
    assert (fault["code"], fault["hint"]) == (
        "price.unknown",
        "say `spot_price:`, or take `spot:` away",
    )
    assert fault["where"].startswith("freehold.yaml:")


def test_labels_that_contradict_are_told_as_such(shop: Any, freehold: Callable[..., Any]) -> None:
    """What comes from Europe and what comes from America meet in one step."""
    shop.change("shop.py", "fit(load(rows))", "fit(both(load(rows), american(rows)))")
    shop.change(
        "shop.py",
        "@pipeline",
        '@step(labels={"residency": "US"})\ndef american(rows: int) -> list:\n'
        "    return [rows]\n\n\n"
        "@step\ndef both(one: list, other: list) -> list:\n    return one + other\n\n\n@pipeline",
    )
    said = freehold("plan", "--json")
    assert said.code == 1
    error = said.data["error"]
    assert error["code"] == "plan.no-site"
    told = {one["what"].partition(":")[0]: one for one in error["faults"]}
    assert set(told) == {f"no site may run step '{name}'" for name in ("both", "fit", "report")}
    both = told["no site may run step 'both'"]
    assert "residency=EU and residency=US contradict each other" in both["what"]
    assert "aws: pii: the site does not accept it" in both["what"]
    assert both["where"].startswith("shop.py:")
    assert "`lowers`" in both["hint"]


def test_all_faults_are_told_at_once(shop: Any) -> None:
    shop.change("freehold.yaml", "m5.xlarge:", "m5.xlrge:")
    shop.change("freehold.yaml", "Standard_D4s_v3", "Standard_D4s_v33")
    with shop.open() as site, pytest.raises(ProjectInvalid) as raised:
        plan_run(site)
    assert len(raised.value.faults) == 2
