"""What every model converter must do."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from freehold.domain.errors import AdapterFailed
from freehold.ports.model_converter import TOLERANCE, ModelConverter


class ModelConverterContract:
    """Give the fixtures `converter`, `data` (a model's bytes in its source format), `matrix` with
    missing values and unseen categories, `expected` [n], and `answers(bytes, matrix)`, which
    predicts by the converted model."""

    def test_the_converted_model_answers_the_same(
        self,
        converter: ModelConverter,
        data: bytes,
        matrix: NDArray[np.float32],
        expected: NDArray[np.float64],
        answers: Callable[[bytes, NDArray[np.float32]], NDArray[np.float64]],
    ) -> None:
        assert np.isnan(matrix).any()
        converted = converter.convert(data, matrix.shape[1])
        assert np.max(np.abs(answers(converted, matrix) - expected)) <= TOLERANCE

    def test_equal_bytes_give_equal_bytes(
        self, converter: ModelConverter, data: bytes, matrix: NDArray[np.float32]
    ) -> None:
        width = matrix.shape[1]
        assert converter.convert(data, width) == converter.convert(data, width)

    def test_what_is_no_model_is_an_error(self, converter: ModelConverter, data: bytes) -> None:
        cuts = [data[: len(data) * part // 20] for part in range(20)]
        for bad in (b"\xff\xfe", b"no model", *cuts):
            with pytest.raises(AdapterFailed) as caught:
                converter.convert(bad, 3)
            assert caught.value.code == "model.unreadable"
