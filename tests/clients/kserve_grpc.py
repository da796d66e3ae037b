"""KServe's InferenceGRPCClient: raw and typed contents."""

import asyncio
import json
import logging
import sys
from typing import Any

import grpc
from kserve import InferenceGRPCClient, InferRequest
from kserve_rest import MODEL, request


async def ask(url: str, question: Any) -> dict[str, Any]:
    # It logs a trace of each refusal, besides raising it.
    logging.disable(logging.CRITICAL)

    async def scores(asked: InferRequest) -> list[float]:
        answer = await client.infer(asked)
        score = next(output for output in answer.outputs if output.name == "score")
        return [float(value) for value in score.as_numpy()]

    async with InferenceGRPCClient(url) as client:
        empty = request(question, binary=False)
        empty.inputs = []
        try:
            await client.infer(empty)
            refused: list[Any] = []
        except grpc.RpcError as exc:
            codes = dict(exc.trailing_metadata())
            refused = [exc.code().name, exc.details(), codes["freehold-code"]]
        return {
            "live": await client.is_server_live(),
            "ready": await client.is_server_ready(),
            "model ready": await client.is_model_ready(MODEL),
            "other ready": await client.is_model_ready("other"),
            "scores": {
                "raw": await scores(request(question, binary=True)),
                "typed": await scores(request(question, binary=False)),
            },
            "refused": refused,
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(ask(sys.argv[1], json.load(sys.stdin)))))
