"""tritonclient.http.aio, which names no media type but its library's own."""

import asyncio
import json
import sys
from typing import Any

from triton_http import MODEL, scores, tensors
from tritonclient.http.aio import InferenceServerClient, InferRequestedOutput


async def ask(url: str, question: Any) -> dict[str, Any]:
    binary, plain = tensors(question, True), tensors(question, False)
    json_score = [InferRequestedOutput("score", binary_data=False)]
    async with InferenceServerClient(url.removeprefix("http://")) as client:
        many = await asyncio.gather(*(client.infer(MODEL, binary) for _ in range(8)))
        return {
            "ready": await client.is_model_ready(MODEL),
            "server": await client.get_server_metadata(),
            "scores": {
                "binary": scores(await client.infer(MODEL, binary)),
                "json": scores(await client.infer(MODEL, plain, outputs=json_score)),
                "gzip": scores(
                    await client.infer(MODEL, binary, request_compression_algorithm="gzip")
                ),
                **{f"one of many {n}": scores(one) for n, one in enumerate(many)},
            },
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(ask(sys.argv[1], json.load(sys.stdin)))))
