"""`freehold models MODEL@VERSION`: one version's evidence, and its card."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from freehold.app.site.opening import open_site
from freehold.domain.canonical import canonical
from freehold.domain.evidence import Evidence
from freehold.domain.fact import Draft
from freehold.training.evidence import evaluate

CARD, PAGE = b"# delay @ 3\n", b"<!doctype html><title>delay @ 3</title>"
FEATURES = [f"feature_{number}" for number in range(12)]


def measured() -> Evidence:
    generator = np.random.default_rng(0)
    scores = 1 / (1 + np.exp(1 - generator.normal(size=3000)))
    labels = generator.random(3000) < scores
    carriers = ["AA"] * 1500 + ["B6"] * 1490 + ["ZZ"] * 10
    strengths = np.linspace(12, 1, 12) * np.ones((3000, 12))
    return evaluate(
        scores,
        labels,
        pl.DataFrame({"carrier": carriers}),
        contributions=strengths,
        columns=FEATURES,
        reference_scores=scores**2,
    )


@pytest.fixture
def inspected(serving: Any) -> Evidence:
    """Version 3 of the model, with evidence and cards."""
    evidence = measured()
    with contextlib.chdir(serving.folder), open_site() as site:
        files = {
            "card.html": PAGE,
            "card.md": CARD,
            "evidence.json": canonical(evidence.as_json()),
        }
        body = {
            "attestations": {name: site.artifacts.put(data) for name, data in files.items()},
            "champion": 1,
            "headline": {},
            "model": "delay",
            "package": {"digest": "sha256:0", "size": 1},
            "rows": {"evaluation": 3000, "training": 1},
            "run": "run-3",
            "version": 3,
        }
        site.ledger.append([Draft("model.registered", body)])
    return evidence


def line(out: str, begin: str) -> str:
    return next(" ".join(one.split()) for one in out.splitlines() if one.startswith(begin))


def test_it_shows_what_the_version_was_found_to_be(serving: Any, inspected: Evidence) -> None:
    said = serving.freehold("models", "delay@3")
    assert said.code == 0
    overall = inspected.overall
    assert "delay@3, not asked" in said.out
    assert f"3,000 evaluation rows, {overall.positives:,} of them positive" in said.out
    auc = overall.auc
    assert line(said.out, "AUC ") == f"AUC {auc.value:.3f} {auc.low:.3f} to {auc.high:.3f}"
    for name in ("log loss", "calibration error", "accuracy of the more frequent", "gained over"):
        assert " to " in line(said.out, name), name
    gained = inspected.champion.difference.value  # type: ignore[union-attr]
    assert f"AUC gained over delay@1 {gained:.3f}" in line(said.out, "AUC gained over")
    gap = inspected.groups["carrier"].gap
    assert gap is not None
    told = f"largest gap in AUC by carrier: {gap.difference.value:.3f}"
    assert line(said.out, "largest gap").startswith(told)
    assert f"{gap.best} over {gap.worst}" in said.out
    assert "too few rows to judge: ZZ (10)" in said.out
    shown = [name for name in FEATURES if f"{name} " in said.out]
    assert shown == FEATURES[:10]
    assert "freehold why delay@3" in said.err
    assert "--card" in said.err


def test_as_json_it_has_all(serving: Any, inspected: Evidence) -> None:
    found = serving.freehold("models", "delay@3", "--json").json
    assert found["shape"] == 1
    assert (found["version"]["model"], found["version"]["champion"]) == ("delay", 1)
    assert Evidence.from_json(found["evidence"]).as_json() == inspected.as_json()


@pytest.mark.parametrize(("name", "data"), [("card.md", CARD), ("shown.html", PAGE)])
def test_its_card_is_written_as_it_was_attested(
    serving: Any, inspected: Evidence, name: str, data: bytes
) -> None:
    said = serving.freehold("models", "delay@3", "--card", name)
    assert said.code == 0
    assert (serving.folder / name).read_bytes() == data
    assert f"its card is in {name}" in said.out


def test_a_card_overwrites_nothing(serving: Any, inspected: Evidence, refused: Any) -> None:
    path = Path(serving.write("card.md", "mine"))
    assert refused("models", "delay@3", "--card", "card.md")["code"] == "card.exists"
    assert path.read_text() == "mine"


def test_a_card_needs_a_version_and_a_known_suffix(
    serving: Any, inspected: Evidence, refused: Any
) -> None:
    said = refused("models", "delay@3", "--card", "card.pdf", exit_code=2)
    assert said["code"] == "usage.card"
    assert refused("models", "--card", "card.md", exit_code=2)["code"] == "usage.version"


def test_a_version_without_evidence_says_so(serving: Any, refused: Any) -> None:
    assert refused("models", "delay@1")["code"] == "model.no-attestation"
    assert refused("models", "delay@9")["code"] == "model.not-found"


def test_a_model_without_a_version_is_no_error_if_the_project_names_it(serving: Any) -> None:
    serving.change("freehold.yaml", "models:\n", "models:\n  other: {pipeline: sums}\n")
    said = serving.freehold("models", "other", "--json")
    assert (said.code, said.json["models"]) == (0, [])
