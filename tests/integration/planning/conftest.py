"""A project at three sites, with real tables of prices and a label that keeps data at home."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from freehold.app.site.opening import Site, open_site
from freehold.cli.main import run

FILE = """\
project: shop
pipelines:
  train: shop:train
site: onprem
placement:
  policies: placing
  consent: lowering
sites:
  onprem:
    store: {{at: "file://{root}/stores/onprem"}}
    private: true
    jurisdiction: EU
    accepts: [pii]
    carbon: 380
    machines:
      rack:
        cpus: 16
        memory: 64 GiB
        count: 2
        owned: {{purchase: 9000, years: 4, watts: 450, kwh_price: 0.28, utilisation: 0.4}}
  aws:
    store: {{at: "file://{root}/stores/aws"}}
    provider: aws
    region: eu-north-1
    jurisdiction: EU
    machines:
      m5.xlarge: {{boot_seconds: 60}}
      g4dn.xlarge: {{boot_seconds: 90, spot: true}}
  azure:
    store: {{at: "file://{root}/stores/azure"}}
    provider: azure
    region: eastus
    jurisdiction: US
    machines:
      Standard_D4s_v3: {{boot_seconds: 90}}
"""

CODE = """\
from freehold import pipeline, step


@step(labels={"residency": "EU", "pii": ""}, seconds=120, output="2GB")
def load(rows: int) -> list:
    return list(range(rows))


@step(seconds=3600, memory="8GiB", cpus=4, resumes=True, output="50MB")
def fit(rows: list) -> float:
    return sum(rows) / len(rows)


@step(seconds=300)
def report(mean: float) -> str:
    return f"{mean:.2f}"


@pipeline
def train(rows: int = 10) -> str:
    return report(fit(load(rows)))
"""

PLACING = """\
package freehold.friday

import rego.v1

rules := {"not-there"}

requires := {"input.step": "string", "input.site.name": "string"}

named if {
	input.step == "report"
	input.site.name == "aws"
}

cleared contains "not-there" if {
	not named
}

deny contains {"rule": "not-there", "message": "reports are not made there"} if {
	named
}
"""

LOWERING = """\
package freehold.review

import rego.v1

rules := {"reviewed"}

requires := {"input.function": "string", "input.lowers": "object"}

cleared contains "reviewed" if {
	input.function == "shop:fit"
	object.keys(input.lowers) == {"pii"}
}

deny contains {"rule": "reviewed", "message": "nobody reviewed this step"} if {
	not "reviewed" in cleared
}
"""


class Shop:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("freehold.yaml", FILE.format(root=root))
        self.write("shop.py", CODE)
        self.write("placing/friday.rego", PLACING.replace('"aws"', '"nowhere"'))
        self.write("lowering/review.rego", LOWERING)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def open(self) -> Site:
        return open_site(self.root, site="onprem")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def freehold(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Types a command in the project."""
    monkeypatch.chdir(shop.root)

    def typed(*arguments: str) -> Said:
        code = run(list(arguments))
        told = capsys.readouterr()
        return Said(code, told.out, told.err)

    return typed
