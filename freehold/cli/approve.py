"""`freehold approve`"""

import click

from freehold.app.costs.budgets import answer_request, find_request
from freehold.app.loop.advance import carry_out
from freehold.app.loop.proposals import approve, find_proposal, reject
from freehold.app.site.opening import open_site
from freehold.cli import output

BUDGET = "budget/"


@click.command("approve", help="Act on a PROPOSAL that waits: retrain, judge, release, or spend.")
@click.argument("proposal")
@click.option("--reject", "rejected", is_flag=True, help="Turn it down instead.")
@output.yes
@output.as_json
def command(proposal: str, rejected: bool, yes: bool, as_json: bool) -> None:
    if proposal.startswith(BUDGET):
        _budget(proposal, rejected, yes, as_json)
        return
    with open_site() as site:
        found = find_proposal(site, proposal)
        if not as_json:
            kinds = ", ".join(sorted({str(one["kind"]) for one in found.signals}))
            click.echo(f"{found.name}: {found.action} {found.model}@{found.version}, for {kinds}")
        output.confirm("Reject it?" if rejected else "Approve it?", yes)
        if rejected:
            reject(site, proposal)
            acted = None
        else:
            approve(site, proposal)
            acted = carry_out(site, found.model, output.note)
        standing = find_proposal(site, proposal)
    if as_json:
        output.data({"shape": 1, **standing.as_json()})
        return
    click.echo(f"proposal {standing.name} is {standing.standing}")
    if acted is None and not rejected:
        output.note("it is carried out by the loop's next turn, when no other release is running")
    if acted is not None and acted.version is not None:
        output.next_command(f"freehold why {acted.version.name}", "freehold status")
    else:
        output.next_command("freehold status", "freehold runs")


def _budget(name: str, rejected: bool, yes: bool, as_json: bool) -> None:
    """A plan that would pass a budget: the word is for that plan, this month."""
    with open_site() as site:
        asked = find_request(site, name)
        if not as_json:
            share = "what is not known" if asked.share is None else f"{asked.share:.2f}"
            click.echo(
                f"{name}: to spend {share} {asked.currency} where {asked.used:.2f} of"
                f" {asked.limit:.2f} are spent or committed in {asked.month}"
            )
        output.confirm("Reject it?" if rejected else "Approve it?", yes)
        found = answer_request(site, name, "rejected" if rejected else "approved")
    if as_json:
        output.data({"shape": 1, "request": name, "standing": found.standing})
        return
    click.echo(f"{name} is {found.standing}")
    output.next_command("freehold run" if found.standing == "approved" else "freehold budgets")
