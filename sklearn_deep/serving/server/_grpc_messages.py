"""Messages of the Open Inference Protocol over gRPC, from a table of their fields.

Numbers and types of the fields are those of the published protocol. The messages live in
a pool of their own, so that a client library in the same process can define them too.
"""

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"

# Fields of each message as "NUMBER TYPE name"; a type with a star is repeated, one with a
# percent sign is a map from strings to it, one with a question mark is one of several.
_FIELDS = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "1 bool live",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "1 bool ready",
    "ModelReadyRequest": "1 string name, 2 string version",
    "ModelReadyResponse": "1 bool ready",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "1 string name, 2 string version, 3 string* extensions",
    "ModelMetadataRequest": "1 string name, 2 string version",
    "TensorMetadata": "1 string name, 2 string datatype, 3 int64* shape",
    "ModelMetadataResponse": """1 string name, 2 string* versions, 3 string platform,
        4 TensorMetadata* inputs, 5 TensorMetadata* outputs""",
    "InferParameter": """1 bool? bool_param, 2 int64? int64_param,
        3 string? string_param, 4 double? double_param, 5 uint64? uint64_param""",
    "InferTensorContents": """1 bool* bool_contents, 2 int32* int_contents,
        3 int64* int64_contents, 4 uint32* uint_contents, 5 uint64* uint64_contents,
        6 float* fp32_contents, 7 double* fp64_contents, 8 bytes* bytes_contents""",
    "InferInputTensor": """1 string name, 2 string datatype, 3 int64* shape,
        4 InferParameter% parameters, 5 InferTensorContents contents""",
    "InferRequestedOutputTensor": "1 string name, 2 InferParameter% parameters",
    "ModelInferRequest": """1 string model_name, 2 string model_version, 3 string id,
        4 InferParameter% parameters, 5 InferInputTensor* inputs,
        6 InferRequestedOutputTensor* outputs, 7 bytes* raw_input_contents""",
    "InferOutputTensor": """1 string name, 2 string datatype, 3 int64* shape,
        4 InferParameter% parameters, 5 InferTensorContents contents""",
    "ModelInferResponse": """1 string model_name, 2 string model_version, 3 string id,
        4 InferParameter% parameters, 5 InferOutputTensor* outputs,
        6 bytes* raw_output_contents""",
}

# Request and response of each method are named after it.
METHODS = (
    "ServerLive",
    "ServerReady",
    "ModelReady",
    "ServerMetadata",
    "ModelMetadata",
    "ModelInfer",
)

# Field of ``InferTensorContents`` that holds the values of a datatype. FP16 has none.
CONTENTS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}

_Field = FieldDescriptorProto


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(
        name="sklearn_deep_inference.proto", package=PACKAGE, syntax="proto3"
    )
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for text in filter(None, fields.split(",")):
            _add_field(message, *text.split())
    return file


def _add_field(message: DescriptorProto, number: str, kind: str, name: str) -> None:
    mark = kind[-1] if kind[-1] in "*%?" else ""
    field = message.field.add(
        name=name, number=int(number), label=_Field.LABEL_OPTIONAL
    )
    _set_type(field, kind.rstrip("*%?"))
    if mark in ("*", "%"):
        field.label = _Field.LABEL_REPEATED
    if mark == "%":
        _make_map(message, field)
    if mark == "?":
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        field.oneof_index = 0


def _set_type(field: FieldDescriptorProto, kind: str) -> None:
    if kind in _FIELDS:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    else:
        field.type = _Field.Type.Value(f"TYPE_{kind.upper()}")


def _make_map(message: DescriptorProto, field: FieldDescriptorProto) -> None:
    """Make a repeated field a map: its messages are pairs of a key and a value."""
    name = "".join(part.capitalize() for part in field.name.split("_")) + "Entry"
    pair = message.nested_type.add(name=name)
    pair.options.map_entry = True
    pair.field.add(
        name="key", number=1, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_STRING
    )
    value = pair.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL)
    value.type, value.type_name = field.type, field.type_name
    field.type_name = f".{PACKAGE}.{message.name}.{name}"


_POOL = DescriptorPool()
_POOL.AddSerializedFile(_file().SerializeToString())

# Classes of the messages by name.
MESSAGES = {
    name: GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))
    for name in _FIELDS
}
