"""What an applied plan assumed holds for its run until that ends, also when it is gone on with."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from freehold.app.run.run import plan_resume, resume_run
from freehold.domain.errors import Conflict

FAILING = 'raise ValueError("not yet")'
LABELS = """\
import json
from pathlib import Path

LABELS = json.loads((Path(__file__).parent / "labels.json").read_text())
"""


@pytest.fixture
def failed(shop: Any, freehold: Callable[..., Any]) -> Any:
    """A run that waits: its last step failed. Labels come from a file that is no code."""
    shop.write("requirements.lock", "")
    shop.write("prices.yaml", "overhead: [{provider: aws, ratio: 1.9}]\n")
    shop.change("freehold.yaml", "site: onprem", "site: onprem\nprices: prices.yaml")
    shop.write("labels.json", '{"residency": "EU", "pii": ""}')
    shop.change("shop.py", 'labels={"residency": "EU", "pii": ""}', "labels=LABELS")
    shop.write("shop.py", LABELS + (shop.root / "shop.py").read_text())
    shop.change("shop.py", 'return f"{mean:.2f}"', FAILING)
    said = freehold("run", "--yes", "--json")
    assert said.data["error"]["code"] == "step.raised"
    return shop


def as_in_a_new_process() -> None:
    """The project's modules are read anew, though none of their sources has changed."""
    sys.modules.pop("shop", None)


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("labels.json", ', "pii": ""', "", "the labels of data"),
        ("freehold.yaml", "purchase: 9000", "purchase: 9001", "sites"),
        ("placing/friday.rego", "nowhere", "somewhere", "policies"),
        ("requirements.lock", "", "polars==1", "environment"),
        ("prices.yaml", "1.9", "1.8", "prices"),
    ],
)
def test_a_run_does_not_go_on_when_the_world_has_moved(
    failed: Any, freehold: Callable[..., Any], name: str, old: str, new: str, told: str
) -> None:
    if old:
        failed.change(name, old, new)
    else:
        failed.write(name, new)
    as_in_a_new_process()
    said = freehold("run", "--resume", "--yes", "--json")
    assert said.code == 1
    assert said.data["error"]["code"] == "plan.moved"
    assert told in said.data["error"]["because"]
    assert "freehold run" in said.data["error"]["hint"]
    with failed.open() as site:
        (row,) = [one for _, one in site.state.scan("runs")]
    assert row["status"] == "failed"


def test_a_run_goes_on_when_only_its_code_was_mended(
    failed: Any, freehold: Callable[..., Any]
) -> None:
    failed.change("shop.py", FAILING, 'return f"{mean:.2f}"')
    said = freehold("run", "--resume", "--yes", "--json")
    assert said.code == 0, said.out + said.err
    assert said.data["steps"]["report"]["cached"] is False
    with failed.open() as site:
        (row,) = [one for _, one in site.state.scan("runs")]
    assert row["status"] == "finished"


def test_between_the_question_and_the_answer_a_run_is_looked_at_again(failed: Any) -> None:
    failed.change("shop.py", FAILING, 'return f"{mean:.2f}"')
    with failed.open() as site:
        resumption = plan_resume(site)
        failed.change("freehold.yaml", "purchase: 9000", "purchase: 1")
        with pytest.raises(Conflict) as raised:
            resume_run(site, resumption)
    assert raised.value.code == "plan.moved"


def test_a_saved_plan_is_not_carried_out_when_only_labels_have_changed(
    failed: Any, freehold: Callable[..., Any]
) -> None:
    assert freehold("plan", "--no-cache", "--save", "plan.json").code == 0
    failed.write("labels.json", '{"residency": "EU"}')
    as_in_a_new_process()
    said = freehold("run", "--plan", "plan.json", "--yes", "--json")
    assert said.data["error"]["code"] == "plan.moved"
    assert said.data["error"]["because"] == "changed since: the labels of data"
