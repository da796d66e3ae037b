"""HTML from values: everything that comes from outside is escaped here, and nowhere else.

Markup is a type of its own, so that text cannot pass for it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Markup:
    """What may stand in a page as it is."""

    text: str

    def __str__(self) -> str:
        return self.text


Content = Markup | str | int | float | None


def element(name: str, *content: Content, **attributes: str) -> Markup:
    """`class_` is written `class`."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{given}>{joined(content)}</{name}>")


def joined(content: Iterable[Content]) -> Markup:
    return Markup("".join(_written(one) for one in content))


def table(heads: Sequence[str], rows: Sequence[Sequence[Content]]) -> Markup:
    """A head that ends with `>` is a column of numbers."""
    kinds = ["number" if head.endswith(">") else "text" for head in heads]
    named = list(zip(heads, kinds, strict=True))
    head = (element("th", one.rstrip(">"), class_=kind, scope="col") for one, kind in named)
    body = (
        element("tr", *(element("td", one, class_=k) for one, k in zip(row, kinds, strict=True)))
        for row in rows
    )
    whole = element("table", element("thead", element("tr", *head)), element("tbody", *body))
    return element("div", whole, class_="wide")


def shares(parts: Sequence[tuple[str, float]]) -> Markup:
    """Shares of a whole, in percent, as one bar; what each is stands in its title."""
    at, bars = 0.0, []
    for number, (told, share) in enumerate(parts):
        title = element("title", f"{told}: {share:g} %")
        bars.append(
            element(
                "rect",
                title,
                class_=f"share-{number % 2}",
                x=f"{at:g}",
                y="0",
                width=f"{share:g}",
                height="8",
            )
        )
        at += share
    label = ", ".join(f"{told} {share:g} %" for told, share in parts)
    return element(
        "svg",
        *bars,
        class_="shares",
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )


def _written(one: Content) -> str:
    if one is None:
        return ""
    return one.text if isinstance(one, Markup) else escape(str(one))
