"""KServe's InferenceRESTClient, version 2 of the protocol."""

import asyncio
import json
import sys
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

MODEL = "delay"


def request(question: Any, binary: bool, **more: Any) -> InferRequest:
    columns = {
        "distance": np.array(question["distance"], np.float64),
        "carrier": np.array(question["carrier"], np.object_),
    }
    inputs = []
    for name, values in columns.items():
        datatype = "BYTES" if name == "carrier" else "FP64"
        one = InferInput(name, list(values.shape), datatype)
        one.set_data_from_numpy(values, binary_data=binary)
        inputs.append(one)
    return InferRequest(MODEL, inputs, request_id="r8", **more)


async def ask(url: str, question: Any) -> dict[str, Any]:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))

    async def scores(asked: Any) -> list[float]:
        answer = await client.infer(url, asked, model_name=MODEL)
        score = next(output for output in answer.outputs if output.name == "score")
        return [float(value) for value in score.data]

    wanted = [RequestedOutput("score", {"binary_data": True})]
    by_hand = {
        "inputs": [
            {"name": "distance", "datatype": "FP64", "shape": [2], "data": question["distance"]},
            {"name": "carrier", "datatype": "BYTES", "shape": [2], "data": question["carrier"]},
        ]
    }
    try:
        await client.infer(url, {"inputs": []}, model_name=MODEL)
        refused = ""
    except httpx.HTTPStatusError as exc:
        refused = str(exc)
    try:
        return {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "model ready": await client.is_model_ready(url, MODEL),
            "other ready": await client.is_model_ready(url, "other"),
            "scores": {
                "binary": await scores(request(question, True)),
                "binary out": await scores(request(question, True, request_outputs=wanted)),
                "json": await scores(request(question, False)),
                "by hand": await scores(by_hand),
            },
            "refused": refused,
        }
    finally:
        await client.close()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(ask(sys.argv[1], json.load(sys.stdin)))))
