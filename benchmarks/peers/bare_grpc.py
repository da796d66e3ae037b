"""A grpc.aio server with nothing around it: `… bare_grpc LOOP SIZE [MODEL]`; prints its port.

LOOP: `asyncio`, or `uvloop` as ours has. It answers a constant of SIZE bytes; with the text of a
LightGBM model it reads the same message and predicts, and checks and logs nothing.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc
import lightgbm
import numpy as np
import uvloop

from freehold.adapters.lightgbm.runtime import LightGBMPredictor
from freehold.serving.inference_messages import SERVICE, ModelInferRequest, ModelInferResponse


class Constant:
    def __init__(self, size: int) -> None:
        self._answer = bytes(size)

    async def told(self, _: bytes, __: Any) -> bytes:
        return self._answer


class Predicted:
    def __init__(self, model: str) -> None:
        self._predict = LightGBMPredictor(lightgbm.Booster(model_str=model)).predict

    async def told(self, body: bytes, _: Any) -> bytes:
        message = ModelInferRequest.FromString(body)
        numbers = np.frombuffer(message.raw_input_contents[0], "<f8").astype(np.float32)
        scores = self._predict(numbers.reshape(tuple(message.inputs[0].shape)))
        answer = ModelInferResponse(model_name="m", raw_output_contents=[scores.tobytes()])
        answer.outputs.add(name="score", datatype="FP64", shape=[len(scores)])
        written: bytes = answer.SerializeToString()
        return written


async def main(size: str, model: str = "") -> None:
    inner = Predicted(Path(model).read_text()) if model else Constant(int(size))
    method = grpc.unary_unary_rpc_method_handler(inner.told)
    handler = grpc.method_handlers_generic_handler(SERVICE, {"ModelInfer": method})
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    run = uvloop.run if sys.argv[1] == "uvloop" else asyncio.run
    run(main(*sys.argv[2:]))
