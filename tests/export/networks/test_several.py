"""One ONNX file for several tasks: an output per prediction, named by its task."""

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    CNNRegressor,
    MLPRegressor,
    MultiTask,
    OnnxFileError,
    OnnxParityError,
    OnnxRegressor,
    RNNClassifier,
    TabularClassifier,
    to_onnx,
)
from sklearn_deep.export.graph._runtime import open_session
from sklearn_deep.serving._metadata_fields import find_invalid_field

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
Y = pd.DataFrame(
    {
        "income": np.where(X[:, 0] > 0, "high", "low"),
        "hours": 100 * X[:, 2] + 40,
        "town": np.digitize(X[:, 3], [-0.5, 0.5]).astype(str),
        "owner": X[:, 4] > 1,
    }
)
QUICK = {"max_epochs": 4, "random_state": 0}
OUTPUTS = [
    "income",
    "income_probabilities",
    "hours",
    "town",
    "town_probabilities",
    "owner",
    "owner_probabilities",
]


def mlp():
    return MultiTask(MLPRegressor((8,), **QUICK))


def run(export, **feeds):
    session = open_session(export.to_bytes())
    names = [out.name for out in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


@pytest.mark.parametrize(
    "model",
    [
        mlp(),
        MultiTask(MLPRegressor((8,), **QUICK), head_layer_sizes=3),
        MultiTask(MLPRegressor((8,), **QUICK), task_weight="uncertainty"),
        make_pipeline(StandardScaler(), mlp()),
        GridSearchCV(make_pipeline(StandardScaler(), mlp()), {}, cv=2),
        MultiTask(MLPRegressor(), {"hours": MLPRegressor(loss="poisson")}),
    ],
    ids=["mlp", "heads", "uncertainty", "pipeline", "search", "poisson"],
)
def test_a_file_has_the_outputs_of_all_tasks_by_name(model):
    y = Y.assign(hours=np.abs(Y["hours"]))
    model.fit(X, y)
    export = to_onnx(model, X)
    assert list(export.receipt["differences"]) != []
    found, frame, p = run(export, X=X), model.predict(X), model.predict_proba(X)
    assert list(found) == OUTPUTS
    assert found["income"].tolist() == frame["income"].tolist()
    assert found["owner"].astype(bool).tolist() == frame["owner"].tolist()
    assert_allclose(found["hours"], frame["hours"], rtol=1e-6)
    for task, each in p.items():
        assert_allclose(found[f"{task}_probabilities"], each, atol=1e-6)


@pytest.mark.parametrize(
    ("network", "rows"),
    [
        (CNNRegressor((4,), **QUICK), X.reshape(60, 5, 1)),
        (RNNClassifier(4, **QUICK), X.reshape(60, 5, 1)),
        (
            TabularClassifier(8, n_networks=2, **QUICK),
            pd.DataFrame(X).rename(columns=str),
        ),
    ],
    ids=["cnn", "rnn", "tabular"],
)
def test_other_families_have_such_files(network, rows):
    export = to_onnx(MultiTask(network).fit(rows, Y), rows)
    assert [out.name for out in export.model.graph.output] == OUTPUTS
    assert set(export.receipt["differences"]) == set(OUTPUTS)


def test_the_layers_that_tasks_share_are_in_the_file_once():
    export = to_onnx(mlp().fit(X, Y), X)
    shapes = [sorted(t.dims) for t in export.model.graph.initializer]
    assert shapes.count([5, 8]) == 1


def test_rows_that_the_network_refuses_are_not_a_number():
    rows = X.copy()
    rows[3, 1] = np.nan
    found = run(to_onnx(mlp().fit(X, Y), X), X=rows)
    assert np.flatnonzero(np.isnan(found["hours"])).tolist() == [3]
    assert np.isnan(found["town_probabilities"]).any(1).nonzero()[0].tolist() == [3]


def test_equal_names_of_outputs_are_told_apart():
    y = {"a": Y["income"], "a_probabilities": Y["hours"], "b": Y["hours"]}
    columns = list("abcde")
    frame = pd.DataFrame(X, columns=columns)
    export = to_onnx(mlp().fit(frame, y), frame)
    names = [out.name for out in export.model.graph.output]
    assert len(set(names)) == 4
    assert not set(names) & set(columns)
    assert names[0].endswith("a")


def test_a_file_that_differs_is_refused(monkeypatch):
    model = mlp().fit(X, Y)
    predict = model.predict
    monkeypatch.setattr(
        model, "predict", lambda X: predict(X).assign(hours=predict(X)["hours"] + 1)
    )
    with pytest.raises(OnnxParityError, match="scale of hours"):
        to_onnx(model, X)


def test_labels_that_differ_are_refused(monkeypatch):
    model = mlp().fit(X, Y)
    predict = model.predict
    monkeypatch.setattr(model, "predict", lambda X: predict(X).assign(income="low"))
    with pytest.raises(OnnxParityError, match="labels differ"):
        to_onnx(model, X)


def test_a_reader_of_one_task_says_how_to_read_the_file():
    export = to_onnx(mlp().fit(X, Y), X)
    with pytest.raises(
        OnnxFileError, match=r"several tasks.*task='income'.*OnnxMultiTask"
    ):
        OnnxRegressor(export.to_bytes()).predict(X)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": None}, "tasks must be set for several"),
        ({"tasks": []}, "a list of 1 or more"),
        ({"tasks": [{"name": "a"}]}, "lacks 'predict'"),
        ({"outputs": {"predict": {"name": "a"}}}, "must contain methods of a several"),
        ({"task": "transformer"}, "tasks must be set for several"),
    ],
)
def test_a_wrong_list_of_tasks_is_found(change, message):
    metadata = dict(_metadata())
    assert find_invalid_field(metadata) is None
    assert message in find_invalid_field({**metadata, **change})


def _metadata():
    export = to_onnx(mlp().fit(X, Y), X)
    (entry,) = [p for p in export.model.metadata_props if p.key == "sklearn_deep"]
    return json.loads(entry.value)
