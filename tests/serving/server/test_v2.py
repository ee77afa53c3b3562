"""REST of the Open Inference Protocol, version 2."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def server(running_server, models):
    return running_server([models.folder])


def tensor(name, values, datatype="FP64"):
    values = np.asarray(values)
    return {
        "name": name,
        "datatype": datatype,
        "shape": list(values.shape),
        "data": values.ravel().tolist(),
    }


@pytest.fixture(scope="module")
def rows(flowers):
    return flowers[0].iloc[:, :4].to_numpy()[::10]


def output(answer, name):
    (found,) = [o for o in answer.json()["outputs"] if o["name"] == name]
    return np.array(found["data"]).reshape(found["shape"])


def test_the_server_lives_is_ready_and_describes_itself(server):
    assert server.client.get("/v2/health/live").status_code == 200
    assert server.client.get("/v2/health/ready").status_code == 200
    described = server.client.get("/v2").json()
    assert described["name"] == "sklearn_deep"
    assert "binary_tensor_data" in described["extensions"]


def test_a_model_is_described_by_the_names_types_and_shapes_of_its_file(server):
    described = server.client.get("/v2/models/flowers").json()
    assert described["inputs"][-1] == {
        "name": "garden",
        "datatype": "BYTES",
        "shape": [-1, 1],
    }
    assert [(o["name"], o["shape"]) for o in described["outputs"]] == [
        ("label", [-1]),
        ("probabilities", [-1, 3]),
    ]
    assert described["versions"] == ["1"]


def test_the_outputs_are_those_of_the_estimator(server, models, rows):
    answer = server.infer("plain", {"id": "a", "inputs": [tensor("X", rows)]})
    model = models.fitted["plain"]
    assert answer.json()["id"] == "a"
    np.testing.assert_array_equal(output(answer, "label"), model.predict(rows))
    p = output(answer, "probabilities")
    np.testing.assert_allclose(p, model.predict_proba(rows), atol=1e-12)
