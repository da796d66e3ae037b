"""tritonclient.grpc: the blocking client, its futures and its stream."""

import json
import queue
import sys
from functools import partial
from typing import Any

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

MODEL = "delay"


def tensors(question: Any) -> list[InferInput]:
    distance = InferInput("distance", [len(question["distance"])], "FP64")
    distance.set_data_from_numpy(np.array(question["distance"], np.float64))
    carrier = InferInput("carrier", [len(question["carrier"]), 1], "BYTES")
    carrier.set_data_from_numpy(np.array(question["carrier"], np.object_).reshape(-1, 1))
    return [distance, carrier]


def gap() -> list[InferInput]:
    one = InferInput("distance", [1], "FP64")
    one.set_data_from_numpy(np.array([np.nan]))
    return [one]


def scores(result: InferResult) -> list[float]:
    return result.as_numpy("score").tolist()


def streamed(client: InferenceServerClient, question: Any) -> list[Any]:
    """The ids and scores of right requests with a wrong one among them, as they come back."""
    came: queue.Queue[Any] = queue.Queue()

    def on_answer(came: Any, result: Any, error: Any) -> None:
        came.put(
            ["refused", error.message()] if error else [result.get_response().id, scores(result)]
        )

    client.start_stream(partial(on_answer, came))
    for n in range(20):
        asked = gap() if n == 7 else tensors(question)
        client.async_stream_infer(MODEL, asked, request_id=f"s{n}")
    told = [came.get(timeout=60) for _ in range(20)]
    client.stop_stream()
    return told


def ask(client: InferenceServerClient, question: Any) -> dict[str, Any]:
    given = tensors(question)
    matrix = InferInput("all", [2, 2], "FP32")
    matrix.set_data_from_numpy(np.array(question["matrix"], np.float32))
    named = client.infer(MODEL, given, request_id="r7")
    only = client.infer(MODEL, given, outputs=[InferRequestedOutput("score")])
    later: queue.Queue[Any] = queue.Queue()
    client.async_infer(MODEL, given, lambda result, error: later.put((result, error)))
    try:
        client.infer(MODEL, gap())
        refused = None
    except InferenceServerException as exc:
        refused = [exc.status(), exc.message()]
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model ready": client.is_model_ready(MODEL),
        "version ready": client.is_model_ready(MODEL, "1"),
        "no version": client.is_model_ready(MODEL, "9"),
        "server": client.get_server_metadata(as_json=True),
        "model": client.get_model_metadata(MODEL, as_json=True),
        "version": client.get_model_metadata(MODEL, "2", as_json=True),
        "prediction ids": [name.decode() for name in named.as_numpy("prediction_id").tolist()],
        "versions": named.as_numpy("version").tolist(),
        "outputs": [output.name for output in only.get_response().outputs],
        "scores": {
            "plain": scores(named),
            "one output": scores(only),
            "gzip": scores(client.infer(MODEL, given, compression_algorithm="gzip")),
            "async": scores(later.get(timeout=60)[0]),
            "version": scores(client.infer(MODEL, given, model_version="1")),
            "in time": scores(client.infer(MODEL, given, client_timeout=60.0)),
        },
        "matrix": scores(client.infer(MODEL, [matrix], model_version="2")),
        "gap": scores(client.infer(MODEL, gap(), parameters={"missing": "null"})),
        "refused": refused,
        "streamed": streamed(client, question),
    }


if __name__ == "__main__":
    with InferenceServerClient(sys.argv[1]) as client:
        print(json.dumps(ask(client, json.load(sys.stdin))))
