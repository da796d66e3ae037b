"""What `endpoint.warming` does by HTTP, for gRPC's messages."""

from freehold.domain.columns import Columns
from freehold.domain.errors import FreeholdError
from freehold.endpoint.endpoint import Endpoint
from freehold.endpoint.warming import ROUNDS, SIZES, value_of
from freehold.serving.inference_messages import ModelInferRequest
from freehold.serving.message_request import read_envelope, read_message
from freehold.serving.message_response import response_message
from freehold.serving.request import Limits


def warm_messages(endpoint: Endpoint) -> None:
    """Nothing of it is logged or counted. Models that answer from elsewhere are left alone."""
    loaded = endpoint.watcher.table
    if loaded.waits:
        return
    inference = endpoint.unheard()
    for columns in loaded.described(None)[1]:
        for body in (_question(loaded.table.model, columns, rows) for rows in SIZES):
            for _ in range(ROUNDS):
                envelope = read_envelope(body)
                request = read_message(envelope, Limits(), lambda: loaded.order(None))
                try:
                    response_message(request, inference.answer(loaded, request, 0, None))
                except FreeholdError:
                    return  # A model that does not like it: whoever asks it the same is told.


def _question(model: str, columns: Columns, rows: int) -> bytes:
    message = ModelInferRequest(model_name=model)
    for column in columns.columns:
        tensor = message.inputs.add(name=column.name, shape=[rows])
        if column.kind == "number":
            tensor.datatype = "FP64"
            tensor.contents.fp64_contents.extend([0.0] * rows)
        else:
            tensor.datatype = "BYTES"
            text = str(value_of(column) or "").encode()
            tensor.contents.bytes_contents.extend([text] * rows)
    body: bytes = message.SerializeToString()
    return body
