"""Reading a project's own figures: every fault is kept, none is guessed away."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

from freehold.domain.errors import Fault

Path = tuple[str, ...]
Where = Callable[[Path], str]
"""The place of a value in its file, `prices.yaml:12`, for its keys and list positions."""


@dataclass(frozen=True)
class Fields:
    """One mapping of a file."""

    values: Mapping[str, Any]
    path: Path
    where: Where
    faults: list[Fault]

    @property
    def place(self) -> str:
        """Where it stands."""
        return self.where(self.path)

    def known(self, *names: str) -> None:
        """Faults for every other key."""
        for key in self.values:
            if key not in names:
                near = get_close_matches(str(key), names, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
                self.fault("prices.unknown-key", f"there is no key '{key}' here", key, hint)

    def required(self, *names: str) -> None:
        """Faults for those that are absent."""
        for name in names:
            if self.values.get(name) is None:
                self.fault("prices.missing-key", f"'{name}' is missing", name, f"add {name}")

    def text(self, name: str) -> str:
        """Empty if it is absent or no text."""
        value = self.values.get(name)
        if value is None or isinstance(value, str):
            return value or ""
        self.fault("prices.not-text", f"{name} is not text", name, "put it in quotes")
        return ""

    def day(self, name: str) -> str:
        """ISO date; empty if it is absent or none."""
        value = self.values.get(name)
        try:
            return date.fromisoformat(str(value)).isoformat() if value is not None else ""
        except ValueError:
            self.fault("prices.not-a-date", f"{name}: '{value}' is no date", name, "2026-11-25")
            return ""

    def positive(self, name: str, most: float = math.inf) -> float | None:
        """Above zero and at most `most`. None if it is absent or wrong."""
        value = self.values.get(name)
        if value is None:
            return None
        number = _number(value)
        if number is None:
            hint = "write a plain number, without a unit or quotes"
            self.fault("prices.not-a-number", f"{name}: {value!r} is not a number", name, hint)
        elif number <= 0:
            hint = "leave it out where it is unknown: nothing is free"
            self.fault("prices.not-positive", f"{name} is {value}, not above zero", name, hint)
        elif number > most:
            self.fault("prices.too-large", f"{name} is {value}, above {most:g}", name)
        else:
            return number
        return None

    def at_least(self, name: str, least: float) -> float | None:
        """Of `positive`, what is not below `least`."""
        number = self.positive(name)
        if number is None or number >= least:
            return number
        self.fault("prices.too-small", f"{name} is {number:g}, below {least:g}", name)
        return None

    def whole(self, name: str) -> int | None:
        """Of `positive`, what has no fraction."""
        number = self.positive(name)
        if number is None or number.is_integer():
            return None if number is None else int(number)
        self.fault("prices.not-whole", f"{name} is {number:g}, not a whole number", name)
        return None

    def rows(self, name: str) -> list["Fields"]:
        """The mappings of a list; a fault for whatever is none."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, Sequence) or isinstance(value, str):
            self.fault("prices.not-a-list", f"{name} is not a list", name, "begin each row with -")
            return []
        found = []
        for at, row in enumerate(value):
            path = (*self.path, name, str(at))
            if isinstance(row, Mapping):
                found.append(Fields(row, path, self.where, self.faults))
            else:
                what = f"row {at + 1} of {name} has no keys"
                self.faults.append(Fault("prices.not-a-row", what, self.where(path)))
        return found

    def fault(self, code: str, what: str, key: str = "", hint: str = "") -> None:
        """Keep it, with the place of `key` or, where that is not there, of the whole."""
        path = (*self.path, str(key)) if key in self.values else self.path
        self.faults.append(Fault(code, what, self.where(path), hint))


def _number(value: object) -> float | None:
    """Neither truth values nor infinities nor what is not a number at all."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
