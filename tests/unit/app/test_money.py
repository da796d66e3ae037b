"""Currency, tags and budgets of a project file: every fault, with its place and a remedy."""

from pathlib import Path

import pytest

from freehold.app.project.reading import read_project
from freehold.domain.errors import Fault, ProjectInvalid

BEGIN = """\
project: shop
pipelines: {train: shop:train}
models: {churn: {pipeline: train}}
tags: {team: growth}
"""


def faults_of(folder: Path, text: str) -> tuple[Fault, ...]:
    (folder / "freehold.yaml").write_text(BEGIN + text)
    (folder / "shop.py").write_text("")
    with pytest.raises(ProjectInvalid) as caught:
        read_project(folder)
    assert all(one.hint for one in caught.value.faults)
    return caught.value.faults


def test_good_budgets_are_read(tmp_path: Path) -> None:
    text = """\
currency: EUR
budgets:
  whole: {limit: 500}
  mine: {limit: 50.5, currency: EUR, per: month, team: growth, warn: 0.5, then: approve}
  churn: {limit: 10, model: churn, tag: {site: onprem, team: growth}}
"""
    (tmp_path / "freehold.yaml").write_text(BEGIN + text)
    (tmp_path / "shop.py").write_text("")
    spec = read_project(tmp_path).spec
    assert [one.limit for one in spec.budgets.values()] == [500, 50.5, 10]
    assert spec.budgets["mine"].then == "approve" and spec.budgets["whole"].warn == 0.8


def test_every_fault_of_budgets_at_once(tmp_path: Path) -> None:
    text = """\
budgets:
  below: {limit: -5}
  none: {limit: 0}
  endless: {limit: .inf}
  late: {limit: 5, warn: 1.5}
  Odd name: {limit: 5}
"""
    found = faults_of(tmp_path, text)
    assert [(one.code, one.where) for one in found] == [
        ("project.wrong-value", "freehold.yaml:6"),
        ("project.wrong-value", "freehold.yaml:7"),
        ("project.wrong-value", "freehold.yaml:8"),
        ("project.wrong-value", "freehold.yaml:9"),
        ("project.wrong-value", "freehold.yaml:10"),
    ]
    assert "-5" in found[0].what and "1.5" in found[3].what


def test_budgets_in_two_currencies(tmp_path: Path) -> None:
    text = "budgets:\n  us: {limit: 5}\n  eu: {limit: 5, currency: EUR}\n"
    (fault,) = faults_of(tmp_path, text)
    assert (fault.code, fault.where) == ("project.two-currencies", "freehold.yaml:7")
    assert "EUR" in fault.what and "USD" in fault.what


def test_no_currency(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, "budgets: {a: {limit: 5, currency: eur}}\n")
    assert fault.code == "project.wrong-value" and "'eur'" in fault.what


def test_unknown_model_team_and_tag_are_told_with_the_nearest(tmp_path: Path) -> None:
    text = """\
budgets:
  a: {limit: 5, model: chrun}
  b: {limit: 5, team: grwth}
  c: {limit: 5, tag: {taem: growth}}
  d: {limit: 5, tag: {team: fraud}}
  e: {limit: 5, tag: {step: fit}}
"""
    found = faults_of(tmp_path, text)
    assert {one.code for one in found} == {"project.unknown-name"} and len(found) == 5
    hints = " ".join(one.hint for one in found)
    assert "'churn'" in hints and "'growth'" in hints and "'team'" in hints


def test_tags_that_metering_fills_in_are_not_to_be_said(tmp_path: Path) -> None:
    text = BEGIN.replace("{team: growth}", "{site: x, Team: y, cost_centre: '', outcome: z}")
    (tmp_path / "freehold.yaml").write_text(text)
    (tmp_path / "shop.py").write_text("")
    with pytest.raises(ProjectInvalid) as caught:
        read_project(tmp_path)
    assert len(caught.value.faults) == 4
