"""`freehold.yaml`: every fault at once, each with its line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.app.project.reading import find_root, read_project
from freehold.app.project.schema import Reader
from freehold.cli.endpoint_settings import settings_of
from freehold.domain.endpoint_spec import EndpointSpec, LimitsSpec
from freehold.domain.errors import NotFound, ProjectInvalid
from freehold.domain.project import Project
from freehold.endpoint.settings import EndpointSettings

GOOD = """\
project: my-flights
pipelines:
  train: flights:train
models:
  flight-delay:
    pipeline: train
    retrain: {until: today}
"""


def write(folder: Path, text: str) -> Path:
    (folder / "freehold.yaml").write_text(text)
    (folder / "flights.py").write_text("")
    return folder


def faults_of(folder: Path, text: str) -> list[tuple[str, str]]:
    with pytest.raises(ProjectInvalid) as caught:
        read_project(write(folder, text))
    return [(fault.code, fault.where) for fault in caught.value.faults]


def test_a_good_file_is_read_with_defaults(tmp_path: Path) -> None:
    project = read_project(write(tmp_path, GOOD))
    assert project.spec.models["flight-delay"].retrain == {"until": "today"}
    assert project.spec.release.steps == (5, 25, 100)
    assert project.where("models", "flight-delay", "pipeline") == "freehold.yaml:6"


def test_unknown_key_wrong_type_and_missing_key_are_reported_at_once(tmp_path: Path) -> None:
    text = "pipelines: {train: flights:train}\ncolour: red\ncache: 1\nrelease: [5]\n"
    assert faults_of(tmp_path, text) == [
        ("project.missing-key", "freehold.yaml:1"),
        ("project.unknown-key", "freehold.yaml:2"),
        ("project.wrong-type", "freehold.yaml:3"),
        ("project.wrong-type", "freehold.yaml:4"),
    ]


def test_missing_files_and_names_are_reported_at_once(tmp_path: Path) -> None:
    text = GOOD + (
        "contracts:\n  - {step: read, suite: contracts/none.json}\n"
        "policies: rules\nendpoint: {model: other}\n"
        "replay: {pipeline: no, id: a, asked_at: b, label: c, labelled_at: d}\n"
    )
    assert faults_of(tmp_path, text.replace("flights:train", "elsewhere:train")) == [
        ("project.missing-file", "freehold.yaml:3"),
        ("project.missing-file", "freehold.yaml:9"),
        ("project.missing-file", "freehold.yaml:10"),
        ("project.unknown-name", "freehold.yaml:11"),
        ("project.unknown-name", "freehold.yaml:12"),
    ]


def test_steps_of_a_release_must_grow_to_the_whole(tmp_path: Path) -> None:
    for steps in ("[5, 25]", "[25, 5, 100]", "[]", "[0, 100]", "[5, 5, 100]"):
        text = GOOD + f"release: {{steps: {steps}}}\n"
        assert faults_of(tmp_path, text) == [("project.wrong-value", "freehold.yaml:8")]


def test_windows_in_which_releases_freeze_are_read_and_refused(tmp_path: Path) -> None:
    fine = """\
release:
  freeze:
    time_zone: Europe/Zurich
    weekly: [Fri 16:00 - Mon 08:00]
    dates: [2026-12-20 - 2027-01-03]
"""
    assert read_project(write(tmp_path, GOOD + fine)).spec.release.freeze.budgets
    wrong = """\
release:
  freeze:
    time_zone: Europe/Nowhere
    weekly:
      - Friday 16:00 - Mon 08:00
      - Fri 25:00 - Mon 08:00
      - Fri 16:00 - Fri 16:00
    dates:
      - 2027-01-03 - 2026-12-20
      - Christmas
"""
    lines = (10, 12, 13, 14, 16, 17)
    expected = [("project.wrong-value", f"freehold.yaml:{line}") for line in lines]
    assert faults_of(tmp_path, GOOD + wrong) == expected


def test_what_no_strategy_could_go_by_is_refused(tmp_path: Path) -> None:
    wrong = """\
release:
  blue_green: {keep_minutes: -1}
  rolling:
    batch: 0
    soak_minutes: -1
    at_most: 0
  ab_test:
    metric: revenue
    share: 100
    risk: 0
"""
    lines = {9, 11, 12, 13, 15, 16, 17}
    found = faults_of(tmp_path, GOOD + wrong)
    assert {code for code, _ in found} == {"project.wrong-value"}
    assert {int(where.rpartition(":")[2]) for _, where in found} == lines


def test_a_close_name_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(ProjectInvalid, match="did you mean 'models'"):
        read_project(write(tmp_path, GOOD.replace("models:", "modles:")))


def test_broken_yaml_names_its_line(tmp_path: Path) -> None:
    assert faults_of(tmp_path, "project: x\npipelines: {a: [\n") == [
        ("project.syntax", "freehold.yaml:3")
    ]


def test_without_a_project_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="freehold init"):
        find_root(tmp_path)


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda b: b.decode("latin-1")))
def test_any_text_is_read_or_refused_with_faults(text: str) -> None:
    reader = Reader("freehold.yaml")
    value = reader.read(text, Project)
    assert isinstance(value, Project) != bool(reader.faults)


def test_what_may_be_a_secret_in_an_address_is_refused_and_not_shown(tmp_path: Path) -> None:
    text = (
        GOOD
        + """\
site: a
sites:
  a: {store: {at: "s3://k:HIDDEN@bucket/p", endpoint: "http://u:HIDDEN@localhost"}}
  b: {store: {at: "az://c/p?sig=HIDDEN"}}
  c: {store: {at: "k:HIDDEN"}}
"""
    )
    with pytest.raises(ProjectInvalid) as caught:
        read_project(write(tmp_path, text))
    codes = [fault.code for fault in caught.value.faults]
    assert codes == [*["project.secret-in-address"] * 3, "project.wrong-value"]
    assert "HIDDEN" not in str(caught.value)


def test_what_the_log_keeps_is_read_and_every_odd_value_is_told(tmp_path: Path) -> None:
    fine = GOOD + "endpoint: {model: flight-delay, log: {sample: 0.1, personal: [a, b]}}\n"
    endpoint = read_project(write(tmp_path, fine)).spec.endpoint
    assert endpoint is not None
    assert (endpoint.log.sample, endpoint.log.personal) == (0.1, ("a", "b"))
    assert endpoint.log.personal_ids is False
    odd = """\
endpoint:
  model: flight-delay
  log:
    sample: 1.5
    personal:
      - a
      - id
      - ""
      - a
"""
    expected = [("project.wrong-value", f"freehold.yaml:{line}") for line in (11, 14, 15, 16)]
    assert faults_of(tmp_path, GOOD + odd) == expected
    for share in (0, -0.1):
        text = GOOD + f"endpoint: {{model: flight-delay, log: {{sample: {share}}}}}\n"
        assert faults_of(tmp_path, text) == [("project.wrong-value", "freehold.yaml:8")]


def test_limits_are_read_and_every_odd_one_is_told_with_what_is_usual(tmp_path: Path) -> None:
    fine = GOOD + "endpoint: {model: flight-delay, limits: {per_caller: 2.5, body_megabytes: 1}}\n"
    endpoint = read_project(write(tmp_path, fine)).spec.endpoint
    assert endpoint is not None
    assert endpoint.limits == LimitsSpec(per_caller=2.5, body_megabytes=1)
    odd = """\
endpoint:
  model: flight-delay
  limits:
    per_caller: -1
    waiting: 0
    connections: 0
    rows: 0
    body_megabytes: 257
    log_window: 0
"""
    with pytest.raises(ProjectInvalid) as caught:
        read_project(write(tmp_path, GOOD + odd))
    assert [(one.code, one.where) for one in caught.value.faults] == [
        ("project.wrong-value", f"freehold.yaml:{line}") for line in range(11, 17)
    ]
    assert caught.value.faults[3].what == (
        "'endpoint.limits.rows' must be between 1 and 10,000,000, not 0"
    )
    assert caught.value.faults[3].hint == "without it, it is 10,000"


def test_without_limits_an_endpoint_is_as_it_always_was() -> None:
    settings = EndpointSettings(Path("serving"))
    assert (
        settings_of(EndpointSpec("flight-delay", port=settings.port), settings.folder) == settings
    )
