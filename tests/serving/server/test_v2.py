"""REST of the Open Inference Protocol, version 2."""

import asyncio
import json

import numpy as np
import pytest

from server_requests import (
    HEADER,
    binary_request,
    json_outputs,
    json_request,
    json_tensor,
    strings,
)
from sklearn_deep.serving.server._access_log import AccessLog
from sklearn_deep.serving.server._gate import Gate
from sklearn_deep.serving.server._infer import padding
from sklearn_deep.serving.server._metrics import Metrics
from sklearn_deep.serving.server._repository import Repository
from sklearn_deep.serving.server._settings import Settings
from sklearn_deep.serving.server._v2_messages import parse_request


@pytest.fixture(scope="module")
def server(running_server, models):
    return running_server([models.folder])


@pytest.fixture(scope="module")
def rows(flowers):
    return flowers[0].iloc[:, :4].to_numpy()[::10]


def columns(X):
    """Tensors of a frame, one for each column."""
    return [
        *(json_tensor(name, X[[name]].to_numpy(), "FP64") for name in X.columns[:4]),
        json_tensor("garden", X[["garden"]].to_numpy(dtype=object), "BYTES"),
    ]


def test_the_server_lives_is_ready_and_describes_itself(server):
    assert server.client.get("/v2/health/live").status_code == 200
    assert server.client.get("/v2/health/ready").status_code == 200
    described = server.client.get("/v2").json()
    assert described["name"] == "sklearn_deep"
    assert "binary_tensor_data" in described["extensions"]


def test_a_model_is_described_by_the_names_types_and_shapes_of_its_file(server):
    described = server.client.get("/v2/models/flowers").json()
    garden = {"name": "garden", "datatype": "BYTES", "shape": [-1, 1]}
    assert described["inputs"][-1] == garden
    assert [(o["name"], o["shape"]) for o in described["outputs"]] == [
        ("label", [-1]),
        ("probabilities", [-1, 3]),
    ]
    assert described["versions"] == ["1"]
    assert described["parameters"]["classes"]["values"] == [
        "setosa",
        "versicolor",
        "virginica",
    ]
    same = server.client.get("/v2/models/flowers/versions/1").json()
    assert same == described
    ready = server.client.get("/v2/models/flowers/ready")
    assert ready.json() == {"name": "flowers", "ready": True}


@pytest.mark.parametrize(
    "path", ["/v2/models/none", "/v2/models/plain/versions/7", "/v2/models/a/ready"]
)
def test_an_unknown_model_or_version_is_404_and_the_known_ones_are_named(server, path):
    answer = server.client.get(path)
    assert answer.status_code == 404
    assert "1" in answer.json()["error"] or "plain" in answer.json()["error"]


def test_the_outputs_are_those_of_the_estimator(server, models, rows):
    answer = server.infer("plain", json_request(json_tensor("X", rows), id="a"))
    assert answer.json()["id"] == "a"
    found, model = json_outputs(answer), models.fitted["plain"]
    np.testing.assert_array_equal(found["label"], model.predict(rows))
    expected = model.predict_proba(rows)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-12)


def test_columns_of_a_frame_are_inputs_by_name_and_null_is_a_missing_value(
    server, models, flowers
):
    X = flowers[0].iloc[::7]
    request = json_request(*columns(X), outputs=[{"name": "label"}])
    found = json_outputs(server.infer("flowers", request))
    assert list(found) == ["label"]
    np.testing.assert_array_equal(found["label"], models.fitted["flowers"].predict(X))


def test_a_column_may_come_without_its_second_axis_and_data_may_be_nested(
    server, models, rows, flowers
):
    X = flowers[0].iloc[::7]
    tensors = [{**t, "shape": t["shape"][:1]} for t in columns(X)]
    found = json_outputs(server.infer("flowers", json_request(*tensors)))
    np.testing.assert_array_equal(found["label"], models.fitted["flowers"].predict(X))
    nested = {**json_tensor("X", rows), "data": rows.tolist()}
    found = json_outputs(server.infer("plain", json_request(nested)))
    np.testing.assert_array_equal(found["label"], models.fitted["plain"].predict(rows))


def test_tensors_go_and_come_as_bytes_behind_the_json(server, models, flowers):
    X = flowers[0].dropna().iloc[::7]
    named = [(name, "FP64", X[[name]].to_numpy()) for name in X.columns[:4]]
    named.append(("garden", "BYTES", X[["garden"]].to_numpy(dtype=object)))
    outputs = [
        {"name": "probabilities", "parameters": {"binary_data": True}},
        {"name": "label", "parameters": {"binary_data": True}},
    ]
    body, headers = binary_request(*named, outputs=outputs)
    answer = server.client.post(
        "/v2/models/flowers/infer", content=body, headers=headers
    )
    size = int(answer.headers[HEADER])
    described = json.loads(answer.content[:size])["outputs"]
    first = described[0]["parameters"]["binary_data_size"]
    p = np.frombuffer(answer.content[size : size + first]).reshape(-1, 3)
    model = models.fitted["flowers"]
    np.testing.assert_allclose(p, model.predict_proba(X), atol=1e-12)
    assert strings(answer.content[size + first :]) == model.predict(X).tolist()


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("more", ["", "a", "abcd", "abcdefg"])
def test_tensors_behind_the_json_are_not_copied(models, rows, pieces, more):
    """The arrays that onnxruntime gets are views of the body."""
    body, headers = binary_request(("X", "FP64", rows), id=more)
    size = int(headers[HEADER])
    parts = np.array_split(np.frombuffer(body, np.uint8), pieces)
    messages = [
        {"type": "http.request", "body": p.tobytes(), "more_body": k < pieces - 1}
        for k, p in enumerate(parts)
    ]

    async def receive():
        return messages.pop(0)

    repository = Repository([models.path("plain")])
    gate = Gate(None, Settings(), Metrics(repository), AccessLog(None), None)
    pad = padding({HEADER.lower().encode(): str(size).encode()})
    whole = asyncio.run(gate._collect(receive, pad))
    array = parse_request(whole, size, repository.get("plain")).feeds["X"]
    assert np.shares_memory(array, np.frombuffer(whole, np.uint8))
    assert array.flags.aligned
    np.testing.assert_array_equal(array, rows)


def test_all_outputs_come_as_bytes_if_the_request_says_so(server, rows):
    parameters = {"binary_data_output": True}
    body, headers = binary_request(("X", "FP64", rows), parameters=parameters)
    answer = server.client.post("/v2/models/plain/infer", content=body, headers=headers)
    sizes = [
        output["parameters"]["binary_data_size"]
        for output in json.loads(answer.content[: int(answer.headers[HEADER])])[
            "outputs"
        ]
    ]
    assert sizes == [8 * len(rows), 24 * len(rows)]


def test_rows_that_the_pipeline_refuses_are_refused_and_named(server, rows):
    bad = rows.copy()
    bad[3, 1] = np.nan
    body, headers = binary_request(("X", "FP64", bad))
    answer = server.client.post("/v2/models/plain/infer", content=body, headers=headers)
    assert answer.status_code == 422
    assert "refuses 1 of 15 rows of X: 3" in answer.json()["error"]


X = {"name": "X", "datatype": "FP64", "shape": [1, 4], "data": [1.0, 2, 3, 4]}
FAULTS = {
    "no JSON": (b"{", "not valid JSON"),
    "deep JSON": (b"[" * 100_000, "not valid JSON"),
    "no object": (b"[]", "JSON object"),
    "no inputs": (b"{}", "inputs"),
    "inputs of numbers": ({"inputs": [1]}, "inputs"),
    "an unknown input": ({"inputs": [{**X, "name": "Z"}]}, "does not have"),
    "a name that is no text": ({"inputs": [{**X, "name": {}}]}, "does not have"),
    "an input twice": ({"inputs": [X, X]}, "twice"),
    "no input": ({"inputs": []}, "lacks the inputs 'X'"),
    "another type": ({"inputs": [{**X, "datatype": "FP32"}]}, "takes FP64"),
    "no type": ({"inputs": [{**X, "datatype": {}}]}, "takes FP64"),
    "another width": ({"inputs": [{**X, "shape": [1, 5]}]}, "takes [-1, 4]"),
    "a negative shape": ({"inputs": [{**X, "shape": [-1, 4]}]}, "integers from 0"),
    "a huge shape": ({"inputs": [{**X, "shape": [2**40, 4]}]}, "integers from 0"),
    "a shape of booleans": ({"inputs": [{**X, "shape": [True, 4]}]}, "integers"),
    "too few elements": ({"inputs": [{**X, "data": [1]}]}, "1 elements"),
    "no rows": ({"inputs": [{**X, "shape": [0, 4], "data": []}]}, "no rows"),
    "strings": ({"inputs": [{**X, "data": ["1", "2", "3", "4"]}]}, "values of FP64"),
    "objects": ({"inputs": [{**X, "data": [{}, 2, 3, 4]}]}, "values of FP64"),
    "ragged lists": ({"inputs": [{**X, "data": [[1], [2, 3]]}]}, "values of FP64"),
    "no data": ({"inputs": [{**X, "data": None}]}, "lacks a list"),
    "an unknown output": ({"inputs": [X], "outputs": [{"name": "p"}]}, "has no output"),
    "outputs of text": ({"inputs": [X], "outputs": "label"}, "objects with a name"),
    "an id": ({"inputs": [X], "id": 1}, "must be a string"),
    "shared memory": (
        {"inputs": [{**X, "parameters": {"shared_memory_region": "a"}}]},
        "Shared memory",
    ),
}


@pytest.mark.parametrize(("body", "message"), FAULTS.values(), ids=FAULTS)
def test_a_request_that_cannot_be_read_is_400_and_says_why(server, body, message):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = server.client.post("/v2/models/plain/infer", content=content)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert "Traceback" not in answer.text


BINARY_FAULTS = {
    "a header beyond the body": (10**6, 128, 1, "the body has"),
    "a header of text": ("x", 128, 1, "must be a number"),
    "a negative header": ("-1", 128, 1, "must be a number"),
    "too few bytes": (None, 120, 1, "bytes"),
    "more than the body has": (None, 10**9, 1, "bytes are left"),
    "a size of text": (None, "x", 1, "binary_data_size"),
    "bytes behind the tensors": (None, 128, 2, "more than its tensors"),
}


@pytest.mark.parametrize(
    ("header", "size", "times", "message"), BINARY_FAULTS.values(), ids=BINARY_FAULTS
)
def test_bytes_that_do_not_fit_are_400(server, header, size, times, message):
    tensor = {"name": "X", "datatype": "FP64", "shape": [4, 4]}
    tensor["parameters"] = {"binary_data_size": size}
    head = json.dumps({"inputs": [tensor]}).encode()
    headers = {HEADER: str(len(head) if header is None else header)}
    content = head + bytes(128) * times
    answer = server.client.post(
        "/v2/models/plain/infer", content=content, headers=headers
    )
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_the_schema_describes_every_route(server):
    schema = server.client.get("/openapi.json").json()
    assert {"/v2/models/{name}/infer", "/v2/health/live", "/metrics"} <= set(
        schema["paths"]
    )
