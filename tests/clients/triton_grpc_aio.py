"""tritonclient.grpc.aio, with many requests at once and with a stream."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from triton_grpc import MODEL, gap, scores, tensors
from tritonclient.grpc.aio import InferenceServerClient


async def ask(url: str, question: Any) -> dict[str, Any]:
    given = tensors(question)

    async def requests() -> AsyncIterator[dict[str, Any]]:
        for n in range(10):
            inputs = gap() if n == 3 else given
            yield {"model_name": MODEL, "inputs": inputs, "request_id": f"a{n}"}

    async with InferenceServerClient(url) as client:
        many = await asyncio.gather(*(client.infer(MODEL, given) for _ in range(32)))
        streamed = [
            ["refused", error.message()] if error else [result.get_response().id, scores(result)]
            async for result, error in client.stream_infer(requests())
        ]
        return {
            "ready": await client.is_model_ready(MODEL),
            "server": await client.get_server_metadata(as_json=True),
            "scores": {f"one of many {n}": scores(one) for n, one in enumerate(many)},
            "streamed": streamed,
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(ask(sys.argv[1], json.load(sys.stdin)))))
