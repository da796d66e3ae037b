"""`freehold labels`, as typed."""

from typing import Any

import pytest

HEAD = "prediction_id,label,labelled_at\n"


@pytest.fixture(autouse=True)
def labels(project: Any) -> None:
    project.change("freehold.yaml", "contracts:", "models: {delay: {pipeline: sums}}\ncontracts:")
    project.write("labels.csv", HEAD + "a,1,2026-01-01T12:00:00Z\nb,0,2026-01-02\nc,,2026-01-02\n")


def added(project: Any) -> list[dict[str, Any]]:
    return [one["body"] for one in project.entries() if one["type"] == "labels.added"]


def test_it_shows_what_it_would_keep_and_asks(project: Any) -> None:
    said = project.freehold("labels", "labels.csv")
    assert said.code == 2
    assert "usage.needs-yes" in said.err
    assert "2 labels, 1 of them positive, 2026-01-01T12:00:00+00:00 to 2026-01-02" in said.out
    assert "1 rows have no id, no label or no time: left out" in said.out
    assert added(project) == []
    said = project.freehold("labels", "labels.csv", "--yes")
    assert said.code == 0
    assert "2 labels kept" in said.out
    assert [body["rows"] for body in added(project)] == [2]


def test_as_json(project: Any) -> None:
    said = project.freehold("labels", "labels.csv", "--yes", "--json").json
    assert (said["shape"], said["rows"], said["positives"], said["left_out"]) == (1, 2, 1, 1)


def test_a_label_that_is_none_is_refused_and_nothing_is_kept(project: Any, refused: Any) -> None:
    project.freehold("check")
    project.freehold("runs")
    project.write("labels.csv", HEAD + "a,5,2026-01-01\nb,1,soon\n")
    error = refused("labels", "labels.csv", "--yes")
    assert [fault["code"] for fault in error["faults"]] == ["labels.values", "labels.times"]
    assert added(project) == []


def test_a_model_that_the_project_has_not_is_wrong_usage(project: Any) -> None:
    said = project.freehold("labels", "labels.csv", "--yes", "--model", "dealy", "--json")
    assert said.code == 2
    assert said.json["error"]["code"] == "usage.model"
    assert "delay" in said.json["error"]["because"]
    assert added(project) == []


def test_its_help_says_that_a_time_without_a_zone_is_utc(project: Any) -> None:
    assert "A time without a zone is UTC" in " ".join(
        project.freehold("labels", "--help").out.split()
    )
