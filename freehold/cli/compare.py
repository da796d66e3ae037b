"""`freehold compare`"""

import click

from freehold.app.loop.compare import compare_months
from freehold.app.site.opening import open_site
from freehold.cli import drawing, output
from freehold.domain.statistics.estimate import Estimate


@click.command("compare", help="What served, by month, beside MODEL@VERSION had it stayed.")
@click.argument("name", metavar="MODEL@VERSION")
@output.as_json
def command(name: str, as_json: bool) -> None:
    with open_site() as site:
        months = compare_months(site, name)
    if as_json:
        output.data({"shape": 1, "frozen": name, "months": [one.as_json() for one in months]})
        return
    drawing.table(
        "",
        ["month", "labelled>", "AUC of what served>", f"AUC of {name}>", "gained>", "95 %"],
        [
            [
                one.month,
                f"{one.rows:,}",
                _figure(one.live),
                _figure(one.frozen),
                "–" if one.gained.value is None else f"{one.gained.value:+.3f}",
                ""
                if one.gained.low is None or one.gained.high is None
                else f"{one.gained.low:+.3f} to {one.gained.high:+.3f}",
            ]
            for one in months
        ],
    )
    output.next_command("freehold signals")


def _figure(estimate: Estimate) -> str:
    return "–" if estimate.value is None else f"{estimate.value:.3f}"
