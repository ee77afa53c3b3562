"""The schema at /openapi.json describes the rows of each model as they are answered."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from json_schema import is_valid
from sklearn_deep import CNNClassifier, MLPClassifier, to_onnx

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "age": RNG.normal(40, 9, 60),
        "town": RNG.choice(["Bonn", "Ulm"], 60),
        "size": RNG.choice(["s", "m"], 60),
        "owner": RNG.random(60) > 0.5,
        "rooms": RNG.integers(1, 9, 60),
    }
)
FRAME.loc[::5, "age"] = np.nan
ROW = {"age": 31.5, "town": "Bonn", "size": "s", "owner": True, "rooms": 3}


@pytest.fixture(scope="module")
def server(running_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("schema")
    prepare = make_column_transformer(
        (SimpleImputer(), ["age"]),
        (OneHotEncoder(), ["town"]),
        (OneHotEncoder(handle_unknown="ignore"), ["size"]),
        ("passthrough", ["owner", "rooms"]),
    )
    network = MLPClassifier((6,), max_epochs=2, random_state=0)
    people = make_pipeline(prepare, network).fit(FRAME, FRAME["rooms"] > 4)
    to_onnx(people, FRAME, folder / "people.onnx")
    images = RNG.integers(0, 256, (20, 3, 2, 1)).astype(np.uint8)
    network = CNNClassifier((2,), max_epochs=1, random_state=0)
    to_onnx(network.fit(images, np.arange(20) % 2), images, folder / "image s.onnx")
    return running_server([folder])


@pytest.fixture(scope="module")
def schema(server):
    answer = server.client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def of_request(schema, path):
    operation = schema["paths"][path]["post"]
    return operation["requestBody"]["content"]["application/json"]["schema"]


def one(**changes):
    return {"rows": [{**ROW, **changes}]}


BODIES = {
    "rows": one(),
    "a missing number": one(age=None),
    "another open category": one(size="xl"),
    "an absent number": {"rows": [{k: v for k, v in ROW.items() if k != "age"}]},
    "a list": {"rows": [list(ROW.values())]},
    "columns": {"columns": {k: [v, v] for k, v in ROW.items()}},
    "no rows": {"rows": []},
    "an unknown category": one(town="Köln"),
    "a missing category": one(town=None),
    "an unknown column": one(more=1),
    "text as a number": one(age="3"),
    "a boolean as a number": one(age=True),
    "a fraction": one(rooms=1.5),
    "an absent column": {"rows": [{"age": 1}]},
    "a short list": {"rows": [[1]]},
    "both": {**one(), "columns": {}},
    "neither": {},
    "another key": {**one(), "more": 1},
}


@pytest.mark.parametrize("kind", BODIES)
def test_what_the_schema_allows_is_answered_and_nothing_else(kind, schema, server):
    body = BODIES[kind]
    allowed = is_valid(body, of_request(schema, PEOPLE), schema)
    answer = server.client.post(PEOPLE, json=body)
    assert answer.status_code == (200 if allowed else 422), answer.text
    operation = schema["paths"][PEOPLE]["post"]
    answers = operation["responses"][str(answer.status_code)]["content"]
    assert is_valid(answer.json(), answers["application/json"]["schema"], schema)


PEOPLE = "/v1/models/people/predict"


def test_the_schema_of_images_has_their_shape(schema, server):
    path = "/v1/models/image%20s/predict"
    request = of_request(schema, path)
    row = [[[0], [255]], [[1], [2]], [[3], [4]]]
    assert is_valid({"rows": [row]}, request, schema)
    assert not is_valid({"rows": [row[:2]]}, request, schema)
    large = [[[0], [256]], *row[1:]]
    assert not is_valid({"rows": [large]}, request, schema)
    assert server.client.post(path, json={"rows": [row]}).status_code == 200


def test_ranges_and_choices_of_the_training_rows_are_told(schema):
    rows = of_request(schema, PEOPLE)["oneOf"][0]["properties"]["rows"]
    fields = rows["anyOf"][0]["items"]["properties"]
    assert fields["town"]["enum"] == ["Bonn", "Ulm"]
    assert "in the training rows" in json.dumps(fields["age"])


def test_every_operation_documents_its_errors(schema):
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            assert "default" in operation["responses"], path


def test_nothing_is_loaded_from_elsewhere(server):
    assert server.client.get("/docs").status_code == 404
    assert server.client.get("/redoc").status_code == 404
