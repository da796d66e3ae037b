"""What every model runtime must do."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import rmtree

import numpy as np
import pytest
from numpy.typing import NDArray

from freehold.domain.errors import IntegrityError, RequestInvalid
from freehold.ports.model_converter import TOLERANCE
from freehold.ports.model_runtime import SMALL, ModelRuntime


class ModelRuntimeContract:
    """Give the fixtures `runtime`, `folder` (an unpacked package that may be destroyed),
    `model_path` (the file in it that the runtime reads), `matrix` and `expected` [n]."""

    def test_answers_are_the_frameworks(
        self,
        runtime: ModelRuntime,
        folder: Path,
        matrix: NDArray[np.float32],
        expected: NDArray[np.float64],
    ) -> None:
        predictor = runtime.load(folder)
        assert predictor.width == matrix.shape[1]
        for rows in (0, 1, 2, SMALL, SMALL + 1, len(matrix)):
            answer = predictor.predict(matrix[:rows])
            assert answer.dtype == np.float64 and answer.shape == (rows,)
            assert np.all(np.abs(answer - expected[:rows]) <= TOLERANCE)

    def test_rows_need_not_lie_together_in_memory(
        self,
        runtime: ModelRuntime,
        folder: Path,
        matrix: NDArray[np.float32],
        expected: NDArray[np.float64],
    ) -> None:
        answer = runtime.load(folder).predict(np.asfortranarray(matrix)[::3])
        assert np.all(np.abs(answer - expected[::3]) <= TOLERANCE)

    def test_threads_get_the_same_answers(
        self, runtime: ModelRuntime, folder: Path, matrix: NDArray[np.float32]
    ) -> None:
        predictor = runtime.load(folder)
        alone = [predictor.predict(matrix[at : at + 1])[0] for at in range(200)]
        with ThreadPoolExecutor(8) as threads:
            together = list(
                threads.map(lambda at: predictor.predict(matrix[at : at + 1])[0], range(200))
            )
        assert together == alone

    def test_a_loaded_model_needs_its_folder_no_more(
        self, runtime: ModelRuntime, folder: Path, matrix: NDArray[np.float32]
    ) -> None:
        predictor = runtime.load(folder)
        before = predictor.predict(matrix[:5])
        rmtree(folder)
        assert np.array_equal(predictor.predict(matrix[:5]), before)

    def test_a_matrix_of_another_shape_is_refused(
        self, runtime: ModelRuntime, folder: Path, matrix: NDArray[np.float32]
    ) -> None:
        predictor = runtime.load(folder)
        for bad in (matrix[:, 1:], matrix[0], np.hstack([matrix, matrix])):
            with pytest.raises(RequestInvalid) as caught:
                predictor.predict(bad)
            assert caught.value.code == "request.wrong-width"

    def test_a_package_without_its_model_or_with_a_broken_one(
        self, runtime: ModelRuntime, folder: Path, model_path: Path
    ) -> None:
        model_path.write_bytes(model_path.read_bytes()[: model_path.stat().st_size // 2])
        with pytest.raises(IntegrityError) as caught:
            runtime.load(folder)
        assert caught.value.code == "package.unreadable"
        model_path.unlink()
        with pytest.raises(IntegrityError) as caught:
            runtime.load(folder)
        assert caught.value.code == "package.incomplete"
