"""Asks a server with KServe's own client, REST and gRPC.

    python tests/clients/ask_kserve.py REST GRPC FILE

FILE is an .npz of rows and what the estimators say to them.
"""

import asyncio
import sys

import numpy as np
from kserve import (
    InferenceGRPCClient,
    InferenceRESTClient,
    InferInput,
    InferRequest,
    RESTConfig,
)


def request_of(expected, model, names, binary):
    inputs = []
    for name in names:
        values = expected[f"in {name}"]
        datatype = "BYTES" if values.dtype.kind == "O" else "FP64"
        one = InferInput(name, list(values.shape), datatype)
        one.set_data_from_numpy(values, binary_data=binary)
        inputs.append(one)
    return InferRequest(model_name=model, infer_inputs=inputs)


def check(response, expected, model):
    found = {output.name: output for output in response.outputs}
    labels = [
        x.decode() if isinstance(x, bytes) else x
        for x in np.asarray(found["label"].as_numpy()).tolist()
    ]
    np.testing.assert_array_equal(labels, expected[f"{model} label"])
    p = found["probabilities"].as_numpy()
    np.testing.assert_allclose(p, expected[f"{model} p"], atol=1e-12)


async def main(rest, grpc, file):
    expected = dict(np.load(file, allow_pickle=True))
    columns = [k[3:] for k in expected if k.startswith("in ") and k != "in X"]
    over_rest = InferenceRESTClient(RESTConfig(protocol="v2"))
    over_grpc = InferenceGRPCClient(grpc)
    assert await over_rest.is_server_live(rest)
    assert await over_rest.is_server_ready(rest)
    assert await over_rest.is_model_ready(rest, "flowers")
    assert await over_grpc.is_server_live()
    assert await over_grpc.is_server_ready()
    assert await over_grpc.is_model_ready("flowers")
    for model, names in [("flowers", columns), ("plain", ["X"])]:
        for binary in (False, True):
            request = request_of(expected, model, names, binary)
            response = await over_rest.infer(rest, request, model_name=model)
            check(response, expected, model)
            check(await over_grpc.infer(request), expected, model)
    await over_rest.close()
    await over_grpc.close()
    print("equal")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
