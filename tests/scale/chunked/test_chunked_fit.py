"""Fits of more rows than the buffer holds, and of rows that it does hold."""

import gc
import pickle
import threading
from itertools import combinations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    StandardScaler,
)

from sklearn_deep import (
    Checkpoint,
    ChunkedFit,
    CNNClassifier,
    FineTuned,
    InvalidParameterError,
    MLPClassifier,
    MLPRegressor,
    Pruned,
    RNNClassifier,
    ShuffleWarning,
    TabularClassifier,
    TabularRegressor,
    TrainingDivergedError,
    load,
    save,
)
from sklearn_deep.data.chunks._streamed_rows import StreamedRows

N = 4_000


def table(n=N, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)


X, Y = table()
ORDER = np.argsort(Y, kind="stable")
SORTED_X, SORTED_Y = X[ORDER], Y[ORDER]
REAL = X[:, 0] * 40 + X[:, 1] * X[:, 2] + 100


def mlp(**params):
    settings = {"max_epochs": 4, "random_state": 0, "early_stopping": True, **params}
    return MLPClassifier((16,), **settings)


def weights_of(model):
    network = model.estimator_ if hasattr(model, "estimator_") else model
    network = network[-1] if hasattr(network, "steps") else network
    return {k: v.numpy() for k, v in network.module_.state_dict().items()}


def assert_same_network(one, other):
    a, b = weights_of(one), weights_of(other)
    assert a.keys() == b.keys()
    for name, values in a.items():
        assert_array_equal(values, b[name], err_msg=name)


def chunks_of(X, y, size, *more):
    def chunks():
        for start in range(0, X.shape[0], size):
            yield tuple(part[start : start + size] for part in (X, y, *more))

    return chunks


# Where the buffer holds all rows.

IMAGES = np.random.default_rng(0).integers(0, 255, (300, 8, 8, 3), dtype=np.uint8)
BRIGHT = (IMAGES[:, :4].mean((1, 2, 3)) > IMAGES[:, 4:].mean((1, 2, 3))).astype(int)
SERIES = np.random.default_rng(0).normal(size=(300, 9, 2)).astype(np.float32)
RISING = (SERIES[:, -1, 0] > SERIES[:, 0, 0]).astype(int)

WHOLE = {
    "MLP": (mlp(), X, Y),
    "MLP of the regressor": (MLPRegressor((8,), max_epochs=3, random_state=1), X, REAL),
    "batches of all rows": (mlp(optimizer="lbfgs", early_stopping=False), X, Y),
    "Tabular": (TabularClassifier(8, n_networks=2, max_epochs=3, random_state=0), X, Y),
    "images": (CNNClassifier((4,), max_epochs=2, random_state=0), IMAGES, BRIGHT),
    "series": (RNNClassifier(4, max_epochs=2, random_state=0), SERIES, RISING),
}


@pytest.mark.parametrize("case", WHOLE)
def test_with_all_rows_in_the_buffer_the_network_is_that_of_fit(case):
    network, X, y = WHOLE[case]
    model = ChunkedFit(network).fit(chunks_of(X, y, 97))
    aside = model.validation_indices_
    train = np.setdiff1d(np.arange(len(X)), aside)
    given = {"X_val": X[aside], "y_val": y[aside]} if len(aside) else {}
    assert_same_network(model, clone(network).fit(X[train], y[train], **given))
    assert model.n_rows_ == model.buffer_rows_ == len(X)
    assert model.shuffle_quality_ == {"y": 1.0, "place": 1.0}


def test_a_pipeline_in_the_buffer_sees_no_validation_rows_in_its_scaler():
    model = ChunkedFit(make_pipeline(StandardScaler(), mlp())).fit(chunks_of(X, Y, 97))
    aside = model.validation_indices_
    train = np.setdiff1d(np.arange(N), aside)
    scaler = StandardScaler().fit(X[train])
    assert_array_equal(model.estimator_[0].mean_, scaler.mean_)
    network = mlp().fit(
        scaler.transform(X[train]),
        Y[train],
        X_val=scaler.transform(X[aside]),
        y_val=Y[aside],
    )
    assert_same_network(model, network)


@settings(max_examples=6, deadline=None)
@given(size=st.integers(40, N), held=st.booleans())
def test_any_chunks_of_the_same_rows_give_the_same_network(size, held):
    pipe = make_pipeline(StandardScaler(), mlp(max_epochs=1))
    model = ChunkedFit(pipe, buffer_rows=N if held else 500)
    one = clone(model).fit(chunks_of(X, Y, size))
    assert_same_network(one, clone(model).fit(chunks_of(X, Y, 333)))


def test_arrays_that_fit_are_passed_on_as_they_are():
    assert_same_network(
        ChunkedFit(mlp(early_stopping=False)).fit(X, Y),
        mlp(early_stopping=False).fit(X, Y),
    )


# Where it does not.

FAMILIES = {
    "MLP": (mlp(max_epochs=6), X, Y),
    "pipeline": (make_pipeline(StandardScaler(), mlp(max_epochs=6)), X, Y),
    "regressor": (MLPRegressor((16,), max_epochs=15, random_state=0), X, REAL),
    "tabular": (
        TabularClassifier(16, n_networks=2, max_epochs=6, random_state=0),
        X,
        Y,
    ),
    "tabular regressor": (
        TabularRegressor(16, n_networks=2, max_epochs=6, random_state=0),
        X,
        REAL,
    ),
}


@pytest.mark.parametrize("case", FAMILIES)
def test_a_streamed_fit_scores_as_one_in_memory(case):
    network, X, y = FAMILIES[case]
    streamed = ChunkedFit(network, buffer_rows=800).fit(X, y)
    whole = ChunkedFit(network).fit(X, y)
    X_new, y_new = table(seed=1)
    if is_regressor(network):
        y_new = X_new[:, 0] * 40 + X_new[:, 1] * X_new[:, 2] + 100
    assert streamed.buffer_rows_ == 800
    assert streamed.score(X_new, y_new) > whole.score(X_new, y_new) - 0.02


@pytest.mark.parametrize(
    ("network", "X", "y"), [WHOLE["images"], WHOLE["series"]], ids=["images", "series"]
)
def test_images_and_series_come_from_memory_maps(network, X, y, tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = ChunkedFit(network, buffer_rows=120).fit(mapped, y)
    assert model.buffer_rows_ == 120
    assert_array_equal(model.predict(mapped), model.estimator_.predict(X))


def test_rows_sorted_by_class_train_as_well_as_shuffled_ones(tmp_path):
    frame = pd.DataFrame(SORTED_X).add_prefix("x").assign(y=SORTED_Y)
    frame.to_parquet(tmp_path / "sorted.parquet", row_group_size=200)
    model = ChunkedFit(mlp(max_epochs=15), buffer_rows=800)
    of_sorted = clone(model).fit(tmp_path / "sorted.parquet", "y")
    of_mixed = clone(model).fit(X, Y)
    X_new, y_new = table(seed=1)
    score = of_sorted.score(pd.DataFrame(X_new).add_prefix("x"), y_new)
    assert score > of_mixed.score(X_new, y_new) - 0.015
    assert min(of_sorted.shuffle_quality_.values()) > 0.85


FIXES = {
    "a function of sorted chunks": (
        {},
        chunks_of(SORTED_X, SORTED_Y, 100),
        "can be read in its order only",
    ),
    "file order": ({"shuffle": None}, SORTED_X, "Set shuffle='buffer'"),
}


@pytest.mark.parametrize("case", FIXES)
def test_batches_that_do_not_represent_all_rows_are_warned_of(case):
    params, source, fix = FIXES[case]
    y = None if callable(source) else SORTED_Y
    model = ChunkedFit(mlp(), buffer_rows=300, **params)
    with pytest.warns(ShuffleWarning, match=f"is 0.*{fix}"):
        model.fit(source, y)
    assert model.shuffle_quality_["y"] < 0.5


def places_of_epochs(monkeypatch, X, y):
    """Where the rows of each epoch are in the source, in the order of the batches."""
    seen, to_batch = [], StreamedRows.to_batch

    def noting(rows, block):
        seen.append(block.place.numpy())
        return to_batch(rows, block)

    monkeypatch.setattr(StreamedRows, "to_batch", noting)
    ChunkedFit(mlp(early_stopping=False, max_epochs=3), buffer_rows=500).fit(X, y)
    return np.concatenate(seen).reshape(3, N)


def test_rows_leave_the_buffer_in_another_order_in_each_epoch(monkeypatch):
    """A callable is read in its order: the buffer alone mixes its rows."""
    orders = places_of_epochs(monkeypatch, chunks_of(X, Y, 100), None)
    assert_array_equal(np.sort(orders, axis=1), [np.arange(N)] * 3)
    for one, other in combinations(orders, 2):
        assert (one == other).mean() < 0.1


def test_pieces_are_visited_in_another_order_in_each_epoch(monkeypatch, tmp_path):
    frame = pd.DataFrame(X).add_prefix("x").assign(y=Y)
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=100)
    orders = places_of_epochs(monkeypatch, tmp_path / "rows.parquet", "y")
    first = [set((order[:300] // 100).tolist()) for order in orders]
    assert all(len(one - other) > 2 for one, other in combinations(first, 2))


def test_few_large_pieces_are_warned_of(tmp_path):
    frame = pd.DataFrame(SORTED_X).add_prefix("x").assign(y=SORTED_Y)
    frame.to_parquet(tmp_path / "one.parquet", row_group_size=N)
    with pytest.warns(ShuffleWarning, match="smaller row groups"):
        ChunkedFit(mlp(), buffer_rows=300).fit(tmp_path / "one.parquet", "y")


def test_the_seed_decides_the_network():
    model = ChunkedFit(mlp(), buffer_rows=500)
    first, again = clone(model).fit(X, Y), clone(model).fit(X, Y)
    assert_same_network(first, again)
    other = ChunkedFit(mlp(random_state=1), buffer_rows=500).fit(X, Y)
    assert not np.array_equal(first.validation_indices_, other.validation_indices_)
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))


def test_without_a_seed_fits_differ():
    model = ChunkedFit(mlp(random_state=None), buffer_rows=500)
    first, other = clone(model).fit(X, Y), clone(model).fit(X, Y)
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))


@pytest.mark.parametrize("prefetch", [0, 1, 5])
def test_reading_ahead_changes_nothing(prefetch):
    model = ChunkedFit(mlp(), buffer_rows=500, prefetch=prefetch).fit(X, Y)
    assert_same_network(model, ChunkedFit(mlp(), buffer_rows=500).fit(X, Y))


def test_validation_rows_are_held_out_as_the_network_would_up_to_a_number():
    def n_of(network, rows):
        model = ChunkedFit(network, buffer_rows=900, validation_rows=rows).fit(X, Y)
        return len(model.validation_indices_)

    assert n_of(mlp(validation_fraction=0.2), 10_000) == 800
    assert n_of(mlp(validation_fraction=0.2), 300) == 300
    assert n_of(mlp(), 0) == 0
    assert n_of(mlp(early_stopping=False), 300) == 0
    assert n_of(TabularClassifier(4, n_networks=2, max_epochs=1), 300) == 300


def test_schedules_reach_their_end_in_the_last_of_all_steps():
    network = mlp(
        learning_rate_schedule="cosine",
        early_stopping=False,
        batch_size=32,
        max_epochs=5,
    )
    streamed = ChunkedFit(network, buffer_rows=500).fit(X, Y).estimator_
    whole = clone(network).fit(X, Y)
    assert_array_equal(
        pd.DataFrame(streamed.history_)["learning_rate"],
        pd.DataFrame(whole.history_)["learning_rate"],
    )


def test_early_stopping_stops_a_streamed_fit():
    network = mlp(max_epochs=200, n_iter_no_change=2, learning_rate=0.05)
    model = ChunkedFit(network, buffer_rows=500).fit(X, Y)
    assert model.estimator_.stop_reason_ == "early_stopping"
    assert model.n_iter_ < 200


def test_a_time_limit_ends_a_pass_in_the_middle():
    network = mlp(max_epochs=10_000, time_limit=0.5, early_stopping=False)
    model = ChunkedFit(network, buffer_rows=500).fit(X, Y)
    assert model.estimator_.stop_reason_ == "time_limit"
    assert not readers()


def test_weights_and_balanced_classes_are_those_of_all_rows():
    rare = np.where(np.arange(N) % 10, 0, Y)
    counts = np.bincount(rare)
    named = {k: N / (2 * counts[k]) for k in (0, 1)}
    models = [
        ChunkedFit(mlp(class_weight=w, early_stopping=False), buffer_rows=500).fit(
            X, rare
        )
        for w in ("balanced", named)
    ]
    np.testing.assert_allclose(
        models[0].predict_proba(X), models[1].predict_proba(X), rtol=1e-3, atol=1e-5
    )
    plain = ChunkedFit(mlp(early_stopping=False), buffer_rows=500).fit(X, rare)
    assert models[0].predict(X).mean() > 2 * plain.predict(X).mean()


def test_rows_of_weight_zero_are_as_if_removed_and_only_ratios_count():
    frame = pd.DataFrame(X).add_prefix("x").assign(y=Y, w=np.arange(N) % 3)
    model = ChunkedFit(mlp(early_stopping=False), buffer_rows=500)
    one = clone(model).fit(frame, "y", "w")
    other = clone(model).fit(frame.assign(w=frame["w"] * 4), "y", "w")
    assert_same_network(one, other)
    assert one.feature_names_in_.tolist() == [f"x{i}" for i in range(6)]
    noise = frame.copy()
    removed = noise["w"] == 0
    noise.loc[removed, "x0"] = 1e6
    assert_same_network(one, clone(model).fit(noise, "y", "w"))


@pytest.mark.parametrize("kind", ["rows", "classes"])
def test_equal_weights_give_the_network_without_weights(kind):
    network = mlp(early_stopping=False, optimizer="sgd", max_epochs=2)
    weighted = clone(network)
    if kind == "classes":
        weighted.set_params(class_weight={0: 3.0, 1: 3.0})
    weight = np.full(N, 3.0) if kind == "rows" else None
    models = [
        ChunkedFit(each, buffer_rows=500).fit(X, Y, sample_weight=w)
        for each, w in ((network, None), (weighted, weight))
    ]
    without, other = (weights_of(model) for model in models)
    for name, values in without.items():
        np.testing.assert_allclose(other[name], values, atol=1e-5, err_msg=name)


def test_targets_are_standardised_by_all_rows_without_a_pass_in_float32():
    y = np.sort(REAL).astype(np.float64) * 1e6 + 1e9
    model = ChunkedFit(
        MLPRegressor((4,), max_epochs=1, random_state=0, early_stopping=False),
        buffer_rows=500,
    ).fit(X, y)
    targets = model.estimator_._fitted.targets
    np.testing.assert_allclose(targets.center, [y.mean()], rtol=1e-12)
    np.testing.assert_allclose(targets.scale, [y.std()], rtol=1e-9)


def test_transformers_are_fitted_on_all_training_rows_one_behind_the_other():
    pipe = make_pipeline(
        StandardScaler(), "passthrough", Normalizer(), MinMaxScaler(), mlp()
    )
    model = ChunkedFit(pipe, buffer_rows=500).fit(chunks_of(X, Y, 77))
    train = np.setdiff1d(np.arange(N), model.validation_indices_)
    expected = make_pipeline(StandardScaler(), Normalizer(), MinMaxScaler()).fit(
        X[train]
    )
    np.testing.assert_allclose(
        model.estimator_[:-1].transform(X), expected.transform(X), rtol=1e-4, atol=1e-5
    )


def test_incremental_pca_and_functions_behind_it_are_fitted_too():
    pipe = make_pipeline(
        IncrementalPCA(3), FunctionTransformer(np.tanh), StandardScaler(), mlp()
    )
    model = ChunkedFit(pipe, buffer_rows=500).fit(X, Y)
    assert model.estimator_[0].n_samples_seen_ == N - len(model.validation_indices_)
    assert model.predict(X).shape == (N,)


def test_fitted_transformers_stay_as_they_are():
    pca = FrozenEstimator(PCA(3).fit(X))
    model = ChunkedFit(make_pipeline(pca, mlp()), buffer_rows=500).fit(X, Y)
    assert model.estimator_[1].n_features_in_ == 3


# Tables as they are.


def test_frames_of_text_and_missing_values_are_streamed(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": np.where(rng.random(N) < 0.1, np.nan, X[:, 0]),
            "text": rng.choice(["red", "green", "blue"], N),
            "many": rng.choice([f"v{i}" for i in range(30)], N),
        }
    )
    y = np.where(frame["text"] == "red", "yes", "no")
    frame.assign(y=y).to_parquet(tmp_path / "t.parquet", row_group_size=400)
    network = TabularClassifier(16, n_networks=2, max_epochs=4, random_state=0)
    model = ChunkedFit(network, buffer_rows=600)
    model.fit(tmp_path / "t.parquet", "y")
    assert model.score(tmp_path / "t.parquet", "y") > 0.99
    assert model.classes_.tolist() == ["no", "yes"]
    lazy = pl.scan_parquet(tmp_path / "t.parquet")
    assert_array_equal(model.predict(lazy), model.predict(frame))


# Predictions.


def test_predictions_of_a_source_are_those_of_its_rows(tmp_path):
    frame = pd.DataFrame(X).add_prefix("x").assign(y=Y, w=1.0 + (Y == 0))
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=300)
    model = ChunkedFit(mlp(), buffer_rows=500).fit(tmp_path / "rows.parquet", "y", "w")
    rows = frame.drop(columns=["y", "w"])
    for method in ("predict", "predict_proba", "decision_function"):
        of_source = getattr(model, method)(tmp_path / "rows.parquet")
        np.testing.assert_allclose(
            of_source.astype(float),
            getattr(model, method)(rows).astype(float),
            atol=1e-5,
        )
    score = model.score(tmp_path / "rows.parquet", "y", "w")
    assert score == pytest.approx(model.score(rows, Y, sample_weight=frame["w"]))


def test_a_score_needs_no_weights_where_the_fit_had_a_column_of_them(tmp_path):
    frame = pd.DataFrame(X).add_prefix("x").assign(y=Y, w=1.0 + (Y == 0))
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=300)
    model = ChunkedFit(mlp(max_epochs=1), buffer_rows=500)
    model.fit(tmp_path / "rows.parquet", "y", "w")
    score = model.score(tmp_path / "rows.parquet", "y")
    assert score == pytest.approx(model.score(frame.drop(columns=["y", "w"]), Y))


def test_predicted_spreads_come_from_a_source_too(tmp_path):
    np.save(tmp_path / "X.npy", X)
    network = MLPRegressor((8,), loss="gaussian", max_epochs=2, random_state=0)
    model = ChunkedFit(network, buffer_rows=500).fit(X, REAL)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for of_map, of_rows in zip(
        model.predict(mapped, return_std=True),
        model.predict(X, return_std=True),
        strict=True,
    ):
        np.testing.assert_allclose(of_map, of_rows, rtol=1e-5)


# Errors.


def readers():
    gc.collect()
    return [t for t in threading.enumerate() if t.name == "sklearn-deep-chunks"]


def test_a_generator_is_refused_where_the_buffer_does_not_hold_its_rows():
    model = ChunkedFit(mlp(), buffer_rows=500)
    with pytest.raises(TypeError, match="pass the function that makes the generator"):
        model.fit(chunks_of(X, Y, 100)())
    assert not readers()
    fits = ChunkedFit(mlp()).fit(chunks_of(X, Y, 100)())
    assert_same_network(fits, ChunkedFit(mlp()).fit(X, Y))


@pytest.mark.parametrize("buffer_rows", [500, 10_000])
def test_a_transformer_of_all_rows_is_named_with_what_to_take(buffer_rows):
    pipe = make_pipeline(StandardScaler(), OneHotEncoder(), mlp())
    with pytest.raises(
        InvalidParameterError,
        match=r"'onehotencoder' .* no partial_fit.*TabularClassifier.*FrozenEstimator",
    ):
        ChunkedFit(pipe, buffer_rows=buffer_rows).fit(X, Y)


@pytest.mark.parametrize("params", [{"optimizer": "lbfgs"}, {"batch_size": N}])
def test_steps_of_all_rows_are_refused(params):
    with pytest.raises(
        InvalidParameterError, match="takes all 4000 rows in every step"
    ):
        ChunkedFit(mlp(**params), buffer_rows=500).fit(X, Y)


def test_sparse_chunks_are_refused_where_the_buffer_does_not_hold_them():
    from scipy import sparse

    rows = sparse.csr_array(X)
    with pytest.raises(TypeError, match="cannot be trained on a stream of sparse rows"):
        ChunkedFit(mlp(), buffer_rows=500).fit(chunks_of(rows, Y, 500))
    ChunkedFit(mlp()).fit(chunks_of(rows, Y, 500))


def test_an_error_in_a_later_pass_arrives_and_leaves_the_model_as_it_was():
    n_passes = iter(range(100))

    def chunks():
        failing = next(n_passes) == 3
        for k, chunk in enumerate(chunks_of(X, Y, 100)()):
            if failing and k == 20:
                raise OSError("disk gone")
            yield chunk

    model = ChunkedFit(mlp(), buffer_rows=500)
    with pytest.raises(OSError, match="disk gone"):
        model.fit(chunks)
    assert not hasattr(model, "estimator_")
    assert not readers()


def test_a_later_pass_of_other_rows_is_refused():
    n_passes = iter(range(100))

    def chunks():
        return chunks_of(X[: N - 100 * next(n_passes)], Y, 100)()

    with pytest.raises(ValueError, match="the same rows in every pass"):
        ChunkedFit(mlp(), buffer_rows=500).fit(chunks)


def test_no_thread_outlives_a_fit_that_diverges():
    network = MLPRegressor((16,), learning_rate=1e9, optimizer="sgd", random_state=0)
    with pytest.raises(TrainingDivergedError):
        ChunkedFit(network, buffer_rows=500).fit(X * 1e6, REAL)
    assert not readers()


BAD = {
    "y is missing": (lambda: (X, None), "requires y to be passed"),
    "one class": (lambda: (X, np.zeros(N)), "at least 2 classes"),
    "missing targets": (
        lambda: (X, np.where(np.arange(N) == 2_000, None, Y)),
        r"y\[\d+\] of MLPClassifier is missing",
    ),
    "NaN in a late chunk": (
        lambda: (np.where(np.arange(N)[:, None] == N - 1, np.nan, X), Y),
        "contains NaN",
    ),
    "no rows": (lambda: ((lambda: iter([])), None), "has no rows"),
    "y of another length": (lambda: (X, Y[:-1]), "inconsistent numbers of samples"),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_rows_are_refused_as_by_fit(case):
    make, words = BAD[case]
    with pytest.raises(ValueError, match=words):
        ChunkedFit(mlp(), buffer_rows=500).fit(*make())
    assert not readers()


@pytest.mark.parametrize(
    "params",
    [
        {"estimator": StandardScaler()},
        {"buffer_rows": 0},
        {"shuffle": "all"},
        {"validation_rows": -1},
        {"prefetch": 1.5},
    ],
    ids=str,
)
def test_parameters_are_checked(params):
    model = ChunkedFit(**{"estimator": mlp(), **params})
    with pytest.raises(
        InvalidParameterError, match=f"'{next(iter(params))}' parameter"
    ):
        model.fit(X, Y)


# What it is to others.


def test_it_is_what_it_wraps():
    assert is_classifier(ChunkedFit(mlp()))
    assert is_regressor(ChunkedFit(make_pipeline(StandardScaler(), MLPRegressor())))
    assert not hasattr(ChunkedFit(MLPRegressor()), "predict_proba")


def test_it_stands_in_searches_of_memory_maps_and_frames(tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = ChunkedFit(mlp(), buffer_rows=800)
    search = GridSearchCV(model, {"estimator__learning_rate": [1e-6, 0.01]}, cv=2)
    for rows in (mapped, pd.DataFrame(X).add_prefix("x")):
        assert search.fit(rows, Y).best_params_ == {"estimator__learning_rate": 0.01}
    assert cross_val_score(model, X, Y, cv=2).min() > 0.6


def test_a_search_on_the_stacked_backend_gives_the_same_scores():
    from joblib import parallel_config

    search = GridSearchCV(
        ChunkedFit(mlp(), buffer_rows=800),
        {"estimator__weight_decay": [0.0, 0.1]},
        cv=2,
    )
    alone = clone(search).fit(X, Y).cv_results_["mean_test_score"]
    with parallel_config(backend="stacked"):
        stacked = clone(search).fit(X, Y).cv_results_["mean_test_score"]
    assert_array_equal(alone, stacked)


def test_pickles_files_and_compressions_take_the_fitted_model(tmp_path):
    model = ChunkedFit(mlp(), buffer_rows=800).fit(X, Y)
    expected = model.predict_proba(X)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), expected)
    save(model, tmp_path / "model.skd")
    assert_array_equal(load(tmp_path / "model.skd").predict_proba(X), expected)
    pruned = Pruned(model.estimator_, amount=0.3, prefit=True).fit(X, Y)
    assert pruned.score(X, Y) > 0.6
    tuned = FineTuned(mlp(), FrozenEstimator(model.estimator_)).fit(X, Y)
    assert tuned.score(X, Y) > 0.6


def test_the_whole_pipeline_becomes_one_onnx_file(tmp_path):
    onnx = pytest.importorskip("onnx")
    from sklearn_deep import to_onnx

    pipe = make_pipeline(StandardScaler(), mlp())
    model = ChunkedFit(pipe, buffer_rows=800).fit(X, Y)
    export = to_onnx(model, X[:50], path=tmp_path / "m.onnx")
    assert export is not None
    assert len(onnx.load(tmp_path / "m.onnx").graph.node) > 2


class _Stop(Exception):
    pass


def test_an_interrupted_fit_continues_bit_for_bit(tmp_path):
    network = mlp(max_epochs=6, checkpoint=Checkpoint(tmp_path, every_epochs=1))
    left = [9]

    def chunks():
        left[0] -= 1
        if not left[0]:
            raise _Stop
        return chunks_of(X, Y, 100)()

    model = ChunkedFit(network, buffer_rows=500)
    with pytest.raises(_Stop):
        clone(model).fit(chunks)
    left[0] = 100
    resumed = clone(model).fit(chunks)
    n_passes = 100 - left[0]
    assert n_passes < 2 + 6  # the count, the survey and not all epochs
    whole = ChunkedFit(mlp(max_epochs=6), buffer_rows=500).fit(chunks)
    assert_same_network(resumed, whole)


def test_a_state_of_other_rows_is_not_taken_up(tmp_path):
    network = mlp(max_epochs=2, checkpoint=tmp_path)
    ChunkedFit(network, buffer_rows=500).fit(X, Y)
    other = X.copy()
    other[3_000:, 5] *= -1
    again = ChunkedFit(network, buffer_rows=500).fit(other, Y)
    assert_same_network(
        again, ChunkedFit(mlp(max_epochs=2), buffer_rows=500).fit(other, Y)
    )
