"""Requests of the protocol, in its three forms, and what comes back as arrays."""

import json

import numpy as np

from sklearn_deep.serving.server._grpc_messages import CONTENTS, MESSAGES, SERVICE
from sklearn_deep.serving.server._specs import DTYPES
from sklearn_deep.serving.server._tensors import bytes_of_array

HEADER = "Inference-Header-Content-Length"


def json_tensor(name, values, datatype="FP64"):
    values = np.asarray(values)
    data = values.ravel().tolist()
    return {"name": name, "datatype": datatype, "shape": [*values.shape], "data": data}


def json_request(*tensors, **more):
    return {"inputs": list(tensors), **more}


def binary_request(*named, outputs=None, **more):
    """Body and headers of a request whose tensors stand behind the JSON."""
    inputs, blobs = [], []
    for name, datatype, values in named:
        blob = bytes(bytes_of_array(values.astype(DTYPES[datatype])))
        size = {"binary_data_size": len(blob)}
        shape = list(values.shape)
        inputs.append(
            {"name": name, "datatype": datatype, "shape": shape, "parameters": size}
        )
        blobs.append(blob)
    wanted = {} if outputs is None else {"outputs": outputs}
    head = json.dumps({"inputs": inputs, **wanted, **more}).encode()
    return b"".join([head, *blobs]), {HEADER: str(len(head))}


def json_outputs(answer):
    """Outputs of a response by name, as arrays."""
    assert answer.status_code == 200, answer.text
    return {
        output["name"]: np.array(output["data"]).reshape(output["shape"])
        for output in answer.json()["outputs"]
    }


def grpc_request(model, named, raw=True, **more):
    request = MESSAGES["ModelInferRequest"](model_name=model, **more)
    for name, datatype, values in named:
        values = np.asarray(values).astype(DTYPES[datatype])
        tensor = request.inputs.add(name=name, datatype=datatype, shape=values.shape)
        if raw:
            request.raw_input_contents.append(bytes(bytes_of_array(values)))
        else:
            flat = values.ravel().tolist()
            if datatype == "BYTES":
                flat = [value.encode() for value in flat]
            getattr(tensor.contents, CONTENTS[datatype]).extend(flat)
    return request


def grpc_call(channel, method, request=None, **kwargs):
    """Call a method of the protocol."""
    call = channel.unary_unary(
        f"/{SERVICE}/{method}",
        request_serializer=MESSAGES[f"{method}Request"].SerializeToString,
        response_deserializer=MESSAGES[f"{method}Response"].FromString,
    )
    request = MESSAGES[f"{method}Request"]() if request is None else request
    return call(request, timeout=30, **kwargs)


def grpc_outputs(response):
    """Outputs of a response by name, as arrays."""
    found = {}
    for k, output in enumerate(response.outputs):
        dtype = DTYPES[output.datatype]
        if response.raw_output_contents:
            blob = response.raw_output_contents[k]
            values = strings(blob) if dtype.kind == "O" else np.frombuffer(blob, dtype)
        else:
            values = list(getattr(output.contents, CONTENTS[output.datatype]))
            if dtype.kind == "O":
                values = [value.decode() for value in values]
        found[output.name] = np.array(values).reshape(tuple(output.shape))
    return found


def strings(blob):
    found = []
    while blob:
        size = int.from_bytes(blob[:4], "little")
        found.append(blob[4 : 4 + size].decode())
        blob = blob[4 + size :]
    return found
