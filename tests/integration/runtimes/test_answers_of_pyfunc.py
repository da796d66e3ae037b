"""What a Python function of MLflow's may answer: one number a row in any of the kinds that it comes
in, and nothing else; what else there is is refused when it is loaded, with what came."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freehold.domain.errors import FreeholdError
from freehold.endpoint.adapters import model_runtime
from freehold.endpoint.loading import checked

LOADER = """
import numpy as np
import pandas as pd


class Model:
    def predict(self, table):
        half = [0.5] * len(table)
        return {answer}


def _load_pyfunc(path):
    return Model()
"""
SERVED = {
    "a list": "half",
    "a list of lists": "[[one] for one in half]",
    "an array": "np.array(half)",
    "an array of one column": "np.array(half).reshape(-1, 1)",
    "an array of singles": "np.array(half, dtype=np.float32)",
    "a series": "pd.Series(half, index=range(7, 7 + len(half)))",
    "a frame of one column": "pd.DataFrame({'score': half})",
    "numbers in an array of objects": "np.array(half, dtype=object)",
}
REFUSED = {
    "two columns": "np.array([half, half]).T",
    "a frame of two columns": "pd.DataFrame({'no': half, 'yes': half})",
    "one number for all": "0.5",
    "fewer rows": "half[1:]",
    "more rows": "half + half",
    "words": "['late'] * len(half)",
    "a frame of words": "pd.DataFrame({'label': ['late'] * len(half)})",
    "mappings": "[{'score': 0.5}] * len(half)",
    "a mapping": "{'score': half}",
    "digits": "['0.5'] * len(half)",
    "a frame of digits": "pd.DataFrame({'score': ['0.5'] * len(half)})",
    "complex numbers": "np.array(half) * 1j",
    "three dimensions": "np.array(half).reshape(-1, 1, 1)",
    "nothing": "None",
    "no number": "[float('nan')] * len(half)",
    "no finite number": "[float('inf')] * len(half)",
}


@pytest.fixture
def answering(harmful_files: dict[str, bytes], tmp_path: Path) -> Callable[[str], Path]:
    """A package whose function answers so."""

    def made(answer: str) -> Path:
        folder = tmp_path / "package"
        files = {**harmful_files, "code/harmful.py": LOADER.format(answer=answer).encode()}
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return folder

    return made


@pytest.mark.parametrize("kind", SERVED)
def test_one_number_a_row_is_served(
    answering: Callable[[str], Path], row: Callable[..., Any], kind: str
) -> None:
    model = model_runtime("pyfunc").load(answering(SERVED[kind]))
    assert model.predict(row()).tolist() == [0.5]


@pytest.mark.parametrize("kind", REFUSED)
def test_all_else_is_refused(
    answering: Callable[[str], Path], row: Callable[..., Any], kind: str
) -> None:
    """As an endpoint does that loads it: it asks for a row of missing values, and takes a table
    into force only where one finite number comes."""
    model = model_runtime("pyfunc").load(answering(REFUSED[kind]))
    with pytest.raises((FreeholdError, ValueError)) as caught:
        checked(model.predict(row()), 1)
    code = getattr(caught.value, "code", "")
    assert code in ("", "runtime.wrong-answer", "runtime.model-raised")
    assert code or "finite" in str(caught.value)
