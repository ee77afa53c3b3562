"""Predictions for rows as people write them equal those of the estimator."""

import base64
import io
import json

import numpy as np
import onnx
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from PIL import Image
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import (
    CNNClassifier,
    CNNRegressor,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    MultiTask,
    RNNClassifier,
    TabularClassifier,
    to_onnx,
)
from sklearn_deep.serving._metadata import with_checksum

RNG = np.random.default_rng(0)
N = 80
PEOPLE = pd.DataFrame(
    {
        "age": RNG.integers(18, 90, N),
        "income": RNG.normal(3000, 500, N).round(2),
        "town": pd.Series(RNG.choice(["Bonn", "Ulm", "Köln"], N), dtype=object),
        "smokes": RNG.random(N) > 0.5,
        "since": pd.date_range("2015-01-01", periods=N, freq="37D"),
    }
)
PEOPLE.loc[::7, "income"] = np.nan
PEOPLE.loc[::9, "town"] = None
LABELS = np.where(PEOPLE["age"] > 50, "old", "young")
NUMBERS = RNG.normal(size=(N, 4))
TEXTS = ["a good film", "a bad film", "good good", "bad music"] * 20
QUICK = {"max_epochs": 2, "random_state": 0}
SIZES = {"hidden_layer_sizes": (6,), **QUICK}
IMAGES = RNG.integers(0, 256, (N, 6, 5, 3)).astype(np.uint8)


def mixed():
    prepare = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["age", "income"]),
        (OneHotEncoder(handle_unknown="ignore"), ["town"]),
        ("passthrough", ["smokes"]),
    )
    return make_pipeline(prepare, MLPClassifier(**SIZES))


MODELS = {
    "mixed": (mixed(), PEOPLE, LABELS),
    "dates": (TabularClassifier(8, n_networks=2, **QUICK), PEOPLE, LABELS),
    "numbers": (MLPClassifier(**SIZES), NUMBERS, NUMBERS[:, 0] > 0),
    "float32": (MLPClassifier(**SIZES), NUMBERS.astype(np.float32), LABELS),
    "integers": (MLPClassifier(**SIZES), NUMBERS, np.arange(N) % 3),
    "multilabel": (
        MLPClassifier(**SIZES),
        NUMBERS,
        (NUMBERS[:, :3] > 0).astype(int),
    ),
    "multioutput": (
        MultiOutputClassifier(MLPClassifier(**SIZES)),
        NUMBERS,
        np.column_stack([np.arange(N) % 3, np.arange(N) % 2]),
    ),
    "regression": (MLPRegressor(**SIZES), NUMBERS, NUMBERS[:, 0]),
    "gaussian": (MLPRegressor(loss="gaussian", **SIZES), NUMBERS, NUMBERS[:, 0]),
    "targets": (MLPRegressor(**SIZES), NUMBERS, NUMBERS[:, :2]),
    "pca": (make_pipeline(StandardScaler(), PCA(2)), NUMBERS, None),
    "codes": (MLPAutoencoder((6,), code_size=2, **QUICK), NUMBERS, None),
    "images": (CNNClassifier((3,), **QUICK), IMAGES, np.arange(N) % 3),
    "gray": (
        CNNClassifier((3,), channels="first", **QUICK),
        load_digits().images[:N, None] / 16,
        load_digits().target[:N],
    ),
    "series": (CNNRegressor((3,), **QUICK), NUMBERS[:, :, None], NUMBERS[:, 0]),
    "unequal": (
        RNNClassifier(4, **QUICK),
        [NUMBERS[i, : 2 + i % 3, None].astype(np.float32) for i in range(N)],
        np.arange(N) % 2,
    ),
    "tokens": (
        RNNClassifier(4, **QUICK),
        [text.split() for text in TEXTS],
        np.arange(N) % 2,
    ),
    "texts": (
        make_pipeline(TfidfVectorizer(), MLPClassifier(**SIZES)),
        TEXTS,
        np.arange(N) % 2,
    ),
    "several": (
        MultiTask(MLPRegressor(**SIZES)),
        NUMBERS,
        {"group": LABELS, "size": NUMBERS[:, 1], "big": NUMBERS[:, 2] > 0},
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    for name, (model, X, y) in MODELS.items():
        to_onnx(model.fit(X, y), X, folder / f"{name}.onnx")
    return folder


@pytest.fixture(scope="module")
def client(folder, running_server):
    return running_server([folder], "--max-rows", 2000).client


def ask(client, name, **body):
    return client.post(f"/v1/models/{name}/predict", content=json.dumps(body))


def predictions(client, name, **body):
    answer = ask(client, name, **body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == name
    return answer.json()["predictions"]


def as_json(name):
    """Rows of a model as a person would write them."""
    X = MODELS[name][1]
    if isinstance(X, pd.DataFrame):
        return json.loads(X.to_json(orient="records", date_format="iso"))
    if isinstance(X, list):
        return [x if isinstance(x, (str, list)) else x.tolist() for x in X]
    if X.ndim == 2:
        return [{f"x{j}": v for j, v in enumerate(row)} for row in X.tolist()]
    return X.tolist()


def by_name(found, classes):
    return np.array([[row["probabilities"][c] for c in classes] for row in found])


CLASSIFIERS = [
    "mixed",
    "dates",
    "numbers",
    "float32",
    "integers",
    "images",
    "gray",
    "unequal",
    "tokens",
    "texts",
]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_labels_and_probabilities_are_those_of_the_estimator(name, client):
    model, X, _ = MODELS[name]
    found = predictions(client, name, rows=as_json(name))
    assert [row["label"] for row in found] == model.predict(X).tolist()
    classes = [json.dumps(c).strip('"') for c in model.classes_.tolist()]
    assert_allclose(by_name(found, classes), model.predict_proba(X), atol=2e-6)


def test_rows_of_a_table_may_be_lists_in_the_order_of_the_columns(client):
    named = predictions(client, "numbers", rows=as_json("numbers"))
    assert predictions(client, "numbers", rows=NUMBERS.tolist()) == named
    fault = ask(client, "numbers", rows=[[1, 2, 3]]).json()["errors"][0]
    assert fault["field"] == "rows[0]"
    assert "3 values; the model has 4 columns" in fault["message"]


def test_columns_are_answered_by_columns(client):
    rows = as_json("mixed")
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    found = predictions(client, "mixed", columns=columns)
    by_row = predictions(client, "mixed", rows=rows)
    assert found["label"] == [row["label"] for row in by_row]
    assert found["probabilities"]["old"] == [r["probabilities"]["old"] for r in by_row]


def test_regressors_give_values_and_standard_deviations(client):
    rows = as_json("numbers")
    values = [row["value"] for row in predictions(client, "regression", rows=rows)]
    assert_allclose(values, MODELS["regression"][0].predict(NUMBERS), rtol=1e-5)
    found = predictions(client, "gaussian", rows=rows)
    y, std = MODELS["gaussian"][0].predict(NUMBERS, return_std=True)
    assert_allclose([row["value"] for row in found], y, rtol=1e-5)
    assert_allclose([row["std"] for row in found], std, rtol=1e-5)
    several = predictions(client, "targets", rows=rows)
    assert several[0].keys() == {"values"}
    got = [[row["values"]["0"], row["values"]["1"]] for row in several]
    assert_allclose(got, MODELS["targets"][0].predict(NUMBERS), rtol=1e-5)


def test_series_are_nested_lists(client):
    found = predictions(client, "series", rows=as_json("series"))
    model, X, _ = MODELS["series"]
    assert_allclose([row["value"] for row in found], model.predict(X), rtol=1e-4)


def test_transformers_give_columns_by_name(client):
    rows = as_json("numbers")
    found = predictions(client, "pca", rows=rows)
    got = [[row["columns"]["pca0"], row["columns"]["pca1"]] for row in found]
    assert_allclose(got, MODELS["pca"][0].transform(NUMBERS), atol=1e-5)
    model = MODELS["codes"][0]
    found = predictions(client, "codes", rows=rows)
    got = [list(row["columns"].values()) for row in found]
    assert_allclose(got, model.transform(NUMBERS), atol=1e-5)
    scores = [row["score_samples"] for row in found]
    assert_allclose(scores, model.score_samples(NUMBERS), atol=1e-5)


def test_several_labels_of_a_row_are_named(client):
    rows = as_json("numbers")
    model = MODELS["multilabel"][0]
    found = predictions(client, "multilabel", rows=rows)
    names = [str(c) for c in model.classes_]
    expected = [
        [n for n, on in zip(names, row, strict=True) if on]
        for row in model.predict(NUMBERS)
    ]
    assert [row["labels"] for row in found] == expected
    assert_allclose(by_name(found, names), model.predict_proba(NUMBERS), atol=1e-6)
    model = MODELS["multioutput"][0]
    found = predictions(client, "multioutput", rows=rows)
    got = [[row["labels"]["0"], row["labels"]["1"]] for row in found]
    assert got == model.predict(NUMBERS).tolist()
    p = [[row["probabilities"]["0"][c] for c in "012"] for row in found]
    assert_allclose(p, model.predict_proba(NUMBERS)[0], atol=1e-6)


def test_several_tasks_are_answered_by_task(client):
    found = predictions(client, "several", rows=as_json("numbers"))
    model = MODELS["several"][0]
    expected, p = model.predict(NUMBERS), model.predict_proba(NUMBERS)
    tasks = [row["tasks"] for row in found]
    assert [t["group"]["label"] for t in tasks] == expected["group"].tolist()
    assert [t["big"]["label"] for t in tasks] == expected["big"].tolist()
    assert_allclose([t["size"]["value"] for t in tasks], expected["size"], rtol=1e-5)
    got = [[t["big"]["probabilities"][c] for c in ("false", "true")] for t in tasks]
    assert_allclose(got, p["big"], atol=1e-6)


def file_of(array, form="PNG"):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, form)
    return base64.b64encode(stream.getvalue()).decode()


def test_images_may_be_png_files_in_base64(client):
    model = MODELS["images"][0]
    files = [file_of(image) for image in IMAGES[:5]]
    expected = model.predict_proba(IMAGES[:5])
    for rows in (
        files,
        [f"data:image/png;base64,{file}" for file in files],
        [{"image": file} for file in files],
    ):
        found = predictions(client, "images", rows=rows)
        assert_allclose(by_name(found, "012"), expected, atol=1e-6)


def test_a_jpeg_file_is_read_as_its_pixels(client):
    file = file_of(IMAGES[0], "JPEG")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(file))))
    found = predictions(client, "images", rows=[file])
    expected = MODELS["images"][0].predict_proba(pixels[None])
    assert_allclose(by_name(found, "012"), expected, atol=1e-6)


def test_image_files_for_a_model_of_other_numbers_need_the_range_of_these(client):
    model, X, _ = MODELS["gray"]
    pixels = (X[:3, 0] * 255).astype(np.uint8)
    files = [file_of(image) for image in pixels]
    fault = ask(client, "gray", rows=files).json()["errors"][0]
    assert fault["field"] == "rows[0]"
    assert "image_range" in fault["fix"]
    found = predictions(client, "gray", rows=files, image_range=[0, 1])
    expected = model.predict_proba(pixels[:, None] / 255)
    assert_allclose(by_name(found, "0123456789"), expected, atol=1e-6)


TRANSPARENT = np.zeros((6, 5, 4), np.uint8)
FILES = {
    "another size": (file_of(IMAGES[0][:5]), "5 x 5 pixels; the model takes 5 x 6"),
    "no image": (base64.b64encode(b"GIF89a").decode(), "no PNG or JPEG"),
    "no base64": ("§", "not valid base64"),
    "transparent": (file_of(TRANSPARENT), "transparent pixels"),
    "16 bits": (file_of(np.zeros((6, 5), np.uint16)), "more than 8 bits"),
}


@pytest.mark.parametrize("kind", FILES)
def test_other_image_files_are_refused(kind, client):
    file, message = FILES[kind]
    answer = ask(client, "images", rows=[file])
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["field"] == "rows[0]"
    assert message in fault["message"]


def test_all_faults_of_a_request_are_told_with_field_and_fix(client):
    rows = [
        {"age": "31", "income": 1, "town": "Bonn", "smokes": True, "sicne": 1},
        {"age": 31.5, "town": 3, "smokes": None},
    ]
    answer = ask(client, "mixed", rows=rows)
    assert answer.status_code == 422
    faults = {f["field"]: (f["message"], f["fix"]) for f in answer.json()["errors"]}
    assert faults.keys() >= {
        "rows[0].age",
        "rows[0].sicne",
        "rows[1].age",
        "rows[1].town",
        "rows[1].smokes",
    }
    assert "'since'" in faults["rows[0].sicne"][1]
    assert answer.json()["n_errors"] == len(faults)


def test_rows_that_the_pipeline_refuses_are_named(client):
    rows = NUMBERS[:4].tolist()
    rows[2][1] = 1e39
    with pytest.raises(ValueError, match="too large"):
        MODELS["float32"][0].predict(np.array(rows))
    answer = ask(client, "float32", rows=rows)
    assert answer.status_code == 422
    assert [f["field"] for f in answer.json()["errors"]] == ["rows[2]"]


def test_models_are_listed_and_described(client):
    names = [model["name"] for model in client.get("/v1/models").json()["models"]]
    assert names == sorted(MODELS)
    mixed = client.get("/v1/models/mixed").json()
    assert [field["name"] for field in mixed["fields"]][:2] == ["age", "income"]
    assert client.get("/v1/models/images").json()["row_shape"] == [6, 5, 3]
    assert client.get("/v1/models/none").status_code == 404


def test_a_version_can_be_asked(client):
    body = json.dumps({"rows": as_json("numbers")[:1]})
    url = "/v1/models/numbers/versions/{}/predict"
    assert client.post(url.format(1), content=body).status_code == 200
    assert client.post(url.format(2), content=body).status_code == 404


def without_fields(content):
    """A file as it was written before there were fields."""
    model = onnx.load_from_string(content)
    (entry,) = [p for p in model.metadata_props if p.key == "sklearn_deep"]
    metadata = json.loads(entry.value)
    metadata.pop("fields")
    entry.value = json.dumps(metadata)
    kept = [p for p in model.metadata_props if p.key != "sklearn_deep.sha256"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    return with_checksum(model.SerializeToString())


@pytest.mark.parametrize("name", ["mixed", "dates", "numbers"])
def test_a_file_of_before_without_fields_answers_the_same(
    name, client, folder, running_server, tmp_path
):
    content = without_fields((folder / f"{name}.onnx").read_bytes())
    (tmp_path / f"{name}.onnx").write_bytes(content)
    old = running_server([tmp_path]).client
    rows = as_json(name)
    assert predictions(old, name, rows=rows) == predictions(client, name, rows=rows)
    fault = ask(old, name, rows=[{**rows[0], "more": 1}]).json()["errors"][0]
    assert fault["field"] == "rows[0].more"
    assert old.get("/").status_code == 200
    form = {f"f{j}": str(v) for j, v in enumerate(rows[1].values())}
    answer = old.post(f"/page/model/{name}", data=form)
    assert answer.status_code == 200, answer.text
