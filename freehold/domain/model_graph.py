"""A graph of models: columns in, scores out, and everything between fits."""

from freehold.domain.errors import PipelineInvalid
from freehold.domain.model_graph_part import (
    Function,
    NamedColumns,
    Part,
    Trained,
    functions_of,
    models_of,
)
from freehold.domain.model_graph_types import graph_faults


class ModelGraph:
    """What a step returns and a `Candidate` carries as its model."""

    def __init__(self, columns: NamedColumns, part: Part) -> None:
        """`columns`: what comes in, the candidate's own. Raises PipelineInvalid `graph.invalid`
        with every fault."""
        faults = graph_faults(columns, part)
        if faults:
            raise PipelineInvalid(
                "the parts of the graph do not fit together", code="graph.invalid", faults=faults
            )
        self.columns, self.part = columns, part

    @property
    def functions(self) -> dict[str, Function]:
        """By name."""
        return {function.name: function for function in functions_of(self.part)}

    @property
    def models(self) -> dict[str, Trained]:
        """By the names that they have in the package."""
        return models_of(self.part)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ModelGraph):
            return NotImplemented
        return (self.columns, self.part) == (other.columns, other.part)

    __hash__ = None  # type: ignore[assignment]
