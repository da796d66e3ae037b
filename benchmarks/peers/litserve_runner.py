"""LitServe with one worker: `… litserve_runner MODEL PORT`."""

import sys
from typing import Any

import lightgbm
import litserve
import numpy as np
from numpy.typing import NDArray


class Api(litserve.LitAPI):  # type: ignore[misc]
    def __init__(self, model: str) -> None:
        super().__init__()
        self._file = model

    def setup(self, device: str) -> None:  # noqa: ARG002 (its name is LitServe's)
        self._booster = lightgbm.Booster(model_file=self._file)

    def decode_request(self, request: dict[str, Any]) -> NDArray[np.float64]:
        return np.asarray(request["rows"])

    def predict(self, x: NDArray[np.float64]) -> Any:
        return self._booster.predict(x)

    def encode_response(self, output: NDArray[np.float64]) -> dict[str, list[float]]:
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Api(sys.argv[1]), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[2]),
        num_api_servers=1,
        log_level="error",
        generate_client_file=False,
        access_log=False,
    )
