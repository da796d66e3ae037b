"""Whatever a value says, in a page it is text."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from freehold.console.markup import element, joined, shares, table

TEXT = st.text(st.characters(exclude_characters="\r\x00", exclude_categories=["Cs"]), max_size=30)


class Reader(HTMLParser):
    def __init__(self, markup: object) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.said = ""
        self.feed(str(markup))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.said += data


@given(text=TEXT, value=TEXT)
def test_text_stays_text(text: str, value: str) -> None:
    read = Reader(element("p", text, title=value))
    assert (read.elements, read.said) == (["p"], text)
    assert read.attributes == [("title", value)]


@given(cells=st.lists(TEXT, min_size=1, max_size=4))
def test_a_table_has_its_cells_and_nothing_else(cells: list[str]) -> None:
    read = Reader(table([f"head{n}" for n in range(len(cells))], [cells]))
    assert read.elements.count("td") == len(cells)
    assert read.said == "".join(f"head{n}" for n in range(len(cells))) + "".join(cells)


@given(names=st.lists(TEXT, max_size=4))
def test_shares_name_their_parts(names: list[str]) -> None:
    read = Reader(shares([(name, 10.0) for name in names]))
    assert read.elements.count("rect") == len(names)
    assert dict(read.attributes)["aria-label"] == ", ".join(f"{name} 10 %" for name in names)


def test_nothing_and_numbers() -> None:
    assert joined([None, 1, 2.5, "<"]).text == "12.5&lt;"
    assert element("label", "x", for_="y").text == '<label for="y">x</label>'
