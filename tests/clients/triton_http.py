"""tritonclient.http, both the blocking client and its greenlets."""

import json
import sys
from typing import Any

import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

MODEL = "delay"


def tensors(question: Any, binary: bool) -> list[InferInput]:
    distance = InferInput("distance", [len(question["distance"])], "FP64")
    distance.set_data_from_numpy(np.array(question["distance"], np.float64), binary_data=binary)
    carrier = InferInput("carrier", [len(question["carrier"]), 1], "BYTES")
    values = np.array(question["carrier"], np.object_).reshape(-1, 1)
    carrier.set_data_from_numpy(values, binary_data=binary)
    return [distance, carrier]


def scores(result: InferResult) -> list[float]:
    return result.as_numpy("score").tolist()


def ask(client: InferenceServerClient, question: Any) -> dict[str, Any]:
    binary, plain = tensors(question, True), tensors(question, False)
    json_score = [InferRequestedOutput("score", binary_data=False)]
    matrix = InferInput("all", [2, 2], "FP32")
    matrix.set_data_from_numpy(np.array(question["matrix"], np.float32))
    gap = InferInput("distance", [1], "FP64")
    gap.set_data_from_numpy(np.array([np.nan]))
    named = client.infer(MODEL, binary, request_id="r7")
    try:
        client.infer(MODEL, [gap])
        refused = None
    except InferenceServerException as exc:
        refused = [exc.status(), exc.message()]
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model ready": client.is_model_ready(MODEL),
        "version ready": client.is_model_ready(MODEL, "1"),
        "no version": client.is_model_ready(MODEL, "9"),
        "server": client.get_server_metadata(),
        "model": client.get_model_metadata(MODEL),
        "version": client.get_model_metadata(MODEL, "2"),
        "prediction ids": [name.decode() for name in named.as_numpy("prediction_id").tolist()],
        "versions": named.as_numpy("version").tolist(),
        "scores": {
            "binary": scores(named),
            "json": scores(client.infer(MODEL, plain, outputs=json_score)),
            "json in": scores(client.infer(MODEL, plain)),
            "json out": scores(client.infer(MODEL, binary, outputs=json_score)),
            "gzip": scores(client.infer(MODEL, binary, request_compression_algorithm="gzip")),
            "deflate": scores(client.infer(MODEL, plain, request_compression_algorithm="deflate")),
            "packed": scores(client.infer(MODEL, plain, response_compression_algorithm="gzip")),
            "async": scores(client.async_infer(MODEL, binary).get_result()),
            "version": scores(client.infer(MODEL, binary, model_version="1")),
        },
        "matrix": scores(client.infer(MODEL, [matrix], model_version="2")),
        "gap": scores(client.infer(MODEL, [gap], parameters={"missing": "null"})),
        "refused": refused,
    }


if __name__ == "__main__":
    with InferenceServerClient(sys.argv[1].removeprefix("http://")) as client:
        print(json.dumps(ask(client, json.load(sys.stdin))))
