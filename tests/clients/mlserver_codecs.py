"""MLServer's types and codecs make the request and read the answer."""

import json
import sys
from typing import Any
from urllib.request import Request, urlopen

import pandas as pd
from mlserver.codecs import NumpyRequestCodec, PandasCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse, MetadataModelResponse

PATH = "/v2/models/delay"


def post(url: str, request: InferenceRequest) -> InferenceResponse:
    body = request.model_dump_json().encode()
    asked = Request(url, body, {"content-type": "application/json"})
    with urlopen(asked) as reply:
        return InferenceResponse.model_validate_json(reply.read())


def ask(url: str, question: Any) -> dict[str, Any]:
    frame = pd.DataFrame({name: question[name] for name in ("distance", "carrier")})
    answer = post(f"{url}{PATH}/infer", PandasCodec.encode_request(frame))
    table = PandasCodec.decode_response(answer)
    matrix = NumpyRequestCodec.encode_request(pd.DataFrame(question["matrix"]).to_numpy())
    by_version = post(f"{url}{PATH}/versions/2/infer", matrix)
    with urlopen(url + PATH) as reply:
        metadata = MetadataModelResponse.model_validate_json(reply.read())
    ids = next(output for output in answer.outputs if output.name == "prediction_id")
    return {
        "columns": [one.name for one in metadata.inputs or []],
        "prediction ids": StringCodec.decode_output(ids),
        "scores": {"frame": table["score"].tolist()},
        "matrix": by_version.outputs[0].data.root,
    }


if __name__ == "__main__":
    print(json.dumps(ask(sys.argv[1], json.load(sys.stdin))))
