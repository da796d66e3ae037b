"""What the project's budgets allow: how they stand, their word about a plan, a person's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from freehold.app.costs.billed import Bills, billed_since, metered_charge, money_by_day
from freehold.app.costs.watch import refused_signal
from freehold.app.policy.reading import engine, read_policy_folder
from freehold.app.site.opening import Site
from freehold.catalog.budgets import (
    BudgetRequest,
    request_name,
    request_of,
    requests_of,
    word,
)
from freehold.catalog.metering import Spent, spent_by, spent_in
from freehold.costs.budget import Answer, Charge, Standing, answer, covers, question, share_of
from freehold.costs.forecast import WEEKS, forecast, month_of
from freehold.domain.errors import BudgetExceeded, Fault, NotFound
from freehold.domain.fact import Draft
from freehold.domain.project import BudgetSpec
from freehold.domain.projection import State
from freehold.domain.verdict import Denial
from freehold.planning.applied import estimate_of

LATEST = 5
"""Runs of a pipeline by which the next one's cost is told."""
LOOK_BACK = timedelta(weeks=WEEKS + 1)


def today_of(site: Site) -> date:
    return datetime.fromtimestamp(site.clock() / 1e6, UTC).date()


def standings(site: Site) -> list[Standing]:
    """Of every budget in this month, by name; of all that this site knows to be metered, other
    sites' too, and of the bills that lie here. Raises IntegrityError if one of its own is gone."""
    today = today_of(site)
    if not site.project.spec.budgets:
        return []
    since = min(today - LOOK_BACK, today.replace(day=1))
    until = (today + timedelta(days=1)).isoformat()
    known = _Known(
        today,
        list(spent_in(site.state, since.isoformat(), until)),
        billed_since(site, since),
        _committed(site, month_of(today)),
    )
    return [
        _standing(site, name, spec, known)
        for name, spec in sorted(site.project.spec.budgets.items())
    ]


def budgets(site: Site) -> dict[str, Any]:
    """JSON: the standings, and what waits for a person's word."""
    asked = requests_of(site.state, month_of(today_of(site)))
    return {
        "shape": 1,
        "budgets": [one.as_json() for one in standings(site)],
        "requests": [_request_json(one) for one in asked],
    }


def require_budget(site: Site, charges: Sequence[Charge], plan: str) -> None:
    """Before a plan is carried out. `plan`: its digest.

    Raises BudgetExceeded with the figures of every budget that says no: `budget.exceeded`, and
    `budget.needs-approval` where each of them asks for a person's word; that is then asked for.
    """
    said = _said(site, charges, plan)
    faults = _faults(said, charges, plan)
    if not faults:
        return
    refusing = [one.standing for one in said if one.answer == "refused"]
    if refusing:
        _signal(site, refusing, charges)
        raise BudgetExceeded(
            "this would cost more than may be spent",
            faults=faults,
            hint="wait for the next month, ask for less, or raise `limit` in freehold.yaml;"
            " `freehold budgets` shows how they stand",
        )
    names = [_ask(site, one.standing, charges, plan) for one in said if one.answer == "ask"]
    raise BudgetExceeded(
        "this would cost more than may be spent without a person's word",
        faults=faults,
        hint="; ".join(f"freehold approve {name}" for name in names),
        code="budget.needs-approval",
    )


def objections(site: Site, charges: Sequence[Charge], plan: str) -> list[Fault]:
    """What `require_budget` would say, for who only looks at a plan: `budget.exceeded`, or
    `budget.needs-approval` where a person may allow it."""
    return _faults(_said(site, charges, plan), charges, plan)


def find_request(site: Site, name: str) -> BudgetRequest:
    """Raises NotFound."""
    known = [one for one in requests_of(site.state) if one.name == name]
    if not known:
        waiting = ", ".join(one.name for one in requests_of(site.state)) or "none"
        raise NotFound(
            f"nothing waits as '{name}'",
            why=f"requests: {waiting}",
            hint="`freehold budgets` lists them",
            code="budget.not-found",
        )
    return known[-1]


def answer_request(site: Site, name: str, said: Literal["approved", "rejected"]) -> BudgetRequest:
    """A person's word. Raises NotFound, Conflict `budget.not-open`."""
    month = find_request(site, name).month

    def decision(state: State) -> list[Draft]:
        found = request_of(state, month, name)
        return [] if found is None else [word(found, said, site.actor)]

    site.ledger.decide(decision)
    return find_request(site, name)


def typical_cost(site: Site, pipeline: str) -> float | None:
    """The mean of the latest finished runs of a pipeline; None where there is none whose price is
    known."""
    runs = [
        row
        for _, row in site.state.scan("runs")
        if row["pipeline"] == pipeline and row["status"] == "finished"
    ]
    runs.sort(key=lambda row: (row["started"], row["run"]), reverse=True)
    costs = [cost for row in runs if (cost := run_cost(site, row["run"])) is not None][:LATEST]
    return sum(costs) / len(costs) if costs else None


def run_cost(site: Site, run: str) -> float | None:
    """Money in the project's currency; None where nothing is metered or a price is unknown."""
    spent = spent_by(site.state, run)
    if not spent or any(
        one.unpriced or one.currency != site.project.spec.currency for one in spent
    ):
        return None
    return sum(one.money for one in spent)


@dataclass(frozen=True)
class _Known:
    """What all budgets are held against."""

    today: date
    spent: Sequence[Spent]
    billed: Bills
    committed: Sequence[Charge]


def _standing(site: Site, name: str, spec: BudgetSpec, known: _Known) -> Standing:
    currency, month = site.project.spec.currency, month_of(known.today)
    metered = [(one, metered_charge(site.project.spec, one)) for one in known.spent]
    paid = [(one, charge) for one, charge in metered if covers(spec, charge.tags)]
    charges = [charge for _, charge in paid]
    billed = [one for one in known.billed.charges if covers(spec, one.tags)]
    told = forecast(money_by_day(charges, billed, currency), known.today)
    return Standing(
        name,
        spec,
        currency,
        month,
        told.spent,
        share_of(spec, known.committed) or 0.0,
        told,
        sum(one.unpriced for one, charge in paid if month_of(charge.day) == month),
        sum(
            one.rows
            for one in (*charges, *billed)
            if month_of(one.day) == month and one.currency != currency
        ),
        known.billed.absent,
    )


def _committed(site: Site, month: str) -> list[Charge]:
    """What plans that were carried out this month are still expected to spend: their estimates,
    less what is metered of their runs."""
    charges = []
    for run, row in site.state.scan("runs"):
        plan = estimate_of(site.state, row["cause"])
        begun = datetime.fromtimestamp(row["started"] / 1e6, UTC)
        if plan is None or row["status"] != "running" or month_of(begun.date()) != month:
            continue
        rest = max(
            0.0, (plan["money"] or 0.0) - sum(one.money for one in spent_by(site.state, run))
        )
        charges.append(Charge(tags_of(site, row["pipeline"]), rest))
    return charges


def tags_of(site: Site, pipeline: str, at: str = "", **more: str) -> dict[str, str]:
    """Of what a run of a pipeline will spend, at a site if that is known."""
    spec = site.project.spec
    model = next((name for name, one in spec.models.items() if one.pipeline == pipeline), "")
    told = {"model": model, "pipeline": pipeline, "project": spec.project, "site": at, **more}
    return {**spec.tags, **{name: value for name, value in told.items() if value}}


@dataclass(frozen=True)
class _Said:
    standing: Standing
    answer: Answer
    denials: Sequence[Denial] = ()
    """Of the policies that were asked whether a person may be."""


def _said(site: Site, charges: Sequence[Charge], plan: str) -> list[_Said]:
    found = []
    for one in standings(site):
        said = answer(one, charges)
        denials = _denials(site, one, charges) if said == "ask" else ()
        request = request_of(site.state, one.month, request_name(one.name, plan))
        if denials:
            said = "refused"
        elif said == "ask" and request is not None and request.standing == "approved":
            said = "fits"
        found.append(_Said(one, said, denials))
    return found


def _denials(site: Site, one: Standing, charges: Sequence[Charge]) -> Sequence[Denial]:
    if not one.spec.policies:
        return ()
    policies = read_policy_folder(site.project, one.spec.policies)
    asked = question(one, charges)
    return engine().evaluate(policies.modules, policies.data, asked).denials


def _faults(said: Iterable[_Said], charges: Sequence[Charge], plan: str) -> list[Fault]:
    return [_fault(one, charges, plan) for one in said if one.answer != "fits"]


def _fault(said: _Said, charges: Sequence[Charge], plan: str) -> Fault:
    one, share = said.standing, share_of(said.standing.spec, charges)
    asked = "what is not known" if share is None else f"{share:.2f} {one.currency}"
    what = (
        f"budget '{one.name}' of {one.spec.limit:.2f} {one.currency} for {one.month}:"
        f" {one.spent:.2f} spent, {one.committed:.2f} committed, and this would add {asked}"
    )
    if said.answer == "ask":
        hint = f"freehold approve {request_name(one.name, plan)}"
        return Fault("budget.needs-approval", what, f"budgets.{one.name}", hint)
    denied = "".join(f"; policy {denial.rule}: {denial.message}" for denial in said.denials)
    return Fault("budget.exceeded", what + denied, f"budgets.{one.name}")


def _ask(site: Site, one: Standing, charges: Sequence[Charge], plan: str) -> str:
    """Records once that a person's word is needed. Returns the request's name."""
    request = BudgetRequest(
        budget=one.name,
        plan=plan,
        month=one.month,
        currency=one.currency,
        limit=one.spec.limit,
        used=one.used,
        share=share_of(one.spec, charges),
    )

    def decision(state: State) -> list[Draft]:
        known = request_of(state, one.month, request.name)
        return [] if known is not None else [request.asking]

    site.ledger.decide(decision)
    return request.name


def _signal(site: Site, refusing: Iterable[Standing], charges: Sequence[Charge]) -> None:
    today = today_of(site).isoformat()
    drafts = [refused_signal(one, share_of(one.spec, charges), today) for one in refusing]

    def decision(state: State) -> list[Draft]:
        return [draft for draft in drafts if state.get("signals", _key(draft.body)) is None]

    site.ledger.decide(decision)


def _key(body: Mapping[str, Any]) -> str:
    return (
        f"{body['model']}/{body['window_end']}/{body['version']}/{body['kind']}/{body['feature']}"
    )


def _request_json(one: BudgetRequest) -> dict[str, Any]:
    return {
        "request": one.name,
        "budget": one.budget,
        "plan": one.plan,
        "month": one.month,
        "currency": one.currency,
        "limit": one.limit,
        "used": one.used,
        "share": one.share,
        "standing": one.standing,
    }
