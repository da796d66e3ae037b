"""The plan over three sites, by the commands that a person would type: no server is needed.

A label keeps a step at home and the plan says so; without the label it moves, and the saving is
shown; a budget blocks; one view sums a cloud's bill and the racks. `--json` prints one object.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

PROJECT = Path(__file__).parent / "plan"
RATE, HOURS = 0.204, 24
"""Of the bill's machine, USD an hour, and the hours of a day."""


class Told(Exception):
    """A command did not do what the example shows."""


class Shop:
    """The project in a folder of its own, at the site on premises."""

    def __init__(self, folder: Path, quiet: bool) -> None:
        self._folder, self._quiet = folder, quiet
        shutil.copytree(PROJECT, folder, dirs_exist_ok=True)
        self.change("/ROOT", str(folder / "stores"))

    def change(self, old: str, new: str, name: str = "freehold.yaml") -> None:
        path = self._folder / name
        path.write_text(path.read_text().replace(old, new))

    def asked(self, *arguments: str) -> Any:
        """What a command prints with --json. Raises Told if that is no JSON."""
        done = self._run([*arguments, "--json"])
        try:
            return json.loads(done.stdout)
        except ValueError as exc:
            raise Told(f"freehold {' '.join(arguments)}\n{done.stdout}{done.stderr}") from exc

    def show(self, *arguments: str) -> None:
        """The command and what it prints, for people."""
        if self._quiet:
            return
        done = self._run(list(arguments))
        click.echo(f"\nonprem$ freehold {' '.join(arguments)}\n{done.stdout}{done.stderr}".rstrip())

    def say(self, text: str) -> None:
        if not self._quiet:
            click.echo(f"\n== {text}")

    def _run(self, arguments: list[str]) -> "subprocess.CompletedProcess[str]":
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(
            ["freehold", *arguments],
            cwd=self._folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )


@click.command()
@click.option("--into", type=click.Path(path_type=Path), help="Keep the project in this folder.")
@click.option("--json", "as_json", is_flag=True)
def main(into: Path | None, as_json: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop((into or Path(folder) / "shop").absolute(), as_json)
        found = play(shop, (into or Path(folder) / "shop").absolute())
    if as_json:
        click.echo(json.dumps(found, indent=2))


def play(shop: Shop, folder: Path) -> dict[str, Any]:
    shop.say("A label keeps every step at home, and the plan says so.")
    shop.show("plan", "--explain", "fit")
    home = shop.asked("plan")
    shop.say("Without it, the work moves. What the label costs:")
    shop.show("plan", "--what-if", "unlabel=baskets:pii")
    what_if = shop.asked("plan", "--what-if", "unlabel=baskets:pii")
    shop.say("Nobody takes it away, but `fit` may lower it: a policy consents to that step.")
    shop.change("resumes=True", 'resumes=True, lowers=["pii"]', "shop.py")
    shop.show("plan")
    lowered = shop.asked("plan")
    shop.say("A budget of one dollar a month blocks it.")
    shop.change("placement:", "budgets:\n  pricing: {limit: 1, team: pricing}\nplacement:")
    shop.show("run", "--yes", "--without", "aws", "--without", "azure")
    blocked = shop.asked("run", "--yes", "--without", "aws", "--without", "azure")
    shop.change("limit: 1,", "limit: 500,")
    shop.asked("run", "--yes", "--without", "aws", "--without", "azure")
    shop.say("One view sums the racks and what a cloud bills.")
    bill(folder / "aws.csv")
    shop.show("bills", "import", "aws.csv", "--yes")
    shop.asked("bills", "import", "aws.csv", "--yes")
    shop.show("costs", "--by", "provider")
    return {
        "home": home,
        "what_if": what_if,
        "lowered": lowered,
        "blocked": blocked,
        "costs": shop.asked("costs", "--by", "provider"),
    }


def bill(path: Path) -> None:
    """Ten days of one machine, as a cloud's FOCUS export says them: made here, none is shipped."""
    first = (datetime.now(UTC).replace(day=1) - timedelta(days=1)).replace(day=1)
    start = first.replace(hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=32)).replace(day=1)
    with path.open("w", newline="") as file:
        rows = [_row(start, end, start + timedelta(days=day)) for day in range(10)]
        out = csv.DictWriter(file, rows[0])
        out.writeheader()
        out.writerows(rows)


def _row(start: datetime, end: datetime, day: datetime) -> dict[str, Any]:
    cost = RATE * HOURS
    return {
        "BillingAccountId": "123456789012",
        "BillingAccountName": "Shop",
        "BillingCurrency": "USD",
        "BillingPeriodStart": _text(start),
        "BillingPeriodEnd": _text(end),
        "ChargePeriodStart": _text(day),
        "ChargePeriodEnd": _text(day + timedelta(days=1)),
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ChargeDescription": "m5.xlarge in Stockholm",
        "BilledCost": cost,
        "EffectiveCost": cost,
        "ListCost": cost,
        "ContractedCost": cost,
        "PricingQuantity": HOURS,
        "PricingUnit": "Hours",
        "ProviderName": "AWS",
        "PublisherName": "AWS",
        "InvoiceIssuerName": "AWS",
        "ServiceCategory": "Compute",
        "ServiceName": "Amazon Elastic Compute Cloud",
        "ResourceId": "i-0a1b2c3d",
        "ResourceType": "Virtual Machine",
        "RegionId": "eu-north-1",
        "Tags": '{"team": "pricing"}',
    }


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    main()
