"""The bound: a bare server that parses the same body and predicts, and checks and logs nothing.

`python -m benchmarks.serving.limit MODEL PORT`; `/const` answers as many bytes without predicting.
"""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import orjson
import uvicorn

from freehold.adapters.lightgbm.runtime import LightGBMPredictor

CONSTANT = {
    1: orjson.dumps({"predictions": [0.9318237264871]}),
    64: orjson.dumps({"predictions": [0.9318237264871] * 64}),
}
HEADERS = [(b"content-type", b"application/json")]


class Bare:
    def __init__(self, predictor: LightGBMPredictor) -> None:
        self._predict = predictor.predict

    async def __call__(
        self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]
    ) -> None:
        event = await receive()
        body = event["body"]
        while event.get("more_body"):
            event = await receive()
            body += event["body"]
        if scope["path"] == "/const":
            out = CONSTANT[1 if len(body) < 1000 else 64]
        else:
            (tensor,) = orjson.loads(body)["inputs"]
            matrix = np.array(tensor["data"], dtype=np.float32).reshape(tensor["shape"])
            out = orjson.dumps({"predictions": self._predict(matrix).tolist()})
        length = (b"content-length", str(len(out)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, length]})
        await send({"type": "http.response.body", "body": out})


def main(model: str, port: str) -> None:
    booster = lightgbm.Booster(model_str=Path(model).read_text())
    uvicorn.run(
        Bare(LightGBMPredictor(booster)),
        port=int(port),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_config=None,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
