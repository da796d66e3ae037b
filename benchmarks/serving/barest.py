"""A tighter bound: no web framework, only httptools on the loop's own protocol.

`python -m benchmarks.serving.barest MODEL PORT`. It parses the same body and predicts by the same
function as `limit.py`, and answers nothing but that: no route, no second request behind another, no
fault of a client.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import httptools
import lightgbm
import numpy as np
import orjson
import uvloop

from freehold.adapters.lightgbm.runtime import LightGBMPredictor

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


class Barest(asyncio.Protocol):
    def __init__(self, predictor: LightGBMPredictor) -> None:
        self._predict = predictor.predict
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body, self._body = b"".join(self._body), []
        (tensor,) = orjson.loads(body)["inputs"]
        matrix = np.array(tensor["data"], dtype=np.float32).reshape(tensor["shape"])
        out = orjson.dumps({"predictions": self._predict(matrix).tolist()})
        self._transport.write(HEAD % len(out) + out)


async def main(model: str, port: str) -> None:
    predictor = LightGBMPredictor(lightgbm.Booster(model_str=Path(model).read_text()))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Barest(predictor), "127.0.0.1", int(port))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
