"""What was spent, as people ask for it; budgets that warn, refuse and ask."""

import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from freehold.app.costs import costs as costs_module
from freehold.app.costs import meter as metering
from freehold.app.costs.budgets import (
    answer_request,
    budgets,
    find_request,
    objections,
    require_budget,
    run_cost,
    standings,
    tags_of,
    today_of,
    typical_cost,
)
from freehold.app.costs.costs import asked, chart, costs, drawing
from freehold.app.costs.watch import watch_costs
from freehold.app.site.opening import open_site
from freehold.cli import budgets as budgets_command  # noqa: F401 - imported when it is called
from freehold.cli import costs as costs_command  # noqa: F401 - the same
from freehold.cli.main import run
from freehold.costs.budget import Charge
from freehold.costs.summary import Covered
from freehold.domain.errors import BudgetExceeded, Conflict, NotFound, WrongUsage
from freehold.domain.fact import Draft
from freehold.monitoring.proposals import signals_of

DAY = 86_400
PLAN = "sha256:" + "ab" * 32


def with_budgets(consumer: Any, text: str) -> Any:
    """The same site, its project file with budgets."""
    consumer.site.close()
    file = consumer.folder / "freehold.yaml"
    file.write_text(file.read_text() + f"budgets:\n{text}")
    consumer.site = open_site(consumer.folder, consumer.clock)
    return consumer


def spend(consumer: Any, hours: float, run: str = "r1", **more: Any) -> None:
    consumer.run(run)
    consumer.step(hours * 3600, run=run, **more)
    end = {"run": run, "status": "finished"}
    consumer.site.ledger.append([Draft("run.finished", end)])
    consumer.meter()


def test_costs_by_site_day_and_tag_are_the_same_money(consumer: Any) -> None:
    spend(consumer, 2, "r1")
    consumer.clock.pass_seconds(DAY)
    spend(consumer, 3, "r2")
    whole = 5 * 0.36
    for by in (["site"], ["day"], ["tag:team"], ["model", "day"], ["tag:pipeline"], ["run"]):
        found = costs(consumer.site, asked(by))
        assert sum(row["effective"] for row in found["totals"]) == pytest.approx(whole)
    one = costs(consumer.site, asked(["site"], "2026-11-03", "2026-11-04"))
    assert sum(row["effective"] for row in one["totals"]) == pytest.approx(3 * 0.36)
    assert one["by"] == ["site"] and one["shape"] == 1


def applied(consumer: Any, run: str, money: float | None, **steps: tuple[str, float]) -> None:
    """A plan that was carried out as this run; by step its site and money."""
    place = {"machine": "m5.large", "spot": False}
    body = {
        "assumed": {},
        "attachment": "",
        "carbon": None if money is None else 0.2,
        "currency": "USD",
        "lowered": {},
        "money": money,
        "pipeline": "train",
        "plan": PLAN,
        "seconds": 10.0,
        "steps": {
            step: {
                "action": "run",
                "place": {**place, "site": at},
                "estimate": {"money": one, "carbon": 0.1, "seconds": 5.0},
            }
            for step, (at, one) in steps.items()
        },
    }
    (entry,) = consumer.site.ledger.append([Draft("plan.applied", body)])
    started = {
        "environment": "",
        "parameters": {},
        "parameters_attachment": "",
        "pipeline": "train",
        "run": run,
        "steps": 1,
    }
    consumer.site.ledger.append([Draft("run.started", started, 2, cause=(entry.fact.name,))])


def test_estimate_beside_actual_by_run_and_experiment(consumer: Any) -> None:
    applied(consumer, "r1", 1.0)
    consumer.step(3600, run="r1")
    consumer.meter()
    (run,) = costs(consumer.site, asked([]))["runs"]
    assert (run["estimate"], run["carbon_estimate"]) == (1.0, 0.2)
    assert run["money"] == pytest.approx(0.36) and run["carbon"] == pytest.approx(0.05)
    (experiment,) = costs(consumer.site, asked([]))["experiments"]
    assert experiment["pipeline"] == "train" and experiment["runs"] == 1
    assert run_cost(consumer.site, "r1") == pytest.approx(0.36)
    spend(consumer, 1, "r2")
    (experiment,) = costs(consumer.site, asked([]))["experiments"]
    assert (experiment["runs"], experiment["planned_runs"], experiment["estimate"]) == (2, 1, 1.0)
    assert experiment["money_of_planned"] == pytest.approx(0.36)
    assert experiment["money"] == pytest.approx(0.72)


def test_estimate_beside_actual_by_site_model_team_day_and_tag(consumer: Any) -> None:
    """Two runs with plans on two days, at two sites; one without; what is no run's."""
    applied(consumer, "r1", 1.0, load=("here", 0.3), fit=("there", 0.5))
    consumer.step(3600, run="r1", step="load", site="here", machine="m5.large")
    consumer.step(1800, run="r1", step="fit", site="there", machine="m5.large")
    consumer.clock.pass_seconds(DAY)
    applied(consumer, "r2", 0.4, load=("here", 0.4))
    consumer.step(7200, run="r2", step="load", site="here", machine="m5.large")
    spend(consumer, 5, "r3")
    consumer.moves(sent=1_000_000_000)
    consumer.meter()

    def told(*by: str, **more: str) -> dict[Any, tuple[float | None, float]]:
        found = costs(consumer.site, asked(by, **more))["estimates"]
        return {
            one[by[0]]: (one["estimate"], pytest.approx(one["money"], abs=1e-9)) for one in found
        }

    whole = (pytest.approx(1.4), 1.26)
    assert told("site") == {"here": (pytest.approx(0.7), 1.08), "there": (0.5, 0.18), None: (
        pytest.approx(0.2), 0.0)}  # fmt: skip
    assert told("day") == {"2026-11-02": (1.0, 0.54), "2026-11-03": (0.4, 0.72)}
    assert told("team") == {"growth": whole}
    assert told("model") == {"churn": whole}
    assert told("tag:environment") == {"test": whole}
    assert told("tag:pipeline") == {"train": whole}
    assert told("run") == {"r1": (1.0, 0.54), "r2": (0.4, 0.72)}
    assert told("step")["fit"] == (0.5, 0.18)
    assert told("site", until="2026-11-03")["here"] == (pytest.approx(0.3), 0.36)
    consumer.run("r4")
    assert "r4" not in told("run") and "r3" not in told("run")


def test_a_bill_takes_nothing_from_what_stands_beside_an_estimate(
    consumer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a bill covers is left out of the sums, since the bill has it; not of these runs."""
    applied(consumer, "r1", 1.0, load=("here", 1.0))
    consumer.step(3600, run="r1", step="load", site="here", machine="m5.large")
    consumer.meter()
    before = costs(consumer.site, asked(["site"]))
    (provider,) = {one["provider"] for one in costs(consumer.site, asked(["provider"]))["totals"]}
    start = datetime(2026, 11, 1, tzinfo=UTC)
    bill = Covered(provider, start, start + timedelta(days=30))
    monkeypatch.setattr(costs_module, "covered", lambda _: [bill])
    after = costs(consumer.site, asked(["site"]))
    assert before["totals"] and after["totals"] == []
    assert after["estimates"] == before["estimates"] != []
    assert [one["money"] for one in after["estimates"]] == [pytest.approx(0.36)]


def test_a_plan_that_placed_nothing_has_no_estimate(consumer: Any) -> None:
    applied(consumer, "r1", None)
    consumer.step(3600, run="r1")
    consumer.meter()
    found = costs(consumer.site, asked(["site"]))
    assert found["estimates"] == [] and found["runs"][0]["estimate"] is None


def test_what_was_spent_at_an_unknown_price_is_said_beside_the_estimate(consumer: Any) -> None:
    applied(consumer, "r1", 1.0, load=("here", 1.0))
    consumer.step(3600, run="r1", step="load", site="here", machine="unheard-of")
    consumer.meter()
    (one,) = costs(consumer.site, asked(["site"]))["estimates"]
    assert (one["estimate"], one["money"], one["unpriced"]) == (1.0, 0.0, 1)


def test_a_champion_costs_what_its_endpoint_did_by_the_days_on_which_it_was_up(
    consumer: Any,
) -> None:
    """Two hours on one day, four on another, none between; the version before it does not count."""

    def crown(version: int) -> None:
        body = {"model": "churn", "alias": "champion", "version": version}
        consumer.site.ledger.append(
            [Draft("alias.moved", {**body, "previous": None, "release": ""})]
        )

    def serve(hours: float, **seconds: float) -> None:
        start = consumer.clock.now
        consumer.clock.pass_seconds(hours * 3600)
        consumer.beat(f"{start}-1", start, ended=True, **seconds)
        consumer.meter()

    found = costs(consumer.site, asked(["model"]))
    assert found["champions"] == []
    crown(1)
    serve(1, v1=3600.0)
    crown(2)
    serve(2, v2=7200.0)
    consumer.clock.pass_seconds(2 * DAY)
    serve(4, v2=4 * 3600.0)
    (one,) = costs(consumer.site, asked(["model"]))["champions"]
    assert (one["model"], one["version"], one["days"]) == ("churn", "2", 2)
    assert one["money"] == pytest.approx(6 * 0.36)
    assert one["per_day"] == pytest.approx(3 * 0.36)
    (first,) = costs(consumer.site, asked(["model"], until="2026-11-03"))["champions"]
    assert (first["days"], first["per_day"]) == (1, pytest.approx(2 * 0.36))


def test_a_champions_day_at_an_unknown_price_is_unknown(consumer: Any, tariff: Any) -> None:
    body = {"model": "churn", "alias": "champion", "version": 1, "previous": None, "release": ""}
    consumer.site.ledger.append([Draft("alias.moved", body)])
    start = consumer.clock.now
    consumer.clock.pass_seconds(3600)
    consumer.beat("1-1", start, v1=3600.0)
    metering.meter(consumer.site, replace(tariff, machine=""))
    (one,) = costs(consumer.site, asked(["model"]))["champions"]
    assert one["per_day"] is None


def test_a_thousand_predictions_cost_what_their_endpoint_did(consumer: Any) -> None:
    start = consumer.clock.now
    consumer.meter()
    consumer.clock.pass_seconds(3600)
    consumer.beat("1-1", start, v1=3600.0)
    consumer.log_part(2000, version=1)
    consumer.meter()
    (one,) = costs(consumer.site, asked(["model"]))["predictions"]
    assert (one["model"], one["version"], one["predictions"]) == ("churn", "1", 2000)
    assert one["per_thousand"] == pytest.approx(0.18)


def test_an_endpoint_that_nobody_asks_idles(consumer: Any) -> None:
    start = consumer.clock.now
    consumer.clock.pass_seconds(7200)
    consumer.beat("1-1", start, v3=7200.0)
    consumer.meter()
    found = costs(consumer.site, asked(["kind"]))
    (idle,) = found["idle"]
    assert (idle["version"], idle["hours"]) == ("3", pytest.approx(2.0))
    assert found["predictions"][0]["per_thousand"] is None


def with_racks(consumer: Any) -> Any:
    """Two racks: 8.76 for a year of 8760 hours, half of which are used: 0.002 and energy 0.25."""
    consumer.site.close()
    file = consumer.folder / "freehold.yaml"
    owned = "{purchase: 8.76, years: 1, watts: 500, kwh_price: 0.5, pue: 1, utilisation: 0.5}"
    rack = f"rack: {{cpus: 2, memory: 8 GiB, count: 2, owned: {owned}}}"
    uncounted = f"loose: {{cpus: 2, memory: 8 GiB, owned: {owned}}}"
    text = file.read_text().replace("machines: {", f"machines: {{{rack}, {uncounted}, ")
    file.write_text(text)
    consumer.site = open_site(consumer.folder, consumer.clock)
    return consumer


def test_what_racks_did_not_do_is_told_at_their_derived_price(consumer: Any) -> None:
    """They stand from nine o'clock; three hours of one of them are used; ten have passed."""
    with_racks(consumer)
    consumer.step(3 * 3600, run="r1", machine="rack", site="here")
    consumer.meter()
    consumer.clock.pass_seconds(7 * 3600)
    (one,) = costs(consumer.site, asked([]))["unused"]
    assert (one["site"], one["machine"], one["count"]) == ("here", "rack", 2)
    assert one["hours_there"] == pytest.approx(20.0, abs=1e-4)
    assert (one["hours_used"], one["hours"]) == (3.0, pytest.approx(17.0, abs=1e-4))
    assert one["price"]["value"] == pytest.approx(0.252)
    assert one["effective"] == pytest.approx(17 * 0.252, abs=1e-4)
    (day,) = costs(consumer.site, asked([], "2026-11-02", "2026-11-03"))["unused"]
    assert day["hours_there"] == pytest.approx(2 * 19, abs=1e-3)
    assert costs(consumer.site, asked([], "2026-12-01"))["unused"] == []


def test_racks_that_do_more_than_there_are_hours_idle_nothing(consumer: Any) -> None:
    with_racks(consumer)
    for _ in range(5):
        consumer.step(3600, run="r1", machine="rack", site="here")
        consumer.clock.pass_seconds(-3600)
    consumer.meter()
    (one,) = costs(consumer.site, asked([]))["unused"]
    assert one["hours"] == 0.0 and one["effective"] == 0.0


def test_pictures_for_terminals_and_pages(consumer: Any) -> None:
    with pytest.raises(NotFound):
        drawing(costs(consumer.site, asked(["site"])))
    assert chart(costs(consumer.site, asked(["site"])), 60) == []
    spend(consumer, 1)
    consumer.clock.pass_seconds(DAY)
    spend(consumer, 1, "r2")
    found = costs(consumer.site, asked(["site"]))
    assert drawing(found).startswith("<svg") and "USD" in drawing(found)
    bar, days = chart(found, 60)
    assert "here" in bar and "0.72 USD" in bar and days.startswith("2026-11-02")
    assert drawing(costs(consumer.site, asked(["day"]))).startswith("<svg")


@pytest.mark.parametrize(
    ("by", "since", "until"),
    [(["sight"], "", ""), ([], "soon", ""), ([], "2026-11-02", "2026-11-01")],
)
def test_what_cannot_be_asked_is_said(consumer: Any, by: list[str], since: str, until: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        costs(consumer.site, asked(by, since, until))
    assert caught.value.why and caught.value.hint


def test_a_budget_warns_once_then_refuses_with_its_figures(consumer: Any) -> None:
    with_budgets(consumer, "  month: {limit: 1, warn: 0.5}\n")
    spend(consumer, 2, "r1")
    (one,) = standings(consumer.site)
    assert one.state == "warned" and one.spent == pytest.approx(0.72)
    today = today_of(consumer.site)
    assert [s.kind for s in watch_costs(consumer.site, [one], today)] == ["budget-warned"]
    assert watch_costs(consumer.site, [one], today + timedelta(days=3)) == []
    charges = [Charge(tags_of(consumer.site, "train"), 0.5)]
    with pytest.raises(BudgetExceeded) as caught:
        require_budget(consumer.site, charges, PLAN)
    assert caught.value.code == "budget.exceeded" and caught.value.hint
    (fault,) = caught.value.faults
    for figure in ("1.00", "0.72 spent", "0.50", "2026-11"):
        assert figure in fault.what
    refused = [s for s in signals_of(consumer.site.state, "") if s.kind == "budget-refused"]
    assert len(refused) == 1 and refused[0].feature == "month"
    require_budget(consumer.site, [Charge({}, 0.2)], PLAN)
    require_budget(consumer.site, [Charge({}, 0.0)], PLAN)


def test_budgets_tell_what_the_month_comes_to_and_that_it_will_pass(
    consumer: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six whole days of 0.72 each, from the second of November: 29 days come to 20.88."""
    with_budgets(consumer, "  month: {limit: 20, warn: 0.9}\n  large: {limit: 30}\n")
    for day in range(6):
        began = consumer.clock.now
        spend(consumer, 2, f"r{day}")
        if day == 2:
            (one, _) = budgets(consumer.site)["budgets"]
            assert one["forecast"]["expected"] is None and one["will_pass"] is None
        consumer.clock.now = began + DAY * 1_000_000
    large, month = budgets(consumer.site)["budgets"]
    told = month["forecast"]
    assert month["state"] == "within" and month["will_pass"] is True
    assert large["will_pass"] is False
    assert (told["days"], told["spent"]) == (6, pytest.approx(6 * 0.72, abs=1e-3))
    assert told["expected"] == pytest.approx(29 * 0.72, abs=1e-3)
    assert told["low"] <= told["expected"] <= told["high"]

    def opened(*_: Any) -> Any:
        return open_site(consumer.folder, consumer.clock)

    monkeypatch.setattr(sys.modules["freehold.cli.budgets"], "open_site", opened)
    assert run(["budgets"]) == 0
    shown = capsys.readouterr().out
    assert "within, will pass" in shown and "20.88 (20.88 to 20.88)" in shown
    assert "month: forecast by mean of days of 6 days, 90% interval" in shown


def test_a_budget_that_asks_takes_a_word_for_that_plan_only(consumer: Any) -> None:
    with_budgets(consumer, "  month: {limit: 1, then: approve}\n")
    charges = [Charge({}, 5.0)]
    assert objections(consumer.site, charges, PLAN)
    for _ in range(2):
        with pytest.raises(BudgetExceeded) as caught:
            require_budget(consumer.site, charges, PLAN)
        assert caught.value.code == "budget.needs-approval"
    assert len(consumer.facts("budget.asked")) == 1
    (waiting,) = budgets(consumer.site)["requests"]
    assert waiting["standing"] == "asked" and waiting["request"] in caught.value.hint
    answer_request(consumer.site, waiting["request"], "approved")
    require_budget(consumer.site, charges, PLAN)
    with pytest.raises(BudgetExceeded):
        require_budget(consumer.site, charges, "sha256:" + "cd" * 32)
    with pytest.raises(Conflict):
        answer_request(consumer.site, waiting["request"], "rejected")
    with pytest.raises(NotFound):
        find_request(consumer.site, "budget/month/none")
    consumer.clock.pass_seconds(30 * DAY)
    with pytest.raises(BudgetExceeded):
        require_budget(consumer.site, charges, PLAN)


def test_filters_choose_what_a_budget_pays(consumer: Any) -> None:
    with_budgets(
        consumer,
        "  churn: {limit: 10, model: churn}\n  growth: {limit: 10, team: growth}\n"
        "  there: {limit: 10, tag: {site: there}}\n",
    )
    spend(consumer, 1, "r1")
    consumer.moves(sent=1_000_000_000)
    consumer.meter()
    found = {one.name: one.spent for one in standings(consumer.site)}
    assert found["churn"] == pytest.approx(0.36)
    assert found["growth"] == pytest.approx(0.36 + 0.09)
    assert found["there"] == 0


def test_what_a_running_plan_still_costs_is_committed(consumer: Any) -> None:
    with_budgets(consumer, "  month: {limit: 10}\n")
    applied = {
        "assumed": {},
        "attachment": "",
        "carbon": None,
        "currency": "USD",
        "lowered": {},
        "money": 2.0,
        "pipeline": "train",
        "plan": PLAN,
        "seconds": 1.0,
        "steps": {},
    }
    (entry,) = consumer.site.ledger.append([Draft("plan.applied", applied)])
    started = {
        "environment": "",
        "parameters": {},
        "parameters_attachment": "",
        "pipeline": "train",
        "run": "r1",
        "steps": 1,
    }
    consumer.site.ledger.append([Draft("run.started", started, 2, cause=(entry.fact.name,))])
    consumer.step(3600, run="r1")
    consumer.meter()
    (one,) = standings(consumer.site)
    assert one.spent == pytest.approx(0.36) and one.committed == pytest.approx(1.64)
    consumer.site.ledger.append([Draft("run.finished", {"run": "r1", "status": "finished"})])
    (one,) = standings(consumer.site)
    assert one.committed == 0


def test_the_typical_cost_is_that_of_the_latest_runs(consumer: Any) -> None:
    assert typical_cost(consumer.site, "train") is None
    for place, hours in enumerate([100, 1, 2, 3, 2, 2]):
        spend(consumer, hours, f"r{place}")
    assert typical_cost(consumer.site, "train") == pytest.approx(2 * 0.36)
    spend(consumer, 1, "r9", machine="nobody-knows")
    assert run_cost(consumer.site, "r9") is None
    assert typical_cost(consumer.site, "train") == pytest.approx(2 * 0.36)


def test_an_odd_day_is_a_signal_once(consumer: Any) -> None:
    for day in range(40):
        hours = 14 if day == 38 else 2 + 0.1 * (day % 3)
        consumer.run(f"r{day}")
        consumer.step(hours * 3600, run=f"r{day}")
        consumer.clock.pass_seconds(DAY - (consumer.clock.now // 1_000_000) % DAY + 3600)
    consumer.meter()
    today = today_of(consumer.site)
    found = watch_costs(consumer.site, [], today)
    kinds = {(one.kind, one.model, one.window.end) for one in found}
    odd = (date(2026, 11, 2) + timedelta(days=38)).isoformat()
    assert ("cost-anomaly", "", odd) in kinds and ("cost-anomaly", "churn", odd) in kinds
    assert {one.window.end for one in found} == {odd}
    assert watch_costs(consumer.site, [], today) == []


def test_a_svg_is_written_where_it_is_asked_for(
    consumer: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spend(consumer, 1)
    consumer.site.close()
    monkeypatch.setattr(
        sys.modules["freehold.cli.costs"],
        "open_site",
        lambda: open_site(consumer.folder, consumer.clock),
    )
    target = tmp_path / "costs.svg"
    assert run(["costs", "--by", "model", "--svg", str(target)]) == 0
    assert f"chart written to {target}" in capsys.readouterr().err
    picture = ElementTree.parse(target).getroot()
    assert picture.tag.endswith("svg")
    told = " ".join(text.strip() for text in picture.itertext())
    assert "churn" in told and "USD" in told and "Costs by day and model" in told
    assert run(["costs", "--by", "model", "--svg", str(tmp_path / "none" / "costs.svg")]) != 0
