"""BentoML with one worker, by its own command: `… bentoml_runner MODEL PORT`.

The function is `async`: as a plain one it would be run by a thread, and answer less.
"""

import os
import sys
from pathlib import Path

import bentoml
import lightgbm
import numpy as np

MODEL = "BENCHMARK_MODEL"


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Service:
    def __init__(self) -> None:
        self._booster = lightgbm.Booster(model_file=os.environ[MODEL])

    @bentoml.api
    async def predict(self, rows: np.ndarray) -> np.ndarray:
        return self._booster.predict(rows)


def main(model: str, port: str) -> None:
    command = [str(Path(sys.executable).with_name("bentoml")), "serve", f"{__spec__.name}:Service"]
    command += ["--host", "127.0.0.1", "--port", port, "--working-dir", "."]
    os.execve(command[0], command, os.environ | {MODEL: model})


if __name__ == "__main__":
    main(*sys.argv[1:])
