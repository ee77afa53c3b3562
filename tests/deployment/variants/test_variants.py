"""One fitted pipeline as files of several sizes, measured and chosen by budgets."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import sklearn_deep.deployment.variants._measure as measuring
from sklearn_deep import (
    CompressionDisplay,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    OnnxClassifier,
    OnnxExportError,
    OnnxRegressor,
    Sliced,
    variants,
)
from sklearn_deep.serving._session import OnnxSession
from sklearn_deep.serving._variants import INDEX, read_index

QUICK = {"max_epochs": 3, "random_state": 0}
FEW = {"keep": (0.5,), "fine_tune_epochs": 1}


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch):
    monkeypatch.setattr(measuring, "_SECONDS", 0.0)


@pytest.fixture(scope="module")
def rows():
    X, y = load_iris(return_X_y=True)
    return X.astype("float32"), y


@pytest.fixture(scope="module")
def network(rows):
    return MLPClassifier((32,), **QUICK).fit(*rows)


@pytest.fixture(scope="module")
def found(rows):
    X, y = rows
    pipe = make_pipeline(StandardScaler(), MLPClassifier((32,), **QUICK)).fit(X, y)
    budgets = {"any": {"bytes": 10**9}, "none": {"bytes": 10}}
    return variants(pipe, X, y, budgets=budgets, random_state=0, **FEW)


def test_sizes_and_scores_are_those_of_the_files(found, rows):
    X, y = rows
    again = variants(
        MLPClassifier((32,), **QUICK).fit(X, y),
        X,
        y,
        X_train=X,
        y_train=y,
        budgets={"score": 0},
        **FEW,
    )
    for result in (found, again):
        sizes = [len(export.to_bytes()) for export in result.exports.values()]
        assert result.report.columns["onnx_bytes"].tolist() == sizes
        assert (result.report.columns["onnx_us_1"] > 0).all()
    scores = [OnnxClassifier(e.to_bytes()).score(X, y) for e in again.exports.values()]
    assert again.report.columns["score"].tolist() == scores


def test_every_nesting_is_tried_and_has_a_receipt(found):
    assert found.report.names == [
        "dense",
        "sliced-0.5",
        "quantized-8",
        "sliced-0.5-quantized-8",
    ]
    sizes = dict(
        zip(found.report.names, found.report.columns["onnx_bytes"], strict=True)
    )
    assert sizes["sliced-0.5"] < sizes["dense"]
    for export in found.exports.values():
        assert export.receipt["rows"] > 0


def test_only_the_first_file_describes_columns_for_a_form(found):
    opened = {
        name: OnnxSession(export.to_bytes(), 1, verify=True).metadata
        for name, export in found.exports.items()
    }
    assert [m["fields"] is None for m in opened.values()] == [False, True, True, True]
    for name, export in found.exports.items():
        assert opened[name]["receipt"]["rows"] == export.receipt["rows"]


def test_an_unmet_budget_is_named_with_the_nearest_variant(found):
    assert found.chosen["none"] is None
    assert found.chosen["any"] in found.exports
    smallest = found.report.names[int(np.argmin(found.report.columns["onnx_bytes"]))]
    (note,) = found.report.notes
    assert "'none' (bytes <= 10): no variant meets it" in note
    assert repr(smallest) in note
    shown = str(found)
    assert note in shown
    assert f"any: {found.chosen['any']}" in shown


def test_without_training_rows_a_half_of_the_rows_scores(found, rows):
    assert found.about["rows"] == len(rows[0]) / 2


def test_the_folder_is_read_as_it_was_measured(found, rows, tmp_path):
    X, y = rows
    found.save(tmp_path / "new")
    measured, about = read_index(tmp_path / "new")
    assert measured == found.measured
    assert about["budgets"] == {"any": {"bytes": 1e9}, "none": {"bytes": 10}}
    for variant in measured:
        reader = OnnxClassifier(tmp_path / "new" / variant.file)
        assert reader.predict(X).shape == y.shape


def test_a_folder_is_written_where_one_is_asked_for(network, rows, tmp_path):
    variants(
        network,
        *rows,
        budgets={"score": 0},
        folder=tmp_path,
        keep=(),
        bits=(),
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dense.onnx", INDEX]


def test_the_fitted_model_is_not_modified(network, rows):
    X, y = rows
    before = network.predict_proba(X)
    pipe = Pipeline([("net", network)])
    variants(pipe, X, y, budgets={"score": 0}, **FEW)
    assert pipe.named_steps["net"] is network
    assert (network.predict_proba(X) == before).all()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda net, X, y: Pipeline([("net", net)]),
        lambda net, X, y: FrozenEstimator(net),
        lambda net, X, y: Sliced(net, 0.5, prefit=True, fine_tune_epochs=0).fit(X, y),
        lambda net, X, y: GridSearchCV(
            make_pipeline(StandardScaler(), MLPClassifier((8,), **QUICK)),
            {"mlpclassifier__dropout": [0.0]},
            cv=2,
        ).fit(X, y),
    ],
)
def test_networks_are_found_in_meta_estimators(network, rows, wrap):
    X, y = rows
    model = wrap(network, X, y)
    found = variants(model, X, y, budgets={"score": 0}, keep=(), random_state=0)
    assert found.report.names == ["dense", "quantized-8"]


def test_what_is_no_network_has_one_variant_and_the_reason_for_it(rows):
    X, y = rows
    forest = RandomForestClassifier(3, random_state=0).fit(X, y)
    found = variants(forest, X, y, budgets={"score": 0.0}, random_state=0, **FEW)
    assert found.report.names == ["dense"]
    assert found.chosen == {"score >= 0": "dense"}
    (note,) = found.report.notes
    assert note.startswith("sliced-0.5, quantized-8: RandomForestClassifier is not")


def make_linear(n_features, n_outputs):
    return nn.Linear(n_features, n_outputs)


def test_a_network_that_no_compression_takes_has_the_reason_of_each(rows):
    X, y = rows
    own = ModuleClassifier(make_linear, **QUICK).fit(X, y)
    found = variants(own, X, y, budgets={"score": 0.0}, random_state=0, **FEW)
    assert found.report.names == ["dense"]
    assert [note.split(":")[0] for note in found.report.notes] == [
        "sliced-0.5",
        "quantized-8",
    ]


def test_a_model_without_any_file_is_an_error(rows):
    class Unknown(RandomForestClassifier):
        def predict_proba(self, X):
            return super().predict_proba(X)[:, ::-1]

    model = Unknown(3, random_state=0).fit(*rows)
    with pytest.raises(OnnxExportError):
        variants(model, *rows, budgets={"score": 0.0})


def test_a_regressor_is_scored_as_it_scores_itself(regression):
    X, y = regression
    model = MLPRegressor((8,), **QUICK).fit(X, y)
    found = variants(
        model, X, y, X_train=X, y_train=y, budgets={"microseconds": 1e9}, **FEW
    )
    scores = [OnnxRegressor(e.to_bytes()).score(X, y) for e in found.exports.values()]
    assert found.report.columns["score"].tolist() == scores


def test_sparse_rows_are_measured_as_dense_ones(network, rows):
    X, y = rows
    budgets, sparse = [{"bytes": 10**9}], sp.csr_matrix(X)
    given = {"X_train": sparse, "y_train": y}
    found = variants(network, sparse, y, budgets=budgets, **given, **FEW)
    assert len(found.measured) > 1
    for variant in found.measured:
        reader = OnnxClassifier(found.exports[variant.name].to_bytes())
        assert variant.score == reader.score(X, y)


def test_scoring_decides(network, rows):
    X, y = rows
    found = variants(
        network,
        X,
        y,
        X_train=X,
        y_train=y,
        scoring="neg_log_loss",
        budgets=[{"score": -9.0, "bytes": 10**6}],
        **FEW,
    )
    scores = found.report.columns["score"]
    assert (scores < 0).all()
    assert found.chosen == {
        "score >= -9, bytes <= 1,000,000": found.report.names[int(scores.argmax())]
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budgets": {"size": 3}}, "with one or more of the keys bytes"),
        ({"budgets": {}}, "with one or more of the keys bytes"),
        ({"budgets": "bytes"}, "with one or more of the keys bytes"),
        ({"budgets": [{"bytes": 0}]}, "budget of bytes must be a positive number"),
        ({"budgets": {"a": {"score": "high"}}}, "budget of score must be a finite"),
        ({"budgets": {"score": float("nan")}}, "budget of score must be a finite"),
        ({"keep": (0,)}, "keep must contain fractions"),
        ({"fine_tune_epochs": -1}, "fine_tune_epochs must be an integer >= 0"),
        ({"batch_size": 0}, "batch_size must be an integer >= 1"),
        ({"X_train": np.zeros((3, 4))}, "both X_train and y_train"),
    ],
)
def test_a_wrong_argument_is_named(network, rows, changes, message):
    with pytest.raises(ValueError, match=message):
        variants(network, *rows, **{"budgets": {"score": 0}, **changes})


def test_a_transformer_has_no_variants(rows):
    X, y = rows
    coder = MLPAutoencoder(code_size=2, **QUICK).fit(X)
    with pytest.raises(ValueError, match="classifier or a regressor; got MLPAuto"):
        variants(coder, X, y, budgets={"score": 0})


def test_the_picture_shows_the_front(found):
    display = CompressionDisplay(found.report).plot()
    assert display.axes_[1].get_xlabel().endswith("onnxruntime, batches of 1")
    for ax, column in zip(display.axes_, ("onnx_bytes", "onnx_us_1"), strict=True):
        line = ax.get_lines()[0]
        assert line.get_linestyle() == "--"
        ys = np.asarray(line.get_ydata())
        assert (np.diff(ys) >= 0).all()
        assert ys[-1] == found.report.columns["score"].max()
        assert line.get_xdata()[0] == found.report.columns[column].min()


@pytest.mark.slow
def test_slices_and_integers_of_a_real_network_are_smaller_and_as_good():
    X, y = load_digits(return_X_y=True)
    X = X.astype("float32")
    pipe = make_pipeline(
        StandardScaler(), MLPClassifier((128, 64), max_epochs=20, random_state=0)
    ).fit(X[:1000], y[:1000])
    found = variants(
        pipe,
        X[1000:],
        y[1000:],
        X_train=X[:1000],
        y_train=y[:1000],
        budgets=[{"bytes": 12_000}],
    )
    scores = dict(zip(found.report.names, found.report.columns["score"], strict=True))
    best = found.chosen["bytes <= 12,000"]
    assert scores[best] > scores["dense"] - 0.02


def test_a_linear_model_is_its_own_only_variant(regression):
    X, y = regression
    model = LinearRegression().fit(X, y)
    found = variants(model, X, y, budgets={"bytes": 10**6}, random_state=0)
    assert found.chosen == {"bytes <= 1,000,000": "dense"}
