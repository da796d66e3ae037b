"""A rebuild is the same bytes, or figures and scores within the tolerance, or a fault."""

from collections.abc import Mapping, Sequence

import pytest

from freehold.app.drill.production import Standing, differences
from freehold.app.drill.rebuild.comparison import compare
from freehold.app.drill.rebuild.made import Made, MadeStep

FIGURES = {"auc": 0.75, "log_loss": 0.5}
SCORES = (0.1, 0.5, 0.9)


def made(
    fit: str = "f",
    package: str = "p",
    figures: Mapping[str, float] = FIGURES,
    scores: Sequence[float] = SCORES,
) -> Made:
    steps = {
        "read": MadeStep(("r",), (10,), "code", "environment"),
        "fit": MadeStep((fit,), (20,), "code", "environment"),
    }
    return Made("run", "train", steps, package, figures, True, scores)


def test_the_same_bytes_need_no_figures() -> None:
    found = compare(made(), made(), 0.0)
    assert (found.identical, found.differing, found.faults) == (True, (), ())


def test_one_artifact_that_changed_is_named() -> None:
    found = compare(made(), made(fit="g"), 0.005)
    assert (found.identical, found.differing) == (False, ("fit",))
    assert found.faults == (), "figures and scores are those of before"


def test_a_package_that_changed_is_named() -> None:
    assert compare(made(), made(package="q"), 0.005).differing == ("package",)


@pytest.mark.parametrize(
    ("figures", "scores", "word"),
    [
        ({"auc": 0.7449, "log_loss": 0.5}, SCORES, "auc"),
        ({"auc": float("nan"), "log_loss": 0.5}, SCORES, "auc"),
        ({"auc": 0.75}, SCORES, "log_loss has a value on one side only"),
        (FIGURES, (0.1, 0.5, 0.906), "score of a row"),
        (FIGURES, (0.1, 0.5, float("nan")), "score of a row"),
        (FIGURES, (0.1, 0.5), "score of a row"),
    ],
)
def test_beyond_the_tolerance_is_a_fault(
    figures: dict[str, float], scores: tuple[float, ...], word: str
) -> None:
    found = compare(made(), made("g", "q", figures, scores), 0.005)
    assert len(found.faults) == 1
    assert word in found.faults[0]


def test_within_the_tolerance_is_none() -> None:
    found = compare(made(), made("g", "q", {"auc": 0.7451, "log_loss": 0.5}, SCORES), 0.005)
    assert found.faults == ()
    assert found.score_difference == 0.0


def test_what_has_no_model_must_be_the_same() -> None:
    before, after = made(package="", scores=()), made(fit="g", package="", scores=())
    assert "no model" in compare(before, after, 1.0).faults[0]
    assert compare(before, before, 0.0).faults == ()


def test_a_step_on_one_side_only_differs() -> None:
    more = made()
    steps = {**more.steps, "extra": MadeStep(("e",), (1,), "c", "n")}
    found = compare(made(), Made("run", "train", steps, "p", FIGURES, True, SCORES), 0.005)
    assert found.differing == ("extra",)


BEFORE = Standing({"a.py": "1", ".freehold/serving/routing.json": "2"}, {("a", "w"): ("x", "y")})


def standing(files: Mapping[str, str], entries: tuple[str, ...] = ("x", "y")) -> Standing:
    return Standing({**BEFORE.files, **files}, {("a", "w"): entries})


def test_production_as_it_was() -> None:
    assert differences(BEFORE, BEFORE, {"drilled"}) == []
    answered = standing({".freehold/serving/log/1.parquet": "3"})
    assert differences(BEFORE, answered, {"drilled"}) == []


@pytest.mark.parametrize(
    "after",
    [
        standing({"a.py": "9"}),
        standing({"b.py": "9"}),
        standing({".freehold/serving/routing.json": "9"}),
        standing({}, ("x",)),
        standing({}, ("x", "z")),
        standing({"a.py": "9"}, ("x", "y", "z")),
        Standing({"a.py": "1"}, BEFORE.logs),
        Standing(BEFORE.files, {**BEFORE.logs, ("a", "drilled"): ("d",)}),
    ],
)
def test_whatever_a_drill_changed_is_named(after: Standing) -> None:
    assert differences(BEFORE, after, {"drilled"}) != []


def test_production_may_go_on_by_itself() -> None:
    went_on = standing({".freehold/serving/routing.json": "9", "o": "1"}, ("x", "y", "z"))
    assert differences(BEFORE, went_on, {"drilled"}) == []


@pytest.mark.parametrize("folder", ["metering/moved", "serving/replicas"])
def test_production_meters_itself_meanwhile(folder: str) -> None:
    """Its agents note what they move, and take the notes away; the project's own folders of that
    name are no such thing."""
    note = f".freehold/sites/a/{folder}/1.json"
    before = Standing({**BEFORE.files, note: "1", "metering/a.py": "1"}, BEFORE.logs)
    other = f".freehold/sites/a/{folder}/2.json"
    after = Standing({**BEFORE.files, other: "2", "metering/a.py": "1"}, BEFORE.logs)
    assert differences(before, after, {"drilled"}) == []
    changed = Standing({**after.files, "metering/a.py": "2"}, BEFORE.logs)
    assert differences(before, changed, {"drilled"}) == ["metering/a.py changed"]
