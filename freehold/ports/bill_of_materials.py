"""What a model version is made of, in a format that inventories read.

Laws
- Equal questions give equal bytes: no clock, no chance.
- Every requirement becomes a component; a version is given only where the line pins one.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class BillSubject:
    model: str
    version: int
    digest: str
    """Of the package's payload: `sha256:…`."""
    requirements: Sequence[str]
    """Lines of a requirements.txt."""


class BillOfMaterials(ABC):
    @abstractmethod
    def bill(self, subject: BillSubject) -> bytes:
        """The document. Raises AdapterFailed (`bill.unreadable-requirement`), with every line that
        is no requirement."""
