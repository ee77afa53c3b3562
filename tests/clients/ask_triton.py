"""Asks a server with NVIDIA's tritonclient, http and grpc, as its documentation does.

    python tests/clients/ask_triton.py REST GRPC FILE

FILE is an .npz of rows and what the estimators say to them.
"""

import sys

import numpy as np
import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
from tritonclient.utils import InferenceServerException


def inputs_of(module, expected, names, **kwargs):
    found = []
    for name in names:
        values = expected[f"in {name}"]
        datatype = "BYTES" if values.dtype.kind == "O" else "FP64"
        one = module.InferInput(name, list(values.shape), datatype)
        one.set_data_from_numpy(values, **kwargs)
        found.append(one)
    return found


def check(result, expected, model):
    labels, p = result.as_numpy("label"), result.as_numpy("probabilities")
    if labels.dtype.kind == "O":
        texts = labels.tolist()
        labels = np.array([x.decode() if isinstance(x, bytes) else x for x in texts])
    np.testing.assert_array_equal(labels, expected[f"{model} label"])
    np.testing.assert_allclose(p, expected[f"{model} p"], atol=1e-12)


def ask(module, client, expected, forms):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("flowers")
    assert not client.is_model_ready("none")
    client.get_server_metadata()
    client.get_model_metadata("flowers", "1")
    columns = [k[3:] for k in expected if k.startswith("in ") and k != "in X"]
    for form in forms:
        for model, names in [("flowers", columns), ("plain", ["X"])]:
            inputs = inputs_of(module, expected, names, **form)
            check(client.infer(model, inputs), expected, model)
            wanted = [
                module.InferRequestedOutput(n, **form)
                for n in ("probabilities", "label")
            ]
            result = client.infer(model, inputs, outputs=wanted, request_id="7")
            check(result, expected, model)
            assert result.get_output("label") is not None
    refuse(module, client, expected)


def refuse(module, client, expected):
    bad = expected["in X"].copy()
    bad[0, 0] = np.nan
    one = module.InferInput("X", list(bad.shape), "FP64")
    one.set_data_from_numpy(bad)
    said = ""
    try:
        client.infer("plain", [one])
    except InferenceServerException as error:
        said = str(error)
    assert "refuses 1 of" in said


def main(rest, grpc, file):
    expected = dict(np.load(file, allow_pickle=True))
    with tritonclient.http.InferenceServerClient(
        rest.removeprefix("http://")
    ) as client:
        forms = [{"binary_data": True}, {"binary_data": False}]
        ask(tritonclient.http, client, expected, forms)
        several = [
            client.async_infer("plain", inputs_of(tritonclient.http, expected, ["X"]))
            for _ in range(20)
        ]
        for one in several:
            check(one.get_result(), expected, "plain")
    with tritonclient.grpc.InferenceServerClient(grpc) as client:
        ask(tritonclient.grpc, client, expected, [{}])
    print("equal")


if __name__ == "__main__":
    main(*sys.argv[1:])
