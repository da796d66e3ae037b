import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from freehold.domain.evidence import Evidence
from freehold.training.card import CardFacts, markdown
from freehold.training.evidence import evaluate
from freehold.training.page import page

FACTS = CardFacts(
    name="flight-delay",
    version=3,
    purpose="Chance that a flight lands more than 15 minutes late",
    data="2013-01-01 to 2013-03-31",
    training_rows=78_000,
    parameters={"num_leaves": 31, "learning_rate": 0.05},
    digest="sha256:" + "ab" * 32,
    author="p-17",
    created="2013-04-01",
)
HOSTILE = '<script>alert("x")</script> | `a` *b*\n# c'


def evidence(carriers: list[str], champion: bool = True) -> Evidence:
    generator = np.random.default_rng(0)
    scores = 1 / (1 + np.exp(1 - generator.normal(size=3000)))
    labels = generator.random(3000) < scores
    groups = pl.DataFrame({"carrier": generator.choice(carriers, 3000), "few": [None] * 3000})
    return evaluate(
        scores,
        labels,
        groups,
        contributions=generator.normal(size=(3000, 3)),
        columns=["hour", "distance", carriers[0]],
        reference_scores=scores**2 + generator.normal(size=3000) / 9 if champion else None,
    )


class Reader(HTMLParser):
    """Fails on tags that do not close; collects tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "line", "rect", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_both_cards_show_the_same_figures() -> None:
    found = evidence(["AA", "UA"])
    written, shown = markdown(FACTS, found), Reader(page(FACTS, found)).text
    figures = [
        f"{found.overall.auc.value:.4f}",
        f"{found.overall.net_accuracy.low:.4f}",
        f"{found.calibration.slope.value:.4f}",
        f"{found.groups['carrier'].gap.difference.high:.4f}",
        f"{found.champion.difference.value:.4f}",
        f"{found.features[0].mean:.4f}",
        "78,000",
        FACTS.digest,
        "p-17",
    ]
    for one in figures:
        assert one in written and one in shown
    for title in ("Against the champion", "Strongest features", "Training parameters", "Limits"):
        assert f"## {title}" in written and title in shown


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = page(FACTS, evidence(["AA", "UA"]))
    reader = Reader(text)
    assert not reader.tags & {"script", "link", "img", "iframe", "object"}
    assert not reader.attributes & {"src", "href", "onload", "onclick"}
    assert "url(" not in text and "@import" not in text and "http" not in text
    assert text.count("<svg") == 4


def test_texts_are_shown_as_they_are() -> None:
    facts = CardFacts(
        **{**vars(FACTS), "name": HOSTILE, "purpose": HOSTILE, "parameters": {HOSTILE: HOSTILE}}
    )
    found = evidence([HOSTILE, "UA"])
    shown = Reader(page(facts, found))
    assert "script" not in shown.tags and HOSTILE in shown.text
    written = markdown(facts, found)
    assert "<script>" not in written and "\n# c" not in written
    rows = [line for line in written.splitlines() if line.startswith("|") and "alert" in line]
    assert rows and all(" \\| \\`a\\` \\*b\\* \\# c" in line for line in rows)


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 1, 2]])
def test_what_is_not_known_says_why(labels: list[int]) -> None:
    found = evaluate([0.2, 0.3, 0.4], labels, pl.DataFrame({"g": ["a", "a", "b"]}))
    for text in (markdown(FACTS, found), Reader(page(FACTS, found)).text):
        assert "not known: " in text and "Too few rows to judge: a (2), b (1)." in text
        assert not re.search(r"\bnan\b", text)
        assert "Against the champion" not in text


def test_the_sentence_follows_the_interval() -> None:
    groups = pl.DataFrame()
    labels = [0] * 80 + [1] * 20
    usual = evaluate([0.1] * 100, labels, groups)
    assert "not shown to be right more often" in markdown(FACTS, usual)
    right = evaluate([0.1] * 80 + [0.9] * 20, labels, groups)
    assert "is right more often" in markdown(FACTS, right)
    wrong = evaluate([0.9] * 100, labels, groups)
    assert "is right less often" in markdown(FACTS, wrong)
