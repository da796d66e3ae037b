"""What every model framework must do."""

import numpy as np
import pytest
from numpy.typing import NDArray

from freehold.domain.errors import AdapterFailed
from freehold.ports.model_framework import ModelFramework


class ModelFrameworkContract:
    """Give the fixtures `framework`, `data` (a binary classifier's bytes) and `matrix`."""

    sums_within: float = 1e-6
    """Of log-odds: more where a library reckons in single precision."""

    def test_probabilities_are_one_for_each_row(
        self, framework: ModelFramework, data: bytes, matrix: NDArray[np.float32]
    ) -> None:
        answer = framework.predict(data, matrix)
        assert answer.dtype == np.float64 and answer.shape == (len(matrix),)
        assert np.all((answer >= 0) & (answer <= 1))
        assert len(np.unique(answer)) > 1

    def test_answers_do_not_depend_on_the_batch(
        self, framework: ModelFramework, data: bytes, matrix: NDArray[np.float32]
    ) -> None:
        whole = framework.predict(data, matrix)
        rows = [framework.predict(data, matrix[at : at + 1])[0] for at in range(20)]
        assert np.array_equal(whole[:20], rows)
        assert framework.predict(data, matrix[:0]).shape == (0,)

    def test_contributions_add_up_to_the_raw_score(
        self, framework: ModelFramework, data: bytes, matrix: NDArray[np.float32]
    ) -> None:
        parts = framework.contributions(data, matrix[:200])
        assert parts.shape == (200, matrix.shape[1])
        answer = framework.predict(data, matrix[:200])
        base = np.log(answer / (1 - answer)) - parts.sum(axis=1)
        assert np.ptp(base) < self.sums_within
        assert framework.contributions(data, matrix[:0]).shape == (0, matrix.shape[1])

    def test_the_flavor_pins_what_it_needs_and_its_loader_stands_alone(
        self, framework: ModelFramework, data: bytes
    ) -> None:
        flavor = framework.flavor(data)
        assert flavor.requirements and all("==" in line for line in flavor.requirements)
        assert "freehold" not in flavor.loader
        assert "def _load_pyfunc(" in flavor.loader

    def test_what_is_no_model_is_an_error(
        self, framework: ModelFramework, data: bytes, matrix: NDArray[np.float32]
    ) -> None:
        for bad in (b"", b"no model", data[: len(data) // 2]):
            with pytest.raises(AdapterFailed) as caught:
                framework.predict(bad, matrix)
            assert caught.value.code == "model.unreadable"
