"""Networks of every loss, target and dtype are exported and agree."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import NotFittedError

from sklearn_deep import MLPClassifier, MLPRegressor, to_onnx
from sklearn_deep.nn._losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES

SMALL = {"hidden_layer_sizes": (6,), "max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def flowers():
    X, y = load_iris(return_X_y=True)
    return (X - X.mean(0)) / X.std(0), y


@pytest.fixture(scope="module")
def patients():
    X, y = load_diabetes(return_X_y=True)
    return X * 20, y


def fresh(X, seed=1):
    return X[:40] + np.random.default_rng(seed).normal(size=(40, X.shape[1]))


LABELS = {
    "binary": lambda y: y % 2,
    "multiclass": lambda y: y,
    "words": lambda y: np.array(["a", "c", "b"])[y],
    "words of two kinds": lambda y: np.array(["no", "yes"], object)[y % 2],
    "booleans": lambda y: y == 1,
    "signs": lambda y: 2 * (y % 2) - 1,
    "whole floats": lambda y: y * 1.0,
    "bytes": lambda y: y.astype(np.uint8),
    "small integers": lambda y: (y - 1).astype(np.int16),
    "multilabel": lambda y: np.stack([y == 0, y > 0, y == 2], 1).astype(int),
}


@pytest.mark.oldest
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", CLASSIFIER_LOSSES)
@pytest.mark.parametrize("labels", LABELS)
def test_classifiers_of_every_loss_and_label_agree(labels, loss, dtype, flowers, same):
    X, y = flowers
    X = X.astype(dtype)
    model = MLPClassifier(loss=loss, **SMALL).fit(X, LABELS[labels](y))
    same(model, to_onnx(model, X), fresh(X).astype(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", REGRESSOR_LOSSES)
@pytest.mark.parametrize("shape", [(-1,), (-1, 1), (-1, 2)])
def test_regressors_of_every_loss_and_shape_agree(shape, loss, dtype, patients, same):
    X, y = patients
    y = np.stack([y, y[::-1] ** 0.5], 1) if shape == (-1, 2) else y.reshape(shape)
    model = MLPRegressor(loss=loss, **SMALL).fit(X.astype(dtype), y)
    export = to_onnx(model, X.astype(dtype))
    names = [out.name for out in export.model.graph.output]
    assert names == (["variable", "std"] if loss == "gaussian" else ["variable"])
    same(model, export, fresh(X).astype(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(-1,), (-1, 1), (-1, 2)])
@pytest.mark.parametrize(
    "quantile", [[0.05, 0.5, 0.95], [0.1, 0.2], [0.8], np.linspace(0.02, 0.98, 13)]
)
def test_several_quantiles_agree_and_never_cross(quantile, shape, dtype, patients, run):
    X, y = patients
    X = X.astype(dtype)
    y = np.stack([y, y[::-1] ** 0.5], 1) if shape == (-1, 2) else y.reshape(shape)
    params = {"loss": "quantile", "loss_params": {"quantile": quantile}}
    model = MLPRegressor(**params, **SMALL).fit(X, y)
    near = fresh(X)
    rows = np.vstack([near, 100 * X]).astype(dtype)
    got = run(to_onnx(model, X), rows)["variable"]
    expected = model.predict(rows)
    assert got.shape == expected.shape
    # The sums of rows 100 times as large round at 100 times the scale, and may cancel.
    for part, far in ((slice(len(near)), 1), (slice(len(near), None), 100)):
        scale = far * y.std() if dtype == np.float32 else y.std()
        np.testing.assert_allclose(
            got[part], expected[part], rtol=1e-5, atol=1e-5 * scale
        )
    assert (np.diff(got) >= 0).all()


def test_the_standard_deviation_may_be_left_out(patients, run):
    X, y = patients
    model = MLPRegressor(loss="gaussian", **SMALL).fit(X, y)
    export = to_onnx(model, X, options={"return_std": False})
    assert list(run(export, X)) == ["variable"]


def test_every_opset_is_written_as_asked(opset, flowers, same):
    X, y = flowers
    model = MLPClassifier(activation="gelu", normalization="layer", **SMALL).fit(X, y)
    export = to_onnx(model, X, target_opset=opset)
    found = [o.version for o in export.model.opset_import if o.domain == ""]
    assert found == [opset]
    same(model, export, fresh(X))


def test_dropout_is_not_in_the_graph(flowers, same):
    X, y = flowers
    for activation in ("relu", "selu"):
        model = MLPClassifier(dropout=0.5, activation=activation, **SMALL).fit(X, y)
        export = to_onnx(model, X)
        ops = {node.op_type for node in export.model.graph.node}
        assert not ops & {"Dropout", "Bernoulli", "RandomUniform"}
        same(model, export, X)


@pytest.mark.parametrize("n", [1, 2, 31, 1000])
def test_any_number_of_rows_is_accepted(n, flowers, same):
    X, y = flowers
    model = MLPClassifier(**SMALL).fit(X, y)
    same(model, to_onnx(model, X[:3]), np.resize(X, (n, 4)))


@pytest.mark.parametrize(
    "rows",
    [
        lambda X: X.astype(np.int64),
        lambda X: X.astype(np.uint8),
        lambda X: X > 4,
        lambda X: X.astype(np.float16),
        lambda X: sp.csr_matrix(X),
        lambda X: X.tolist(),
    ],
    ids=["int64", "uint8", "bool", "float16", "sparse", "list"],
)
def test_rows_of_any_kind_declare_their_input(rows):
    X, y = load_digits(return_X_y=True)
    X = rows(X[:100])
    model = MLPClassifier(**SMALL).fit(X, y[:100])
    export = to_onnx(model, X)
    assert [i.name for i in export.model.graph.input] == ["X"]
    assert export.receipt["rows"] == 100


def weight_types(export):
    return {t.data_type for t in export.model.graph.initializer if len(t.dims) == 2}


@pytest.mark.parametrize(
    ("rows", "dtype", "expected"),
    [
        (np.float32, None, {1}),
        (np.float64, None, {11}),
        (np.float64, "float32", {1}),
        (np.float32, "float64", {11}),
    ],
)
def test_the_network_has_the_dtype_of_the_rows_or_of_the_export(
    rows, dtype, expected, flowers, same
):
    X, y = flowers
    model = MLPClassifier(**SMALL).fit(X, y)
    export = to_onnx(model, X.astype(rows), dtype=dtype)
    assert weight_types(export) == expected
    same(model, export, fresh(X).astype(rows))


def test_a_float32_network_stays_float32_for_float64_rows(flowers):
    X, y = flowers
    model = MLPClassifier(dtype="float32", **SMALL).fit(X, y)
    assert weight_types(to_onnx(model, X)) == {1}


def test_an_unfitted_network_is_a_not_fitted_error(flowers):
    with pytest.raises(NotFittedError):
        to_onnx(MLPClassifier(), flowers[0])
