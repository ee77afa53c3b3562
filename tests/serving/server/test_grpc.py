"""The Open Inference Protocol over gRPC."""

import grpc
import numpy as np
import pytest

from server_requests import grpc_call, grpc_outputs, grpc_request
from sklearn_deep.serving.server._grpc_messages import MESSAGES


@pytest.fixture(scope="module")
def server(running_server, models):
    return running_server(
        [models.folder], "--grpc-port", 0, "--max-rows", 500, "--max-body", 200_000
    )


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(server.grpc) as channel:
        yield channel


def test_the_server_and_its_models_are_described(channel):
    assert grpc_call(channel, "ServerLive").live
    assert grpc_call(channel, "ServerReady").ready
    assert grpc_call(channel, "ServerMetadata").name == "sklearn_deep"
    request = MESSAGES["ModelReadyRequest"](name="plain")
    assert grpc_call(channel, "ModelReady", request).ready
    request = MESSAGES["ModelReadyRequest"](name="none")
    assert not grpc_call(channel, "ModelReady", request).ready
    request = MESSAGES["ModelMetadataRequest"](name="flowers", version="1")
    described = grpc_call(channel, "ModelMetadata", request)
    garden = described.inputs[-1]
    assert (garden.name, garden.datatype, [*garden.shape]) == (
        "garden",
        "BYTES",
        [-1, 1],
    )
    assert [*described.versions] == ["1"]


@pytest.mark.parametrize("raw", [True, False])
def test_the_outputs_are_those_of_the_estimator_in_the_form_of_the_request(
    channel, models, flowers, raw
):
    X = flowers[0].dropna().iloc[::7]
    named = [(name, "FP64", X[[name]].to_numpy()) for name in X.columns[:4]]
    named.append(("garden", "BYTES", X[["garden"]].to_numpy(dtype=object)))
    request = grpc_request("flowers", named, raw, id="a")
    response = grpc_call(channel, "ModelInfer", request)
    assert response.id == "a"
    assert bool(response.raw_output_contents) == raw
    found, model = grpc_outputs(response), models.fitted["flowers"]
    np.testing.assert_array_equal(found["label"], model.predict(X))
    expected = model.predict_proba(X)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-12)


def code_of(channel, method, request):
    with pytest.raises(grpc.RpcError) as caught:
        grpc_call(channel, method, request)
    return caught.value.code(), caught.value.details()


def test_what_is_refused_has_a_code_and_the_reason(channel):
    def infer(X, model="plain", **kwargs):
        request = grpc_request(model, [("X", "FP64", X)], **kwargs)
        return code_of(channel, "ModelInfer", request)

    codes = grpc.StatusCode
    bad = np.array([[1.0, 2, 3, np.nan]])
    for raw in (True, False):
        code, why = infer(bad, raw=raw)
        assert code == codes.INVALID_ARGUMENT
        assert "refuses 1 of 1 rows" in why
    assert infer(np.ones((1, 3)))[0] == codes.INVALID_ARGUMENT
    assert infer(np.ones((1, 4)), "none")[0] == codes.NOT_FOUND
    assert infer(np.ones((501, 4)))[0] == codes.RESOURCE_EXHAUSTED
    assert infer(np.ones((10_000, 4)))[0] == codes.RESOURCE_EXHAUSTED  # bytes


def test_damaged_contents_are_invalid(channel):
    X = np.ones((2, 4))
    request = grpc_request("plain", [("X", "FP64", X)])
    request.raw_input_contents.append(b"")
    assert code_of(channel, "ModelInfer", request)[0].name == "INVALID_ARGUMENT"
    request = grpc_request("plain", [("X", "FP64", X)], raw=False)
    request.inputs[0].contents.fp64_contents.append(1.0)
    assert "9 values" in code_of(channel, "ModelInfer", request)[1]


def test_bytes_that_are_no_message_end_the_call_only(channel):
    call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    with pytest.raises(grpc.RpcError):
        call(b"\xff" * 40, timeout=30)
    assert grpc_call(channel, "ServerLive").live
