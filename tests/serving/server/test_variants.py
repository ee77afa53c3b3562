"""A client asks for the best file within its limits, and downloads it."""

import hashlib
import json

import numpy as np
import pytest
from sklearn.datasets import load_iris

from sklearn_deep import MLPClassifier, OnnxClassifier, variants
from sklearn_deep.serving._variants import INDEX

QUICK = {"max_epochs": 3, "random_state": 0}


@pytest.fixture(scope="module")
def rows():
    X, y = load_iris(return_X_y=True)
    return X.astype("float32"), y


@pytest.fixture(scope="module")
def folder(rows, tmp_path_factory):
    X, y = rows
    net = MLPClassifier((32,), **QUICK).fit(X, y)
    folder = tmp_path_factory.mktemp("several")
    variants(
        net,
        X,
        y,
        X_train=X,
        y_train=y,
        budgets={"score": 0},
        keep=(0.5,),
        fine_tune_epochs=1,
        folder=folder / "iris",
    )
    damaged = folder / "damaged"
    damaged.mkdir()
    (damaged / INDEX).write_text("{}")
    return folder


@pytest.fixture(scope="module")
def index(folder):
    return json.loads((folder / "iris" / INDEX).read_text())["variants"]


@pytest.fixture(scope="module")
def server(running_server, folder, models):
    return running_server([folder, models.path("plain")])


def ask(server, **limits):
    return server.client.get("/v2/models/iris/variants", params=limits)


def test_a_folder_of_variants_is_one_model_and_a_damaged_one_is_none(server, rows):
    described = server.client.get("/v2/models/iris").json()
    assert described["versions"] == ["1"]
    assert server.client.get("/v2/models/dense").status_code == 404
    assert server.client.get("/v2/models/damaged").status_code == 404
    assert "cannot be used" in server.log.read_text()


def test_the_best_file_within_the_limits_is_named_and_can_be_downloaded(
    server, index, rows
):
    X, y = rows
    limit = sorted(v["bytes"] for v in index)[1]
    best = ask(server, max_bytes=limit).json()["best"]
    fit = [v for v in index if v["bytes"] <= limit]
    assert best["score"] == max(v["score"] for v in fit)
    answer = server.client.get(best["download"])
    assert len(answer.content) == best["bytes"] <= limit
    assert hashlib.sha256(answer.content).hexdigest() == best["sha256"]
    assert answer.headers["etag"] == f'"{best["sha256"]}"'
    reader = OnnxClassifier(answer.content)
    assert reader.score(X, y) == pytest.approx(best["score"])


def test_without_limits_it_is_the_highest_score_and_all_are_listed(server, index):
    answer = ask(server).json()
    assert answer["best"]["score"] == max(v["score"] for v in index)
    assert [v["name"] for v in answer["variants"]] == [v["name"] for v in index]
    assert answer["measured"]["rows"] == 150


def test_a_least_score_alone_gives_the_smallest_file(server, index):
    best = ask(server, min_score=-1).json()["best"]
    assert best["bytes"] == min(v["bytes"] for v in index)


@pytest.mark.parametrize(
    "limits", [{"max_bytes": 3}, {"max_microseconds": 1e-6}, {"min_score": 2}]
)
def test_limits_that_no_file_meets_are_answered_with_the_nearest(server, limits):
    answer = ask(server, **limits)
    assert answer.status_code == 404
    assert "No variant of 'iris' has" in answer.json()["error"]
    assert "the nearest is" in answer.json()["error"]


@pytest.mark.parametrize(
    "limits",
    [
        {"max_bytes": 0},
        {"max_bytes": "many"},
        {"max_bytes": 2**70},
        {"max_microseconds": -1},
        {"max_microseconds": "nan"},
        {"min_score": "nan"},
        {"min_score": "inf"},
    ],
)
def test_a_wrong_limit_is_named(server, limits):
    answer = ask(server, **limits)
    assert answer.status_code == 422
    (name,) = limits
    assert name in answer.json()["error"]


def test_a_part_of_a_file_and_an_unchanged_one_cost_no_more(server, index):
    best = ask(server).json()["best"]
    whole = server.client.get(best["download"]).content
    half = best["bytes"] // 2
    begin = server.client.get(
        best["download"], headers={"Range": f"bytes=0-{half - 1}"}
    )
    rest = server.client.get(
        best["download"],
        headers={"Range": f"bytes={half}-", "If-Range": f'"{best["sha256"]}"'},
    )
    assert begin.status_code == rest.status_code == 206
    assert begin.content + rest.content == whole
    changed = server.client.get(
        best["download"], headers={"Range": f"bytes={half}-", "If-Range": '"other"'}
    )
    assert changed.content == whole
    same = server.client.get(
        best["download"], headers={"If-None-Match": f'"{best["sha256"]}"'}
    )
    assert (same.status_code, same.content) == (304, b"")
    head = server.client.head(best["download"])
    assert int(head.headers["content-length"]) == best["bytes"]
    beyond = server.client.get(
        best["download"], headers={"Range": f"bytes={10 * best['bytes']}-"}
    )
    assert beyond.status_code == 416


@pytest.mark.parametrize(
    "file",
    [INDEX, "..%2Fplain.onnx", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "none.onnx", "%00"],
)
def test_nothing_but_the_files_of_the_index_is_downloaded(server, file):
    answer = server.client.get(f"/v2/models/iris/variants/{file}")
    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["variants", "variants/dense.onnx"])
@pytest.mark.parametrize("name", ["plain", "nothing"])
def test_a_model_without_variants_says_so(server, name, path):
    answer = server.client.get(f"/v2/models/{name}/{path}")
    assert answer.status_code == 404
    assert name in answer.json()["error"]


def test_the_first_variant_of_the_index_is_served(server, rows):
    X, _ = rows
    tensor = {
        "name": "X",
        "datatype": "FP32",
        "shape": [3, 4],
        "data": X[:3].ravel().tolist(),
    }
    answer = server.infer("iris", {"inputs": [tensor]}).json()
    dense = ask(server).json()["variants"][0]
    reader = OnnxClassifier(server.client.get(dense["download"]).content)
    got = next(o for o in answer["outputs"] if o["name"] == "probabilities")["data"]
    np.testing.assert_allclose(
        np.reshape(got, (3, 3)), reader.predict_proba(X[:3]), atol=1e-6
    )


def test_the_schema_has_both_operations_once(server):
    schema = server.client.get("/openapi.json").json()
    operations = [
        operation["operationId"]
        for path in schema["paths"].values()
        for operation in path.values()
        if "operationId" in operation
    ]
    assert len(set(operations)) == len(operations)
    assert "/v2/models/{name}/variants" in schema["paths"]
    assert "/v2/models/{name}/variants/{file}" in schema["paths"]
    assert "Duplicate Operation" not in server.log.read_text()


def test_a_new_index_is_served_at_once(folder, running_server, index):
    server = running_server([folder / "iris"])
    path = folder / "iris" / INDEX
    before = path.read_bytes()
    content = json.loads(before)
    try:
        content["variants"] = content["variants"][:1]
        path.write_text(json.dumps(content))
        assert len(ask(server).json()["variants"]) == 1
        content["variants"][0]["bytes"] += 1
        path.write_text(json.dumps(content))
        assert ask(server).status_code == 500
        assert "Traceback" not in ask(server).text
    finally:
        path.write_bytes(before)
