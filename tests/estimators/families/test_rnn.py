"""Recurrent estimators: sequences in every form, tokens, targets of steps."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import torch
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_validate,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import EpochScoring

from sklearn_deep import (
    AutoAugment,
    InvalidParameterError,
    Jitter,
    MagnitudeScaling,
    Mixup,
    Quantized,
    RandAugment,
    RNNClassifier,
    RNNRegressor,
    Sliced,
    TimeShift,
    TimeWarp,
    ValidationHoldout,
    stacking_report,
)
from sklearn_deep.nn._rnn import CELLS, READOUTS

SMALL = {"hidden_size": 8, "max_epochs": 4, "random_state": 0}


def classifier(**params):
    return RNNClassifier(**{**SMALL, **params})


def regressor(**params):
    return RNNRegressor(**{**SMALL, **params})


def objects(items):
    out = np.empty(len(items), object)
    out[:] = items
    return out


@pytest.fixture(scope="module")
def unequal():
    """60 sequences of 3 to 11 steps with two channels; the class is a sum's sign."""
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in rng.integers(3, 12, 60)]
    y = np.array(["down", "up"])[[int(x[:, 0].sum() > 0) for x in X]]
    return X, y


@pytest.fixture(scope="module")
def padded(unequal):
    X, _ = unequal
    lengths = np.array([len(x) for x in X])
    out = np.full((len(X), 14, 2), np.nan)
    for i, x in enumerate(X):
        out[i, : len(x)] = x
    return out, lengths


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    X = ["".join(rng.choice(list("abcd"), n)) for n in rng.integers(2, 9, 60)]
    return X, np.array([text.count("a") > 1 for text in X])


# The forms of X

CONTAINERS = {
    "list": list,
    "object_array": objects,
    "series": pd.Series,
    "frame": lambda items: pd.DataFrame({"x": pd.Series(items)}),
}


@pytest.mark.oldest
@pytest.mark.parametrize("make", CONTAINERS.values(), ids=CONTAINERS)
def test_every_container_gives_the_same_network(make, unequal):
    X, y = unequal
    expected = classifier().fit(X, y).predict_proba(X)
    assert_array_equal(classifier().fit(make(X), y).predict_proba(make(X)), expected)


def test_channels_first_give_the_same_network(unequal):
    X, y = unequal
    turned = [x.T for x in X]
    first = classifier(channels="first").fit(turned, y)
    expected = classifier().fit(X, y).predict_proba(X)
    assert_array_equal(first.predict_proba(turned), expected)
    array = np.array([x[:3] for x in X])
    expected = classifier().fit(array, y).predict_proba(array)
    array = array.transpose(0, 2, 1)
    first.fit(array, y)
    assert_array_equal(first.predict_proba(array), expected)


def test_padded_arrays_with_lengths_give_the_same_network(unequal, padded):
    X, y = unequal
    P, lengths = padded
    net = classifier().fit(P, y, lengths=lengths)
    expected = classifier().fit(X, y)
    for method in ("predict", "predict_proba", "decision_function"):
        ours = getattr(net, method)(P, lengths=lengths)
        assert_array_equal(ours, getattr(expected, method)(X))
    assert net.score(P, y, lengths=lengths) == expected.score(X, y)


def test_a_series_is_of_one_channel(rng):
    X = rng.normal(size=(40, 6))
    y = X.sum(1)
    one = regressor().fit(X, y)
    other = regressor().fit(X[:, :, None], y)
    third = regressor().fit(list(X), y)
    assert_array_equal(one.predict(X), other.predict(X[:, :, None]))
    assert_allclose(one.predict(X), third.predict(list(X)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_do_not_depend_on_neighbours(dtype, unequal):
    X, y = unequal
    net = classifier(dtype=dtype).fit(X, y)
    together = net.predict_proba(X)
    tolerance = {"rtol": 1e-7 if dtype == "float64" else 1e-5}
    assert_allclose(net.predict_proba(X[::-1])[::-1], together, **tolerance)
    alone = np.concatenate([net.predict_proba([x]) for x in X])
    assert_allclose(alone, together, **tolerance)


def test_what_lies_behind_the_end_does_not_matter(unequal, padded):
    P, lengths = padded
    net = classifier().fit(P, unequal[1], lengths=lengths)
    longer = np.concatenate([np.nan_to_num(P), np.ones((60, 30, 2))], 1)
    assert_array_equal(
        net.predict_proba(longer, lengths=lengths),
        net.predict_proba(P, lengths=lengths),
    )


def test_a_network_of_one_length_takes_sequences_of_any(rng):
    X = rng.normal(size=(40, 6))
    net = regressor().fit(X, X.sum(1))
    assert net.n_features_in_ == 6
    assert net.predict([X[0, :3], X[1], np.tile(X[2], 3)]).shape == (3,)
    three_d = regressor().fit(X[:, :, None], X.sum(1))
    assert three_d.predict(X[:, :4, None]).shape == (40,)


def test_after_sequences_there_is_no_number_of_features(unequal, rng):
    X, y = unequal
    net = classifier().fit(rng.normal(size=(60, 4)), y)
    assert hasattr(net, "n_features_in_")
    assert not hasattr(net.fit(X, y), "n_features_in_")


# What scikit-learn does with X


def test_sequences_pass_through_searches_splits_and_pipelines(unequal):
    X, y = unequal
    results = []
    for make in CONTAINERS.values():
        train, test, y_train, y_test = train_test_split(make(X), y, random_state=0)
        pipe = make_pipeline(FunctionTransformer(), classifier())
        grid = {"rnnclassifier__hidden_size": [4, 8]}
        search = GridSearchCV(pipe, grid, cv=2, error_score="raise")
        search.fit(train, y_train)
        held = ValidationHoldout(classifier(), random_state=0).fit(train, y_train)
        results.append(
            np.concatenate(
                [
                    search.predict_proba(test).ravel(),
                    [search.best_score_, search.score(test, y_test)],
                    held.predict_proba(test).ravel(),
                    cross_val_predict(
                        classifier(), make(X), y, cv=2, method="predict_proba"
                    ).ravel(),
                ]
            )
        )
    for other in results[1:]:
        assert_array_equal(other, results[0])


def test_lengths_are_routed(unequal, padded):
    X, y = unequal
    P, lengths = padded
    grid = {"hidden_size": [4, 8]}
    expected = GridSearchCV(classifier(), grid, cv=2).fit(X, y)
    with sklearn.config_context(enable_metadata_routing=True):
        net = classifier()
        for method in ("fit", "score", "predict"):
            getattr(net, f"set_{method}_request")(lengths=True)
        search = GridSearchCV(net, grid, cv=2, error_score="raise")
        search.fit(P, y, lengths=lengths)
        assert search.best_score_ == expected.best_score_
        scores = cross_validate(net, P, y, params={"lengths": lengths}, cv=2)
        pipe = make_pipeline(FunctionTransformer(), net).fit(P, y, lengths=lengths)
        assert pipe.score(P, y, lengths=lengths) == clone(net).fit(X, y).score(X, y)
    assert_array_equal(
        scores["test_score"], cross_validate(classifier(), X, y, cv=2)["test_score"]
    )


@pytest.mark.parametrize(
    "params",
    [{}, {"return_sequences": True}, {"cell": "lstm", "num_layers": 2}],
    ids=str,
)
def test_a_fitted_network_is_pickled(params, unequal):
    X, y = unequal
    y = [np.full(len(x), label) for x, label in zip(X, y, strict=True)]
    y = y if params.get("return_sequences") else [each[0] for each in y]
    net = classifier(**params).fit(X, y)
    again = pickle.loads(pickle.dumps(net))
    for ours, theirs in zip(again.predict_proba(X), net.predict_proba(X), strict=True):
        assert_array_equal(ours, theirs)


# Training


def test_the_same_seed_gives_the_same_bits(unequal):
    X, y = unequal
    net = classifier(num_layers=2, dropout=0.3, batch_size=16)
    one, same = net.fit(X, y).predict_proba(X), clone(net).fit(X, y).predict_proba(X)
    assert_array_equal(one, same)
    assert not np.array_equal(
        one, net.set_params(random_state=1).fit(X, y).predict_proba(X)
    )


@pytest.mark.parametrize(
    "backend",
    ["threading", pytest.param("loky", marks=pytest.mark.slow), "stacked"],
)
def test_a_search_gives_the_same_in_threads_processes_and_stacks(backend, unequal):
    X, y = unequal
    grid = {"hidden_size": [4, 8], "dropout": [0.0, 0.4]}
    alone = GridSearchCV(classifier(), grid, cv=2).fit(X, y)
    with parallel_config(backend=backend, n_jobs=2):
        search = GridSearchCV(classifier(), grid, cv=2).fit(X, y)
    assert_array_equal(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    assert_array_equal(search.predict_proba(X), alone.predict_proba(X))
    if backend == "stacked":
        assert "recurrent layers" in str(stacking_report())


def test_rows_of_weight_zero_are_as_if_removed(unequal):
    X, y = unequal
    weight = np.arange(60.0) % 3
    kept = np.flatnonzero(weight)
    net = classifier(batch_size=16)
    zero = net.fit(X, y, sample_weight=weight).predict_proba(X)
    removed = net.fit([X[i] for i in kept], y[kept], sample_weight=weight[kept])
    assert_array_equal(zero, removed.predict_proba(X))


@pytest.mark.parametrize("by_step", [False, True])
def test_on_full_batches_weights_are_repetition(by_step, unequal, rng):
    X, _ = unequal
    y = objects([np.cumsum(x[:, 0]) for x in X])
    y = y if by_step else np.array([each[-1] for each in y])
    weight = rng.integers(0, 4, 60)
    repeated = np.repeat(np.arange(60), weight)
    rng.shuffle(repeated)
    net = regressor(batch_size=1000, return_sequences=by_step)
    one = net.fit(X, y, sample_weight=weight).predict(X)
    other = net.fit([X[i] for i in repeated], y[repeated]).predict(X)
    for ours, theirs in zip(one, other, strict=True):
        assert_array_equal(ours, theirs)


def test_a_validation_set_may_have_lengths(unequal, padded):
    X, y = unequal
    P, lengths = padded
    params = {"early_stopping": True, "monitor": "accuracy"}
    one = classifier(**params).fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    other = classifier(**params).fit(
        P[:40],
        y[:40],
        X_val=P[40:],
        y_val=y[40:],
        lengths=lengths[:40],
        lengths_val=lengths[40:],
    )
    assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    assert list(one.history_["valid_score"]) == list(other.history_["valid_score"])


def test_a_holdout_splits_the_lengths(unequal, padded):
    X, y = unequal
    P, lengths = padded
    expected = ValidationHoldout(classifier(), random_state=0).fit(X, y)
    ours = ValidationHoldout(classifier(), random_state=0).fit(P, y, lengths=lengths)
    assert_array_equal(ours.predict(P, lengths=lengths), expected.predict(X))
    assert ours.score(P, y, lengths=lengths) == expected.score(X, y)


def test_training_goes_on(unequal, padded):
    X, y = unequal
    P, lengths = padded
    net = classifier()
    for i in range(3):
        net.partial_fit(P, y, lengths=lengths) if i else net.partial_fit(X, y)
    assert net.n_iter_ == 3
    warm = classifier(warm_start=True).fit(X, y)
    before = warm.predict_proba(X)
    assert not np.array_equal(warm.fit(X, y).predict_proba(X), before)
    with pytest.raises(ValueError, match="cell changed"):
        warm.set_params(cell="lstm").fit(X, y)


@pytest.mark.parametrize("optimizer", ["lbfgs", "gd", "momentum"])
def test_every_kind_of_optimizer_trains(optimizer, unequal):
    X, y = unequal
    net = classifier(optimizer=optimizer, learning_rate=0.1, max_epochs=10)
    losses = net.fit(X, y).loss_curve_
    assert losses[-1] < losses[0]


def test_skorch_callbacks_see_sequences(unequal):
    X, y = unequal
    scoring = EpochScoring("accuracy", lower_is_better=False)
    net = classifier(early_stopping=True, callbacks=[scoring]).fit(X, y)
    assert len(net.net_.history[:, "accuracy"]) == 4


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("readout", ["last", "mean", "max", "attention"])
def test_every_cell_and_readout_learns(cell, readout, unequal):
    X, y = unequal
    quick = {"max_epochs": 20, "learning_rate": 0.03, "dropout": 0.0}
    net = classifier(cell=cell, readout=readout, bidirectional=True, **quick)
    assert net.fit(X, y).score(X, y) > 0.9


# Targets of steps


@pytest.fixture(scope="module")
def sums(unequal):
    """The running sum of the first channel, and whether it is positive."""
    X, _ = unequal
    y = objects([np.cumsum(x[:, 0]) for x in X])
    return X, y, objects([np.where(each > 0, "up", "down") for each in y])


def test_every_step_has_a_prediction(sums):
    X, y, labels = sums
    net = regressor(return_sequences=True, max_epochs=30, learning_rate=0.05).fit(X, y)
    predicted = net.predict(X)
    assert [len(each) for each in predicted] == [len(x) for x in X]
    flat = np.concatenate(y), np.concatenate(predicted)
    assert net.score(X, y) == r2_score(*flat) > 0.9
    net = classifier(return_sequences=True, max_epochs=30, learning_rate=0.05)
    net.fit(X, labels)
    flat = np.concatenate(labels), np.concatenate(net.predict(X))
    assert net.score(X, labels) == accuracy_score(*flat) > 0.9
    assert net.predict_proba(X)[0].shape == (len(X[0]), 2)
    assert net.decision_function(X)[0].shape == (len(X[0]),)


def test_an_array_has_predictions_in_its_own_shape(rng):
    X = rng.normal(size=(30, 5, 2))
    Y = X.cumsum(1)
    net = regressor(return_sequences=True).fit(X, Y)
    assert net.predict(X).shape == Y.shape
    assert net.fit(X, Y[:, :, 0]).predict(X).shape == (30, 5)
    assert_allclose(net.predict(list(X))[3], net.predict(X)[3])
    mean, std = net.set_params(loss="gaussian").fit(X, Y[:, :, 0]).predict(X, True)
    assert mean.shape == std.shape == (30, 5)


def test_padded_targets_are_cut_to_the_lengths(sums, padded):
    X, y, _ = sums
    P, lengths = padded
    Y = np.zeros(P.shape[:2])
    for i, each in enumerate(y):
        Y[i, : len(each)] = each
    net = regressor(return_sequences=True)
    ours = net.fit(P, Y, lengths=lengths).predict(P, lengths=lengths)
    score = net.score(P, Y, lengths=lengths)
    theirs = net.fit(X, y).predict(X)
    assert_array_equal(np.concatenate(ours), np.concatenate(theirs))
    assert score == net.score(X, y)


def test_targets_of_steps_pass_through_searches(sums):
    X, y, labels = sums
    for net, targets in ((regressor(), y), (classifier(), labels)):
        net.set_params(return_sequences=True, early_stopping=True)
        grid = {"hidden_size": [4, 8]}
        search = GridSearchCV(net, grid, cv=2, error_score="raise").fit(X, targets)
        assert search.best_score_ == search.cv_results_["mean_test_score"].max()
        predicted = cross_val_predict(net, X, targets, cv=2)
        assert [len(each) for each in predicted] == [len(x) for x in X]


def test_weights_of_rows_are_those_of_their_steps(sums):
    X, _, labels = sums
    weight = np.arange(60.0)
    net = classifier(return_sequences=True, class_weight="balanced", batch_size=16)
    net.fit(X, labels, sample_weight=weight)
    by_step = np.repeat(weight, [len(x) for x in X])
    flat = np.concatenate(labels), np.concatenate(net.predict(X))
    expected = accuracy_score(*flat, sample_weight=by_step)
    assert net.score(X, labels, sample_weight=weight) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y[:-1], "inconsistent numbers of samples"),
        (lambda y: [y[0][:-1], *y[1:]], r"y\[0\] of RNNRegressor has shape"),
        (lambda y: np.zeros((60, 4)), r"must be \(60, time\)"),
        (lambda y: np.zeros(60), r"must be \(60, time\)"),
        (lambda y: [np.full(len(each), np.nan) for each in y], "y contains NaN"),
    ],
)
def test_targets_that_do_not_fit_the_steps_are_named(change, message, sums):
    X, y, _ = sums
    with pytest.raises(ValueError, match=message):
        regressor(return_sequences=True).fit(X, change(list(y)))


# Tokens


@pytest.mark.parametrize(
    "make",
    [
        list,
        np.array,
        objects,
        pd.Series,
        lambda X: [list(text) for text in X],
        lambda X: objects([list(text) for text in X]),
        lambda X: [np.array([ord(c) for c in text]) for text in X],
    ],
    ids=["list", "str_array", "objects", "series", "lists", "object_lists", "integers"],
)
def test_tokens_in_every_form_give_the_same_network(make, texts):
    X, y = texts
    expected = classifier().fit(X, y).predict_proba(X)
    net = classifier(tokens=True).fit(make(X), y)
    assert_array_equal(net.predict_proba(make(X)), expected)
    assert len(net.vocabulary_) == 4


def test_texts_are_learnt(texts):
    X, y = texts
    assert classifier(max_epochs=60, learning_rate=0.02).fit(X, y).score(X, y) > 0.95


def test_words_are_learnt_and_the_rare_ones_share_a_vector():
    X = ["good film", "bad film", "good one", "bad one"] * 10
    y = [1, 0, 1, 0] * 10
    net = classifier(analyzer="word", max_vocabulary=3, max_epochs=40)
    net.fit(X, y)
    assert len(net.vocabulary_) == 3
    assert net.predict(["good thing", "bad idea"]).tolist() == [1, 0]
    unknown = net.predict_proba(["good thing", "good idea"])
    assert_allclose(unknown[0], unknown[1])


def test_a_given_vocabulary_is_used(texts):
    X, y = texts
    net = classifier(vocabulary=["c", "a"]).fit(X, y)
    assert net.vocabulary_.tolist() == ["c", "a"]
    assert_allclose(net.predict_proba(["bab"]), net.predict_proba(["dad"]))


def test_a_vocabulary_makes_integers_tokens():
    X = np.array([[1, 2], [2, 1]] * 8)
    net = classifier(vocabulary=[1, 2]).fit(X, X[:, 0])
    assert net.vocabulary_.tolist() == [1, 2]
    assert classifier().fit(X, X[:, 0]).vocabulary_ is None


def test_the_vocabulary_is_that_of_the_rows_that_count(texts):
    X, y = texts
    weight = np.ones(60)
    weight[0] = 0
    net = classifier().fit(["zzzz", *X[1:]], y, sample_weight=weight)
    assert "z" not in net.vocabulary_


def test_integer_tokens_may_be_padded():
    rng = np.random.default_rng(0)
    X, lengths = rng.integers(0, 5, (30, 7)), rng.integers(1, 8, 30)
    y = X[:, 0] > 2
    items = [x[:n] for x, n in zip(X, lengths, strict=True)]
    net = classifier(tokens=True).fit(X, y, lengths=lengths)
    expected = classifier(tokens=True).fit(items, y).predict_proba(items)
    assert_array_equal(net.predict_proba(X, lengths=lengths), expected)


def test_tokens_pass_through_a_search_with_a_monitor(texts):
    X, y = texts
    net = classifier(early_stopping=True, monitor="roc_auc")
    search = GridSearchCV(net, {"embedding_dim": [4, 8]}, cv=2, error_score="raise")
    assert search.fit(X, y).best_estimator_.history_["valid_score"].notna().all()


# Errors


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([np.ones(3), np.ones((2, 2))] * 4, ValueError, r"X\[1\] .* has 2 channels"),
        ([np.ones(3), np.full(2, np.nan)] * 4, ValueError, r"X\[1\] .* contains NaN"),
        ([[1.0, 2.0], ["a"]] * 4, ValueError, r"X\[1\] .* no number"),
        (np.ones((8, 2, 2, 2)), ValueError, "takes series of shape"),
        (
            ["a", None] * 4,
            ValueError,
            r"X\[1\] of .* is missing \(None\), and so are 3",
        ),
        ([None, "a"] * 4, ValueError, r"X\[0\] of .* is missing \(None\).*: fill it"),
        (pd.Series(["a", np.nan] * 4), ValueError, r"X\[1\] of .* is missing \(nan\)"),
        (pd.Series(["a", pd.NA] * 4, dtype="string"), ValueError, r"missing \(<NA>\)"),
        (pd.DataFrame({"t": [None, "a"] * 4}), ValueError, r"X\[0\] of .* is missing"),
        (pl.Series(["a", None] * 4), ValueError, r"X\[1\] of .* is missing \(None\)"),
        (objects([None, "a"] * 4), ValueError, r"X\[0\] of .* is missing \(None\)"),
        ([np.ones(3), None] * 4, ValueError, r"X\[1\] of .* is missing \(None\)"),
        (
            [None] * 8,
            ValueError,
            r"X\[0\] of .* is missing \(None\), and so are 7 more",
        ),
        (
            [["a"], ["b", None]] * 4,
            ValueError,
            r"X\[1\]\[1\] of .* missing \(None\), an",
        ),
        ([["a", np.nan], ["b"]] * 4, ValueError, r"X\[0\]\[1\] of .* missing \(nan\)"),
        ([[None, "a"], ["b"]] * 4, ValueError, r"X\[0\]\[0\] of .* missing \(None\)"),
        (["", ""] * 4, ValueError, "got empty sequences only"),
        ([np.ones((0, 2))] * 8, ValueError, "got empty sequences only"),
        ([], ValueError, "Found array with 0 sample|minimum of 1|Expected 2D array"),
        (objects([]), ValueError, "Found array with 0 sample|minimum of 1|Expected 2D"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_named(X, error, message):
    with pytest.raises(error, match=message):
        classifier().fit(X, [0, 1] * (len(X) // 2))


def test_text_for_a_network_of_numbers_is_named(texts, unequal):
    net = classifier().fit(*unequal)
    with pytest.raises(ValueError, match="no number"):
        net.predict([["a", "b"]])
    with pytest.raises(ValueError, match="tokens"):
        classifier(tokens=False).fit([list(text) for text in texts[0]], texts[1])


def test_another_number_of_channels_is_named(unequal):
    net = classifier().fit(*unequal)
    for other in ([np.ones((3, 4))], np.ones((1, 3, 4))):
        with pytest.raises(ValueError, match="has 4 channels, but RNNClassifier"):
            net.predict(other)


def test_lengths_that_do_not_fit_are_named(padded, unequal):
    P, lengths = padded
    with pytest.raises(ValueError, match=r"lengths\[0\] of RNNClassifier is 99"):
        classifier().fit(P, unequal[1], lengths=np.where(np.arange(60), lengths, 99))


@pytest.mark.parametrize(
    "params",
    [{"vocabulary": "abc"}, {"dropout": [0.1, 0.2]}, {"readout": "first"}],
    ids=str,
)
def test_parameters_are_checked(params, texts):
    with pytest.raises(InvalidParameterError, match=next(iter(params))):
        classifier(**params).fit(*texts)


@pytest.mark.parametrize(
    "augmentation",
    [
        Jitter(0.1),
        [TimeWarp(), MagnitudeScaling()],
        RandAugment(),
        AutoAugment(2, n_epochs=1),
    ],
    ids=lambda a: type(a).__name__,
)
def test_unequal_sequences_are_augmented_each_over_its_length(augmentation):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in rng.integers(1, 9, 60)]
    y = np.arange(60) % 2
    settings = {"max_epochs": 2, "batch_size": 20, "random_state": 0}
    plain = RNNClassifier(4, **settings).fit(X, y)
    net = RNNClassifier(4, augmentation=augmentation, **settings).fit(X, y)
    same = clone(net).fit(X, y)
    assert_array_equal(net.predict_proba(X), same.predict_proba(X))
    # AutoAugment may find that none is best.
    if not isinstance(augmentation, AutoAugment):
        assert not np.allclose(net.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize(
    ("augmentation", "settings", "words"),
    [
        (Mixup(), {}, r"not mix rows of unequal lengths.*Mixup"),
        (Jitter(), {"tokens": True}, "tokens rows"),
        (TimeShift(), {"return_sequences": True}, "not move.*TimeShift.*Jitter"),
        ([Jitter(), RandAugment()], {"return_sequences": True}, "RandAugment"),
    ],
)
def test_augmentations_that_cannot_be_are_refused_before_training(
    augmentation, settings, words
):
    X = [np.arange(1, n + 1) for n in (3, 5, 4, 2) * 5]
    y = [x % 2 for x in X] if "return_sequences" in settings else np.arange(20) % 2
    net = RNNClassifier(4, augmentation=augmentation, max_epochs=1, **settings)
    with pytest.raises(InvalidParameterError, match=words):
        net.fit(X, y)
    assert not hasattr(net, "module_")


def test_jitter_leaves_every_step_its_target():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=n) for n in rng.integers(2, 9, 60)]
    y = [(x > 0).astype(int) for x in X]
    net = RNNClassifier(
        8,
        return_sequences=True,
        augmentation=Jitter(0.05),
        max_epochs=30,
        learning_rate=0.03,
        random_state=0,
    )
    assert net.fit(X, y).score(X, y) > 0.9


def rows_and_targets(by_step, unequal, sums):
    X, sums_of_steps, _ = sums
    return X, sums_of_steps if by_step else np.array([len(x) for x in X], float)


BAD_WEIGHTS = {
    "text": ("a", "one number per row"),
    "too few": ([1.0], r"must have shape \(\d+,\)"),
    "None in each row": (lambda n: [None] * n, "contains NaN"),
    "weights of steps": (
        lambda n: [np.ones(2), np.ones(3)] * (n // 2),
        "one number per row",
    ),
    "negative": (lambda n: -np.ones(n), "must not be negative"),
}


@pytest.mark.parametrize(("weight", "words"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
@pytest.mark.parametrize("by_step", [False, True])
def test_a_score_names_weights_that_it_cannot_use(
    weight, words, by_step, unequal, sums
):
    X, y = rows_and_targets(by_step, unequal, sums)
    network = regressor(return_sequences=by_step).fit(X, y)
    weight = weight(len(X)) if callable(weight) else weight
    with pytest.raises(ValueError, match=words):
        network.score(X, y, sample_weight=weight)


@pytest.mark.parametrize("by_step", [False, True])
def test_one_weight_for_all_rows_scores_as_none(by_step, unequal, sums):
    X, y = rows_and_targets(by_step, unequal, sums)
    network = regressor(return_sequences=by_step).fit(X, y)
    assert network.score(X, y, sample_weight=2.0) == pytest.approx(network.score(X, y))
    assert network.score(X, y, sample_weight=None) == network.score(X, y)


@pytest.mark.parametrize("by_step", [False, True])
def test_a_score_without_targets_says_so(by_step, unequal, sums):
    X, y = rows_and_targets(by_step, unequal, sums)
    network = regressor(return_sequences=by_step).fit(X, y)
    with pytest.raises(ValueError, match=r"RNNRegressor\.score needs y"):
        network.score(X, None)


def test_targets_of_steps_that_are_no_sequences_are_refused(sums):
    X, y, _ = sums
    network = regressor(return_sequences=True).fit(X, y)
    with pytest.raises(TypeError, match="one sequence of targets per row; got 3"):
        network.score(X, 3)


def test_a_missing_label_of_a_step_is_named(unequal):
    X, _ = unequal
    y = [["a"] * len(row) for row in X]
    y[2][1] = None
    with pytest.raises(ValueError, match=r"y\[2\]\[1\] of RNNClassifier is missing"):
        classifier(return_sequences=True).fit(X, y)


@pytest.mark.parametrize(
    "vocabulary", [["a", None], [], [b"a"], [["a"]], [np.nan], [2**70], [True, False]]
)
def test_a_vocabulary_of_odd_tokens_is_refused(vocabulary, texts):
    X, y = texts
    with pytest.raises(TypeError, match="must hold strings, or integers of 64 bits"):
        classifier(vocabulary=vocabulary).fit(X, y)


def test_tokens_beyond_64_bits_are_refused_and_not_taken_for_others():
    X = np.array([[1, 2], [2, 1]] * 10, np.uint64)
    network = classifier(tokens=True).fit(X, np.arange(20) % 2)
    with pytest.raises(TypeError, match=rf"the token {2**64 - 1}.*below 2\*\*63"):
        network.predict(np.array([[1, 2**64 - 1]], np.uint64))


def test_text_for_a_network_of_numbers_is_refused_in_words(unequal):
    X, y = unequal
    network = classifier().fit(X, y)
    with pytest.raises(ValueError, match=r"no number: text\. Text is tokens"):
        network.predict(["ab", "a"])


# Rows without a step

WITH_EMPTY = {
    "numbers": [
        np.random.default_rng(i).normal(size=(n, 2))
        for i, n in enumerate([3, 0, 5, 1, 0, 2] * 4)
    ],
    "texts": ["ab c", "", "bca d", "  ", "c", ""] * 4,
    "words": [["a", "b"], [], ["c"], ["a", "a", "d"], [], ["b"]] * 4,
    "integers": [[1, 2], [], [3, 1, 1], [2], [], [3]] * 4,
}
OF_EMPTY = np.array([0, 1, 1, 0, 1, 0] * 4)
NOTHING = {"numbers": np.ones((0, 2)), "texts": "", "words": [], "integers": []}


def lengths_of(X):
    return np.array([len(x.split()) if isinstance(x, str) else len(x) for x in X])


@pytest.mark.parametrize("kind", WITH_EMPTY)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_an_empty_row_gives_what_the_output_makes_of_zeros(
    kind, readout, cell, bidirectional
):
    X = WITH_EMPTY[kind]
    net = classifier(
        readout=readout,
        cell=cell,
        bidirectional=bidirectional,
        analyzer="word",
        num_layers=2,
        max_epochs=2,
    ).fit(X, OF_EMPTY)
    bias = net.module_.output.bias.item()
    p = net.predict_proba(X)
    assert_allclose(p[lengths_of(X) == 0, 1], 1 / (1 + np.exp(-bias)), rtol=1e-6)
    for rows in (1, 3):  # alone, and in a batch of its like
        alone = net.predict_proba([NOTHING[kind]] * rows)
        assert_allclose(alone[:, 1], 1 / (1 + np.exp(-bias)), rtol=1e-6)


@pytest.mark.parametrize("kind", WITH_EMPTY)
@pytest.mark.parametrize("readout", READOUTS)
def test_empty_rows_change_nothing_for_the_others(kind, readout):
    X = WITH_EMPTY[kind]
    net = classifier(readout=readout, bidirectional=True, analyzer="word")
    net.fit(X, OF_EMPTY)
    filled = np.flatnonzero(lengths_of(X))
    expected = net.predict_proba([X[i] for i in filled])
    assert_allclose(net.predict_proba(X)[filled], expected, atol=1e-6)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_batches_of_empty_rows_alone_train_the_output_only(readout, dtype):
    X = [np.ones((3, 1)), *[np.ones((0, 1))] * 9]
    net = regressor(readout=readout, batch_size=2, max_epochs=30, dtype=dtype)
    net.fit(X, [5.0, *[1.0] * 9])
    assert all(torch.isfinite(p).all() for p in net.module_.parameters())
    assert net.predict(X[1:2])[0] == pytest.approx(1, abs=0.5)


def test_an_empty_row_has_no_steps_to_predict():
    X = WITH_EMPTY["numbers"]
    y = [x[:, 0] for x in X]
    net = regressor(return_sequences=True).fit(X, y)
    assert [len(row) for row in net.predict(X)] == [len(x) for x in X]
    assert [row.shape for row in net.predict(X[1:2] * 2)] == [(0,), (0,)]
    filled = [i for i, x in enumerate(X) if len(x)]
    without = clone(net).fit([X[i] for i in filled], [y[i] for i in filled])
    for row, i in zip(without.predict([X[i] for i in filled]), filled, strict=True):
        assert_allclose(net.predict(X)[i], row, rtol=1e-6)
    steps = np.concatenate(y)
    assert net.score(X, y) == pytest.approx(
        r2_score(steps, np.concatenate(list(net.predict(X))))
    )


def test_rows_and_steps_of_one_number_are_told_apart():
    X = [np.ones((0, 1)), np.array([[1.0], [2.0]]), np.array([[3.0]]), np.ones((1, 1))]
    net = regressor(return_sequences=True).fit(X, [[], [1.0, 2.0], [3.0], [1.0]])
    alone = [net.predict([x])[0] for x in X]
    for row, expected in zip(net.predict(X), alone, strict=True):
        assert_allclose(row, expected, rtol=1e-6)


def test_lengths_of_zero_are_empty_rows(padded, unequal):
    (X, lengths), (_, y) = padded, unequal
    lengths = lengths.copy()
    lengths[[1, 4]] = 0
    rows = [x[:n] for x, n in zip(X, lengths, strict=True)]
    net = classifier().fit(X, y, lengths=lengths, X_val=X, y_val=y, lengths_val=lengths)
    expected = clone(net).fit(rows, y, X_val=rows, y_val=y)
    assert_allclose(
        net.predict_proba(X, lengths=lengths), expected.predict_proba(rows), rtol=1e-6
    )
    nothing = net.predict_proba(X[:2], lengths=[0, 0])
    assert_allclose(nothing, net.predict_proba(rows[1:2] * 2), rtol=1e-6)


@pytest.mark.parametrize("kind", ["numbers", "integers"])
def test_equal_rows_of_full_batches_are_merged_with_empty_ones_among_them(kind):
    X = WITH_EMPTY[kind]
    tokens = None if kind == "numbers" else [1, 2, 3]
    net = classifier(batch_size=1000, dtype="float64", vocabulary=tokens)
    weight = np.arange(len(X)) % 3
    repeated = [x for x, w in zip(X, weight, strict=True) for _ in range(w)]
    net.fit(X, OF_EMPTY, sample_weight=weight)
    other = clone(net).fit(repeated, np.repeat(OF_EMPTY, weight))
    assert_allclose(net.predict_proba(X), other.predict_proba(X), rtol=1e-7)


def test_empty_rows_pass_through_searches_validation_parts_and_augmentation():
    X = WITH_EMPTY["numbers"]
    net = classifier(early_stopping=True, validation_fraction=0.3)
    net.set_params(augmentation=[Jitter(0.1), TimeShift(0.2), TimeWarp(0.2)])
    with parallel_config(backend="stacked"):
        search = GridSearchCV(net, {"readout": list(READOUTS)}, cv=2, n_jobs=2)
        search.fit(X, OF_EMPTY)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert np.isfinite(search.predict_proba(X[1:2])).all()


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("readout", READOUTS)
def test_compressed_networks_take_empty_rows(bits, readout):
    X = WITH_EMPTY["texts"]
    net = classifier(readout=readout, bidirectional=True).fit(X, OF_EMPTY)
    whole = Quantized(net, bits, prefit=True).fit(X, OF_EMPTY)
    expected = net.predict_proba([""])
    assert_allclose(whole.predict_proba(["", ""]), np.repeat(expected, 2, 0), atol=0.1)
    small = Sliced(net, 0.5, prefit=True, fine_tune_epochs=1).fit(X, OF_EMPTY)
    assert np.isfinite(small.predict_proba([""])).all()
