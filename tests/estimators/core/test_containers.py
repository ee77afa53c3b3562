"""Features in any container and dtype give the same network."""

import tracemalloc

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from sklearn_deep import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.oldest


@pytest.fixture
def whole():
    """Whole numbers, exact in every dtype, with many zeros, and classes."""
    rng = np.random.default_rng(0)
    X = rng.integers(-3, 4, size=(50, 4)) * (rng.random((50, 4)) < 0.5)
    return X.astype(float), X.sum(1) > 0


CONTAINERS = {
    "list": np.ndarray.tolist,
    "int": lambda X: X.astype(int),
    "int8": lambda X: X.astype(np.int8),
    "float16": lambda X: X.astype(np.float16),
    "longdouble": lambda X: X.astype(np.longdouble),
    "object": lambda X: X.astype(object),
    "Fortran order": np.asfortranarray,
    "every other row of more": lambda X: np.repeat(X, 2, axis=0)[::2],
    "columns of a wider array": lambda X: np.hstack([X, X])[:, 4:],
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcd")),
    "pandas of mixed dtypes": lambda X: pd.DataFrame(X, columns=list("abcd")).astype(
        {"a": "float32", "b": int, "c": "Int64"}
    ),
    "sparse pandas": lambda X: pd.DataFrame.sparse.from_spmatrix(sp.csr_array(X)),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcd")),
    "csr array": sp.csr_array,
    "csr matrix": sp.csr_matrix,
    "csr of ints": lambda X: sp.csr_array(X.astype(int)),
    "csc array": sp.csc_array,
    "csc matrix": sp.csc_matrix,
    "coo": sp.coo_array,
    "lil": sp.lil_matrix,
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=list(CONTAINERS))
@pytest.mark.parametrize("batch_size", ["auto", 16])
def test_the_container_of_the_features_does_not_matter(container, batch_size, whole):
    X, y = whole
    network = MLPClassifier((6,), batch_size=batch_size, max_epochs=5, random_state=0)
    wanted = clone(network).fit(X, y).predict_proba(X)
    found = network.fit(container(X), y).predict_proba(container(X))
    assert_allclose(found, wanted, rtol=1e-10)


@pytest.mark.parametrize(
    "container", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"]
)
def test_frames_give_the_feature_names_that_scikit_learn_sees(container, whole):
    X, y = whole
    frame = container(dict(zip("abcd", X.T, strict=True)))
    seen = getattr(StandardScaler().fit(frame), "feature_names_in_", None)
    network = MLPClassifier((2,), max_epochs=1).fit(frame, y)
    assert_array_equal(getattr(network, "feature_names_in_", None), seen)
    if container is pd.DataFrame:
        assert seen.tolist() == list("abcd")
    network.fit(X, y)
    assert not hasattr(network, "feature_names_in_")


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_frame_of_one_dtype_is_computed_in_it_as_its_array_is(frame, dtype, whole):
    X, y = whole
    X = X.astype(dtype)
    frame = frame({str(k): column for k, column in enumerate(X.T.copy())})
    network = MLPClassifier((6,), max_epochs=2, random_state=0)
    of_frame, of_array = (clone(network).fit(rows, y) for rows in (frame, X))
    expected = of_array.predict_proba(X)
    assert of_frame.predict_proba(frame).dtype == expected.dtype == dtype
    assert_array_equal(of_frame.predict_proba(frame), expected)


def test_a_polars_frame_of_several_dtypes_is_computed_in_float64(whole):
    X, y = whole
    single = pl.DataFrame(X.astype("float32"))
    mixed = single.with_columns(single[:, 0].cast(pl.Int64))
    network = MLPClassifier((6,), max_epochs=2, random_state=0).fit(mixed, y)
    assert network.predict_proba(mixed).dtype == np.float64


def test_a_bool_array_is_taken_as_zeros_and_ones(whole):
    X, y = whole
    network = MLPClassifier((6,), max_epochs=5, random_state=0)
    wanted = clone(network).fit((X > 0).astype(float), y).predict_proba(X > 0)
    assert_array_equal(network.fit(X > 0, y).predict_proba(X > 0), wanted)


@pytest.fixture
def every_warning_of_torch():
    """torch says most of its warnings once a process only."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("container", [np.asarray, pd.Series, pl.Series])
def test_read_only_weights_and_targets_are_taken_without_a_warning(
    container, cls, whole, every_warning_of_torch
):
    def read_only(values):
        values = np.array(values, float)
        values.setflags(write=False)
        return container(values)

    X, y = whole
    weight = np.arange(1.0, 51)
    network = cls((4,), max_epochs=2, random_state=0)
    wanted = clone(network).fit(
        X, y * 1.0, weight, X_val=X, y_val=y * 1.0, sample_weight_val=weight
    )
    found = network.fit(
        X,
        read_only(y),
        read_only(weight),
        X_val=X,
        y_val=read_only(y),
        sample_weight_val=read_only(weight),
    )
    assert_array_equal(found.predict(X), wanted.predict(X))
    losses = ["train_loss", "valid_loss"]
    assert_array_equal(found.history_[losses], wanted.history_[losses])


@pytest.mark.parametrize("params", [{}, {"batch_size": 16}, {"early_stopping": True}])
def test_sparse_and_dense_networks_are_the_same_with_validation_and_weights(
    params, whole, rng
):
    X, y = whole
    weight = rng.integers(0, 3, len(y)).astype(float)
    network = MLPClassifier((6,), max_epochs=5, random_state=0, **params)
    dense = clone(network).fit(X, y, sample_weight=weight)
    sparse = clone(network).fit(sp.csr_array(X), y, sample_weight=weight)
    assert_allclose(
        sparse.predict_proba(sp.csr_array(X)), dense.predict_proba(X), rtol=1e-10
    )
    dense.fit(X, y, X_val=X, y_val=y)
    sparse.fit(sp.csr_array(X), y, X_val=sp.csc_array(X), y_val=y)
    assert_allclose(sparse.history_.valid_loss, dense.history_.valid_loss, rtol=1e-10)


def test_sparse_indices_may_be_64_bit(whole):
    X, y = whole
    wide = sp.csr_array(X)
    wide.indices, wide.indptr = (
        wide.indices.astype(np.int64),
        wide.indptr.astype(np.int64),
    )
    network = MLPClassifier((6,), batch_size=16, max_epochs=3, random_state=0)
    wanted = clone(network).fit(X, y).predict_proba(X)
    assert_allclose(network.fit(wide, y).predict_proba(wide), wanted, rtol=1e-10)


def test_a_sparse_matrix_is_never_densified_as_a_whole(rng):
    n, width = 1000, 20_000  # 160 MB, were it dense
    rows, columns = rng.integers(0, n, 20_000), rng.integers(0, width, 20_000)
    X = sp.csr_array((rng.normal(size=20_000), (rows, columns)), shape=(n, width))
    y = np.asarray(X[:, :5000].sum(1)).ravel()
    network = MLPRegressor((1,), batch_size=20, max_epochs=1, early_stopping=True)
    tracemalloc.start()
    try:
        network.fit(X, y).predict(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30e6


def test_dense_features_in_the_compute_dtype_are_not_copied(rng):
    X = rng.normal(size=(50_000, 50))  # 20 MB
    network = MLPRegressor((1,), batch_size=5000, max_epochs=1, early_stopping=True)
    tracemalloc.start()
    try:
        network.fit(X, X[:, 0])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_read_only_memory_map_is_read_and_left_alone(dtype, whole, tmp_path):
    X, y = whole
    joblib.dump(X.astype(dtype), tmp_path / "X.joblib")
    mapped = joblib.load(tmp_path / "X.joblib", mmap_mode="r")
    assert not mapped.flags.writeable
    network = MLPClassifier((6,), dtype=dtype, max_epochs=5, random_state=0)
    wanted = clone(network).fit(X.astype(dtype), y).predict_proba(X.astype(dtype))
    assert_array_equal(network.fit(mapped, y).predict_proba(mapped), wanted)
    assert_array_equal(mapped, X.astype(dtype))


@pytest.mark.parametrize(
    "container", [np.array, sp.csr_array, sp.csc_array, pd.DataFrame]
)
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_fit_and_predict_change_nothing_of_what_they_are_given(container, cls, whole):
    X, y = whole
    given, target, weight = container(X), y.astype(int), np.arange(50.0)
    network = cls((4,), early_stopping=True, normalization="batch", max_epochs=3)
    network.fit(given, target, sample_weight=weight, X_val=given, y_val=target)
    network.predict(given)
    back = given.toarray() if sp.issparse(given) else np.asarray(given)
    assert_array_equal(back, X)
    assert_array_equal(target, y)
    assert_array_equal(weight, np.arange(50.0))


def test_a_network_does_not_change_when_its_training_data_does(whole):
    X, y = whole
    X = X.copy()
    network = MLPClassifier((6,), max_epochs=3, random_state=0).fit(X, y)
    probe = X[:5].copy()
    before = network.predict_proba(probe)
    X[:] = 0
    assert_array_equal(network.predict_proba(probe), before)


def test_writing_into_predictions_leaves_the_network_alone(whole):
    X, _ = whole
    network = MLPRegressor((6,), max_epochs=3, random_state=0).fit(X, X[:, 0])
    wanted = network.predict(X)
    network.predict(X)[:] = 0
    assert_array_equal(network.predict(X), wanted)


@pytest.mark.parametrize("n_rows", [1, 2, 31, 32, 33, 50])
def test_any_number_of_rows_is_predicted(n_rows, whole):
    X, y = whole
    network = MLPClassifier((6,), dtype="float32", max_epochs=1).fit(X, y)
    assert network.predict(X[:n_rows]).shape == (n_rows,)


@pytest.mark.parametrize("n_rows", [1, 2, 3, 9, 17])
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_few_rows_and_a_last_batch_of_one_are_trained_on(n_rows, normalization, whole):
    X, _ = whole
    network = MLPRegressor(
        (6,), normalization=normalization, batch_size=8, max_epochs=2
    )
    network.fit(X[:n_rows], X[:n_rows, 0])
    assert np.isfinite(network.predict(X)).all()
