"""SemiSupervised: what it learns from, and what its guard lets through."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    CNNClassifier,
    LabelledOnly,
    MLPClassifier,
    NegativeTransferError,
    NegativeTransferWarning,
    RNNClassifier,
    SemiSupervised,
    SklearnDeepWarning,
    TabularClassifier,
    load,
    save,
    to_onnx,
)

METHODS = ["pretrain", "pseudo_label", "fixmatch", "mean_teacher"]
X, Y = load_digits(return_X_y=True)
X, Y = X[:400] / 16, Y[:400]
LABELLED = np.arange(400) < 80
FEW = np.where(LABELLED, Y, -1)
GUARD = "sklearn_deep.transfer.semi_supervised._semi_supervised.cross_validated"


def network(**params):
    params = {"max_epochs": 15, "learning_rate": 0.01, "random_state": 0, **params}
    return MLPClassifier((32,), early_stopping=False, **params)


def scored(monkeypatch, labels_only, semi):
    monkeypatch.setattr(GUARD, lambda *args: (labels_only, semi))


@pytest.mark.parametrize("method", METHODS)
def test_a_method_learns_from_rows_without_a_label(method):
    long = network(max_epochs=60, weight_decay=0.1)
    model = SemiSupervised(long, method=method, guard=None).fit(X, FEW)
    labels_only = clone(long).fit(X[LABELLED], Y[LABELLED])
    assert model.chosen_ == method
    assert np.abs(model.predict_proba(X) - labels_only.predict_proba(X)).max() > 0.05
    assert model.score(X[~LABELLED], Y[~LABELLED]) > 0.65


def test_few_labels_do_not_raise_the_decay_of_a_method():
    plain = network(max_epochs=60)
    usual = clone(plain).set_params(weight_decay=0.1)
    pseudo = [
        SemiSupervised(each, method="pseudo_label", guard=None).fit(X, FEW)
        for each in (plain, usual)
    ]
    one, other = (model.predict_proba(X) for model in pseudo)
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("method", METHODS)
def test_two_fits_give_the_same_network(method):
    model = SemiSupervised(network(max_epochs=3), method=method, guard=None)
    first, again = (clone(model).fit(X, FEW).predict_proba(X) for _ in range(2))
    assert_array_equal(first, again)


@pytest.mark.parametrize("method", METHODS)
def test_two_classes_have_one_output_in_every_method(method):
    y = np.where(LABELLED, Y % 2, -1)
    model = SemiSupervised(network(), method=method, guard=None).fit(X, y)
    assert model.predict_proba(X).shape == (400, 2)
    assert model.score(X[~LABELLED], Y[~LABELLED] % 2) > 0.7


@pytest.mark.parametrize("method", METHODS)
def test_images_are_learnt_from_in_every_method(method):
    images = X.reshape(-1, 8, 8, 1).astype("float32")
    net = CNNClassifier((4,), max_epochs=2, random_state=0, early_stopping=False)
    model = SemiSupervised(net, method=method, guard=None, pretrain_epochs=1)
    model.set_params(strong_augmentation="auto", rounds=1, threshold=0.2)
    assert model.fit(images, FEW).predict(images).shape == (400,)


@pytest.mark.parametrize("y", [
    FEW,
    FEW.astype(float),
    np.where(LABELLED, Y, np.nan),
    [int(v) if has else None for v, has in zip(Y, LABELLED, strict=True)],
    pd.Series(Y).where(LABELLED).astype("Int64"),
])  # fmt: skip
def test_minus_one_none_and_nan_are_no_labels(y):
    model = SemiSupervised(network(max_epochs=2), guard=None, pretrain_epochs=1)
    model.fit(X, y)
    assert_array_equal(model.classes_, np.arange(10))
    assert_array_equal(model.transduction_[LABELLED], Y[LABELLED])
    assert_array_equal(model.transduction_[~LABELLED], model.predict(X[~LABELLED]))


def test_texts_are_labels_beside_none():
    names = np.array([f"digit {v}" for v in Y], object)
    names[~LABELLED] = None
    model = SemiSupervised(network(max_epochs=2), guard=None, method="pseudo_label")
    model.fit(X, names)
    assert len(model.classes_) == 10
    assert set(model.transduction_) <= set(model.classes_)


def test_two_labels_of_which_one_is_unlabelled_are_an_error_with_the_fix():
    y = np.where(Y % 2, 1, -1)
    with pytest.raises(ValueError, match="unlabelled=None"):
        SemiSupervised(network()).fit(X, y)
    model = SemiSupervised(network(max_epochs=2), unlabelled=None).fit(X, y)
    assert_array_equal(model.classes_, [-1, 1])


def test_no_labels_are_an_error():
    with pytest.raises(ValueError, match="no row of y has one"):
        SemiSupervised(network()).fit(X, np.full(400, -1))


def test_complete_labels_train_the_network_as_it_is():
    model = SemiSupervised(network(max_epochs=2)).fit(X, Y)
    plain = network(max_epochs=2).fit(X, Y)
    assert model.chosen_ == "labels_only"
    assert model.scores_ == {}
    assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_the_guard_falls_back_to_labels_only(monkeypatch):
    scored(monkeypatch, 0.9, 0.8)
    model = SemiSupervised(network(max_epochs=2)).fit(X, FEW)
    plain = network(max_epochs=2).fit(X[LABELLED], Y[LABELLED])
    assert model.chosen_ == "labels_only"
    assert model.scores_ == {"labels_only": 0.9, "pretrain": 0.8}
    assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_the_guard_warns_or_raises_instead(monkeypatch):
    scored(monkeypatch, 0.9, 0.8)
    model = SemiSupervised(network(max_epochs=2), pretrain_epochs=1)
    with pytest.warns(NegativeTransferWarning, match=r"scores 0\.8.*0\.9"):
        model.set_params(guard="warn").fit(X, FEW)
    assert model.chosen_ == "pretrain"
    with pytest.raises(NegativeTransferError, match="fall_back"):
        model.set_params(guard="raise").fit(X, FEW)


def test_the_guard_scores_both_on_labelled_rows():
    model = SemiSupervised(network(max_epochs=5), n_folds=2).fit(X, FEW)
    assert set(model.scores_) == {"labels_only", "pretrain"}
    better = model.scores_["pretrain"] >= model.scores_["labels_only"]
    assert model.chosen_ == ("pretrain" if better else "labels_only")


def test_one_label_a_class_cannot_be_compared_and_is_warned_of():
    rows = [np.flatnonzero(k == Y)[0] for k in range(10)]
    y = np.full(400, -1)
    y[rows] = Y[rows]
    with pytest.warns(NegativeTransferWarning, match="too few rows"):
        SemiSupervised(network(max_epochs=2), pretrain_epochs=1).fit(X, y)


def test_a_family_that_a_method_cannot_train_is_named():
    with pytest.raises(TypeError, match=r"MLPClassifier, CNNClassifier.*Tabular"):
        SemiSupervised(TabularClassifier()).fit(X, FEW)
    with pytest.raises(TypeError, match="pseudo_label"):
        SemiSupervised(TabularClassifier(), method="fixmatch").fit(X, FEW)


def test_other_families_learn_by_pseudo_labels():
    table = TabularClassifier(n_networks=2, hidden_layer_sizes=8, max_epochs=2)
    series = RNNClassifier(hidden_size=4, max_epochs=1, random_state=0)
    for net in (table, series):
        model = SemiSupervised(net, method="pseudo_label", guard=None, threshold=0.0)
        model.set_params(rounds=1).fit(X, FEW)
        assert model.chosen_ == "pseudo_label"


@pytest.mark.parametrize("method", ["fixmatch", "mean_teacher"])
def test_series_are_learnt_from_step_by_step(method):
    net = RNNClassifier(hidden_size=4, max_epochs=1, random_state=0)
    model = SemiSupervised(net, method=method, guard=None).fit(X[:, :, None], FEW)
    assert model.predict(X[:, :, None]).shape == (400,)


def test_weights_of_zero_remove_rows():
    weight = np.ones(400)
    weight[300:] = 0
    model = SemiSupervised(network(max_epochs=2), guard=None, pretrain_epochs=2)
    weighted = clone(model).fit(X, FEW, sample_weight=weight)
    fewer = clone(model).fit(X[:300], FEW[:300])
    np.testing.assert_allclose(
        weighted.predict_proba(X), fewer.predict_proba(X), atol=1e-6
    )


def test_scores_of_rows_without_a_label_are_warned_of():
    model = SemiSupervised(network(max_epochs=2), guard=None, pretrain_epochs=1)
    with pytest.warns(SklearnDeepWarning, match=r"320 rows.*LabelledOnly"):
        model.fit(X, FEW).score(X, FEW)


def test_it_is_searched_over_in_a_pipeline_and_by_labelled_rows():
    model = SemiSupervised(network(max_epochs=2), guard=None, pretrain_epochs=1)
    pipe = make_pipeline(StandardScaler(), model)
    grid = {
        "semisupervised__method": ["pretrain", "pseudo_label"],
        "semisupervised__estimator__learning_rate": [0.01],
    }
    search = GridSearchCV(pipe, grid, cv=LabelledOnly(2)).fit(X, FEW)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("method", METHODS)
def test_pickles_and_files_give_the_same_predictions(method, tmp_path):
    model = SemiSupervised(network(max_epochs=2), method=method, guard=None)
    model.fit(X, FEW)
    save(model, tmp_path / "model.skd")
    for copy in (pickle.loads(pickle.dumps(model)), load(tmp_path / "model.skd")):
        assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
        assert_array_equal(copy.transduction_, model.transduction_)


@pytest.mark.parametrize("method", METHODS)
def test_it_is_exported_as_its_network(method):
    model = SemiSupervised(network(max_epochs=2), method=method, guard=None)
    export = to_onnx(model.fit(X, FEW), X[:5])
    assert export is not None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint64])
def test_minus_one_that_became_an_unsigned_number_is_an_error(dtype):
    largest = np.iinfo(dtype).max
    with pytest.raises(ValueError, match=f"has no -1.*unlabelled={largest}"):
        SemiSupervised(network()).fit(X, FEW.astype(dtype))
    same = SemiSupervised(network(max_epochs=1), guard=None, pretrain_epochs=1)
    same.set_params(unlabelled=int(largest)).fit(X, FEW.astype(dtype))
    assert same.classes_.tolist() == list(range(10))


def test_a_function_of_the_user_scores_without_weights():
    def errors(model, X, y):
        return -np.sum(model.predict(X) != y)

    model = SemiSupervised(network(max_epochs=1), scoring=errors, pretrain_epochs=1)
    model.fit(X, FEW, sample_weight=np.ones(400))
    assert set(model.scores_) == {"labels_only", "pretrain"}


def test_a_search_by_labelled_rows_is_read_from_its_file(tmp_path):
    pytest.importorskip("skops")
    model = SemiSupervised(network(max_epochs=1), guard=None, pretrain_epochs=1)
    grid = {"layer_decay": [0.5, 1.0]}
    search = GridSearchCV(model, grid, cv=LabelledOnly(2)).fit(X, FEW)
    save(search, tmp_path / "search.skd")
    again = load(tmp_path / "search.skd")
    assert_array_equal(again.predict_proba(X), search.predict_proba(X))
