"""What a pipeline that makes a model returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Candidate:
    """A model and what is needed to judge it.

    While a pipeline is traced, the members are promises; in a run's outcome, artifacts; once
    loaded, the values themselves.
    """

    model: Any
    columns: Any
    """The model's inputs, in order."""
    training: Any
    """The table it was trained on."""
    evaluation: Any
    """A table that it has not seen."""
    target: str
    """The column that it predicts, in both tables."""
    groups: Sequence[str] = ()
    """Columns by which quality is compared between groups."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What it was trained with; JSON."""
