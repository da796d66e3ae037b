"""The messages and methods that a client was generated from: of tritonclient, or of KServe."""

import json
import sys
from importlib import import_module
from typing import Any

MODULES = {
    "triton": "tritonclient.grpc.service_pb2",
    "kserve": "kserve.protocol.grpc.grpc_predict_v2_pb2",
}
"""Only one of them fits into a process."""


def fields(message: Any) -> dict[str, list[Any]]:
    return {field.name: [field.number, field.type, field.is_repeated] for field in message.fields}


def messages(found: Any, outer: str = "") -> dict[str, Any]:
    told = {}
    for message in found:
        told[outer + message.name] = fields(message)
        told |= messages(message.nested_types, f"{outer}{message.name}.")
    return told


def contract(of: str) -> dict[str, Any]:
    file = import_module(MODULES[of]).DESCRIPTOR
    service = file.services_by_name["GRPCInferenceService"]
    return {
        "package": file.package,
        "messages": messages(file.message_types_by_name.values()),
        "methods": {
            method.name: [
                method.input_type.full_name,
                method.output_type.full_name,
                method.client_streaming,
                method.server_streaming,
            ]
            for method in service.methods
        },
    }


if __name__ == "__main__":
    print(json.dumps(contract(json.load(sys.stdin))))
