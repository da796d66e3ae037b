"""FastAPI as its tutorial has it, with a body that Pydantic checks: `… fastapi_runner MODEL PORT`.

The function is `async`, since it waits for nothing: as a plain one it would be run by a thread for
each request, and answer less.
"""

import sys

import lightgbm
import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Rows(BaseModel):
    rows: list[list[float]]


class Predictions(BaseModel):
    predictions: list[float]


def application(model: str) -> FastAPI:
    booster = lightgbm.Booster(model_file=model)
    app = FastAPI()

    @app.post("/predict")
    async def predict(asked: Rows) -> Predictions:
        return Predictions(predictions=booster.predict(np.asarray(asked.rows)).tolist())

    return app


if __name__ == "__main__":
    uvicorn.run(application(sys.argv[1]), port=int(sys.argv[2]), access_log=False)
