"""Messages of the Open Inference Protocol, version 2, over gRPC (package `inference`), and of the
gRPC health protocol, as classes of the installed protobuf.

They live in a pool of their own: a client library in the same process may have its own of the same
names. `Envelope` is ModelInferRequest with what lies within its parts unread: on the wire a message
and bytes are the same.
"""

from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"
HEALTH_SERVICE = "grpc.health.v1.Health"

_FIELDS = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "bool live 1",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "bool ready 1",
    "ModelReadyRequest": "string name 1, string version 2",
    "ModelReadyResponse": "bool ready 1",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "string name 1, string version 2, string* extensions 3",
    "ModelMetadataRequest": "string name 1, string version 2",
    "ModelMetadataResponse": "string name 1, string* versions 2, string platform 3,"
    " .TensorMetadata* inputs 4, .TensorMetadata* outputs 5",
    "ModelMetadataResponse.TensorMetadata": "string name 1, string datatype 2, int64* shape 3",
    "InferParameter": "bool bool_param 1, int64 int64_param 2, string string_param 3,"
    " double double_param 4, uint64 uint64_param 5",
    "InferTensorContents": "bool* bool_contents 1, int32* int_contents 2, int64* int64_contents 3,"
    " uint32* uint_contents 4, uint64* uint64_contents 5, float* fp32_contents 6,"
    " double* fp64_contents 7, bytes* bytes_contents 8",
    "ModelInferRequest": "string model_name 1, string model_version 2, string id 3,"
    " InferParameter@ parameters 4, .InferInputTensor* inputs 5,"
    " .InferRequestedOutputTensor* outputs 6, bytes* raw_input_contents 7",
    "ModelInferRequest.InferInputTensor": "string name 1, string datatype 2, int64* shape 3,"
    " InferParameter@ parameters 4, InferTensorContents contents 5",
    "ModelInferRequest.InferRequestedOutputTensor": "string name 1, InferParameter@ parameters 2",
    "ModelInferResponse": "string model_name 1, string model_version 2, string id 3,"
    " InferParameter@ parameters 4, .InferOutputTensor* outputs 5, bytes* raw_output_contents 6",
    "ModelInferResponse.InferOutputTensor": "string name 1, string datatype 2, int64* shape 3,"
    " InferParameter@ parameters 4, InferTensorContents contents 5",
    "ModelStreamInferResponse": "string error_message 1, ModelInferResponse infer_response 2",
    "Envelope": "string model_name 1, string model_version 2, string id 3, bytes* parameters 4,"
    " bytes* inputs 5, bytes* outputs 6, bytes* raw_input_contents 7",
    "NamedParameter": "string key 1, InferParameter value 2",
    "HealthCheckRequest": "string service 1",
    "HealthCheckResponse": "int32 status 1",
}
"""By message: type, name and number of each field. `*`: repeated; `@`: a map from strings; a type
that begins with a dot is one within the message. Those of InferParameter exclude each other. The
health protocol's status is an enumeration, which goes over the wire as an int32."""


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(name="inference_messages.proto", package=PACKAGE, syntax="proto3")
    made: dict[str, DescriptorProto] = {}
    for path, fields in _FIELDS.items():
        outer, _, name = path.rpartition(".")
        home = made[outer].nested_type if outer else file.message_type
        message = made[path] = home.add(name=name)
        if path == "InferParameter":
            message.oneof_decl.add(name="parameter_choice")
        for field in filter(None, fields.split(", ")):
            _add(message, path, *field.split())
    return file


def _add(message: DescriptorProto, path: str, kind: str, name: str, number: str) -> None:
    plain = kind.rstrip("*@")
    field = message.field.add(name=name, number=int(number))
    field.label = field.LABEL_OPTIONAL if kind == plain else field.LABEL_REPEATED
    if kind.endswith("@"):
        entry = message.nested_type.add(name=f"{name.title()}Entry")
        entry.options.map_entry = True
        _add(entry, f"{path}.{entry.name}", "string", "key", "1")
        _add(entry, f"{path}.{entry.name}", plain, "value", "2")
        plain = f".{entry.name}"
    if plain[0].islower():
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{plain.upper()}")
    else:
        field.type = field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{path}{plain}" if plain[0] == "." else f".{PACKAGE}.{plain}"
    if path == "InferParameter":
        field.oneof_index = 0


_POOL = DescriptorPool()
_POOL.AddSerializedFile(_file().SerializeToString())
FILE = _POOL.FindFileByName("inference_messages.proto")


def _class(path: str) -> Any:
    return GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{path}"))


Envelope = _class("Envelope")
HealthCheckRequest = _class("HealthCheckRequest")
HealthCheckResponse = _class("HealthCheckResponse")
InferInputTensor = _class("ModelInferRequest.InferInputTensor")
InferRequestedOutputTensor = _class("ModelInferRequest.InferRequestedOutputTensor")
ModelInferRequest = _class("ModelInferRequest")
ModelInferResponse = _class("ModelInferResponse")
ModelMetadataRequest = _class("ModelMetadataRequest")
ModelMetadataResponse = _class("ModelMetadataResponse")
ModelReadyRequest = _class("ModelReadyRequest")
ModelReadyResponse = _class("ModelReadyResponse")
ModelStreamInferResponse = _class("ModelStreamInferResponse")
NamedParameter = _class("NamedParameter")
ServerLiveRequest = _class("ServerLiveRequest")
ServerLiveResponse = _class("ServerLiveResponse")
ServerMetadataRequest = _class("ServerMetadataRequest")
ServerMetadataResponse = _class("ServerMetadataResponse")
ServerReadyRequest = _class("ServerReadyRequest")
ServerReadyResponse = _class("ServerReadyResponse")
