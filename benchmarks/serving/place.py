"""What every part of the benchmark is given."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np

from benchmarks.serving import questions
from benchmarks.serving.folder import ServingFolder, model
from benchmarks.serving.rounds import Counts
from benchmarks.serving.servers import MODEL
from benchmarks.serving.standing import Server, Standing, standing


@dataclass(frozen=True)
class Place:
    root: Path
    """A folder with the model and the bodies."""
    expected: Mapping[int, Sequence[float]]
    """By rows, LightGBM's own scores."""
    counts: Counts

    @property
    def text(self) -> str:
        return (self.root / MODEL).read_text()

    def folder(self, name: str, versions: int = 2) -> ServingFolder:
        """A new one; a table is still to be put in force."""
        return ServingFolder(self.root / name, self.text, versions)

    def plain(self, name: str) -> ServingFolder:
        """One version answers all."""
        folder = self.folder(name)
        folder.route(100.0)
        return folder

    def standing(self, server: Server) -> AbstractContextManager[Standing]:
        """Its files are in a folder of its own."""
        return standing(server, self.root / server.name.replace(" ", "-"), self.expected)


@contextmanager
def place(counts: Counts) -> Iterator[Place]:
    # Short: Ray puts sockets below it, whose paths the system limits.
    with tempfile.TemporaryDirectory(prefix="s-") as name:
        root = Path(name)
        text = model()
        (root / MODEL).write_text(text)
        questions.write(root)
        booster = lightgbm.Booster(model_str=text)
        expected = {
            rows: np.asarray(booster.predict(questions.matrix(rows))).tolist()
            for rows, _ in questions.SHAPES
        }
        yield Place(root, expected, counts)
