"""Charts say the numbers that they draw."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.costs.charts import bars, sparkline
from freehold.costs.drawings import BOTTOM, COLOURS, HEIGHT, TOP, Stacks, svg

SVG = "{http://www.w3.org/2000/svg}"
AMOUNTS = st.floats(-1e3, 1e9)


def test_bars_are_as_long_as_their_amounts() -> None:
    lines = bars([("racks", 8.0), ("frankfurt", 4.0), ("edge", 0.1), ("none", 0.0)], 40, "EUR")
    assert lines == [
        "racks     █████████████████████ 8.00 EUR",
        "frankfurt ██████████▌           4.00 EUR",
        "edge      ▎                     0.10 EUR",
        "none                            0.00 EUR",
    ]


@given(st.lists(st.tuples(st.text(max_size=40), AMOUNTS), min_size=1), st.integers(50, 200))
def test_bars_stay_within_their_width(rows: list[tuple[str, float]], width: int) -> None:
    plain = [(re.sub(r"\s", "_", label), amount) for label, amount in rows]
    lines = bars(plain, width, "USD")
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= max(width, 24 + 2 + 22)
    longest = max(amount for _, amount in rows)
    for line, (_, amount) in zip(lines, rows, strict=True):
        assert "█" in line or amount < longest or longest <= 0
        is_small = 0 < abs(amount) < 0.005
        said = f"{amount:.1g}" if is_small else f"{amount:,.2f}"
        assert line.endswith(f" {said} USD")
        assert (float(said.replace(",", "")) == 0) == (amount == 0)


def test_a_sparkline_shows_gaps_and_means() -> None:
    assert sparkline([0.0, 1.0, None, 2.0, 4.0, -3.0], 10) == "▁▃·▅█▁"
    assert sparkline([1.0, 1.0, 8.0, 8.0, None, None], 3) == "▂█·"
    assert sparkline([], 5) == ""
    assert sparkline([0.0, 0.0], 5) == "▁▁"


def stacks(groups: dict[str, Sequence[float]]) -> Stacks:
    count = len(next(iter(groups.values()), ()))
    days = [f"2026-01-{day + 1:02d}" for day in range(count)]
    return Stacks("Costs by team & day", "EUR", days, groups)


def rectangles(drawn: ElementTree.Element) -> list[list[float]]:
    """Heights of each group's bars."""
    return [
        [float(rect.attrib["height"]) for rect in group.iter(f"{SVG}rect")]
        for group in drawn.iter(f"{SVG}g")
    ]


def test_a_drawing_is_told_as_well() -> None:
    told = svg(stacks({"risk": [1.0, 2.0], "<ops>": [3.0, 0.0]}))
    drawn = ElementTree.fromstring(told)
    assert drawn.attrib["role"] == "img"
    assert [one.text for one in drawn.findall(f"{SVG}title")] == ["Costs by team & day"]
    [description] = drawn.findall(f"{SVG}desc")
    assert description.text == (
        "Stacked bars by day from 2026-01-01 to 2026-01-02. In all: <ops> 3.00 EUR, risk 3.00 EUR."
    )
    assert "prefers-color-scheme:dark" in told
    unit = (HEIGHT - TOP - BOTTOM) / 4.0
    assert rectangles(drawn) == [
        [pytest.approx(3 * unit)],
        [pytest.approx(unit), pytest.approx(2 * unit)],
    ]
    hovered = [one.text for one in drawn.iter(f"{SVG}title")][1:]
    assert hovered == [
        "<ops>, 2026-01-01: 3.00 EUR",
        "risk, 2026-01-01: 1.00 EUR",
        "risk, 2026-01-02: 2.00 EUR",
    ]


def test_many_groups_become_few_and_nothing_is_lost() -> None:
    drawn = ElementTree.fromstring(svg(stacks({f"g{n}": [float(n)] for n in range(1, 12)})))
    assert len(rectangles(drawn)) == len(COLOURS)
    legend = [one.text for one in drawn.iter(f"{SVG}text") if one.text]
    assert "6 others" in legend
    assert "21.00 EUR" in legend


@pytest.mark.parametrize("groups", [{}, {"a": [0.0, 0.0]}, {"a": []}])
def test_nothing_is_drawn_as_nothing(groups: dict[str, Sequence[float]]) -> None:
    assert sum(map(len, rectangles(ElementTree.fromstring(svg(stacks(groups)))))) == 0


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="a finite amount for each of 2 days"):
        svg(Stacks("t", "EUR", ["1", "2"], {"a": [1.0]}))
    with pytest.raises(ValueError, match="a finite amount"):
        svg(stacks({"a": [float("nan")]}))


@given(
    st.integers(1, 40).flatmap(
        lambda days: st.dictionaries(
            st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=8),
            st.lists(st.floats(0, 1e12, allow_subnormal=False), min_size=days, max_size=days),
            min_size=1,
            max_size=9,
        )
    )
)
def test_bars_stay_on_the_drawing(groups: dict[str, Sequence[float]]) -> None:
    drawn = ElementTree.fromstring(svg(stacks(groups)))
    for rect in drawn.iter(f"{SVG}rect"):
        y, height = float(rect.attrib.get("y", 0)), float(rect.attrib["height"])
        assert y >= (TOP - 0.5 if "x" in rect.attrib else 0)
        assert y + height <= HEIGHT
