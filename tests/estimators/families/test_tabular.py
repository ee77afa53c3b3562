"""Ensembles for tables: frames as they are, folds that are left out, stacks."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from library_rounding import rounds_alike
from sklearn_deep import (
    InvalidParameterError,
    TabularClassifier,
    TabularRegressor,
    ValidationHoldout,
    stacking_report,
)
from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.exceptions import FitWarning

N_ROWS = 240
needs_equal_rounding = pytest.mark.skipif(
    not rounds_alike(), reason="the library rounds one product otherwise than many"
)
SMALL = {"n_networks": 2, "hidden_layer_sizes": 16, "random_state": 0}
QUICK = {**SMALL, "max_epochs": 3}
LEARNS = {**SMALL, "max_epochs": 60}


def make_frame(n_rows=N_ROWS, seed=0):
    """Numbers, text, categories, booleans and dates, with missing values in most."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n_rows).astype(float),
            "town": rng.choice(["Bonn", "Ulm", "Trier"], n_rows),
            "shop": rng.choice([f"shop {i}" for i in range(20)], n_rows),
            "member": rng.random(n_rows) > 0.5,
            "since": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 1500, n_rows), unit="D"),
            "grade": pd.Categorical(rng.choice(["low", "high"], n_rows)),
            "visits": rng.poisson(3, n_rows),
        }
    )
    frame.loc[::9, "age"] = np.nan
    frame.loc[::11, "town"] = None
    frame.loc[::13, "since"] = pd.NaT
    frame.loc[::7, "grade"] = np.nan
    return frame


def told_by(frame):
    """A label and a number that every kind of column has a part in."""
    score = (
        (frame["age"].fillna(50) - 50) / 20
        + 1.5 * (frame["town"] == "Bonn")
        - 1.5 * frame["member"]
        + (frame["grade"] == "high")
        + frame["shop"].str.endswith("1")
    ).to_numpy(float)
    return np.where(score > 0.3, "yes", "no"), 10 + 5 * score


FRAME = make_frame()
LABELS, NUMBERS = told_by(FRAME)
MATRIX = np.random.default_rng(1).normal(size=(N_ROWS, 4))


# Frames as they are


def test_a_frame_of_all_kinds_with_missing_values_is_learnt_without_preprocessing():
    later = make_frame(seed=1)
    labels, numbers = told_by(later)
    model = TabularClassifier(**LEARNS).fit(FRAME, LABELS)
    assert model.score(later, labels) > 0.85
    regressor = TabularRegressor(**LEARNS).fit(FRAME, NUMBERS)
    assert regressor.score(later, numbers) > 0.7


def test_polars_and_pandas_frames_give_the_same_network():
    frame = FRAME.drop(columns="grade")
    columns = {
        name: [None if pd.isna(value) else value for value in column]
        for name, column in frame.items()
    }
    twin = pl.DataFrame(columns)
    of_pandas = TabularClassifier(**QUICK).fit(frame, LABELS)
    of_polars = TabularClassifier(**QUICK).fit(twin, LABELS)
    assert_array_equal(of_polars.predict_proba(twin), of_pandas.predict_proba(frame))


@pytest.mark.parametrize("given", [["visits"], [6], np.arange(7) == 6])
def test_categorical_features_are_names_places_or_a_mask(given):
    frame = FRAME.assign(town=1.0, shop=2.0, grade=0.5)
    model = TabularClassifier(categorical_features=given, **QUICK).fit(frame, LABELS)
    assert_array_equal(model.is_categorical_, np.arange(7) == 6)


def test_from_dtype_takes_text_categories_and_booleans():
    model = TabularClassifier(**QUICK).fit(FRAME, LABELS)
    names = FRAME.columns[model.is_categorical_]
    assert set(names) == {"town", "shop", "member", "grade"}
    assert_array_equal(model.feature_names_in_, FRAME.columns)


def test_small_categories_are_one_hot_and_large_ones_are_embedded():
    embedded = TabularClassifier(max_one_hot=3, category_embedding=5, **QUICK)
    columns = embedded.fit(FRAME, LABELS).module_.networks[0].columns
    assert columns.categories.weight.shape == (21, 5)  # 20 shops, and one for others
    one_hot = TabularClassifier(max_one_hot=20, **QUICK).fit(FRAME, LABELS)
    assert one_hot.module_.networks[0].columns.categories is None


def test_unseen_and_missing_categories_are_predicted():
    model = TabularClassifier(**QUICK).fit(FRAME, LABELS)
    later = FRAME[:4].astype({"grade": object})
    later.loc[0, "town"], later.loc[1, "shop"], later.loc[2, "grade"] = (
        "Rome",
        None,
        "?",
    )
    proba = model.predict_proba(later)
    assert np.isfinite(proba).all()
    # An unseen one is like a missing one.
    later.loc[0, "town"] = None
    assert_array_equal(model.predict_proba(later), proba)


def test_columns_in_another_order_or_of_another_kind_are_refused():
    model = TabularClassifier(**QUICK).fit(FRAME, LABELS)
    with pytest.raises(ValueError, match="same order"):
        model.predict(FRAME[FRAME.columns[::-1]])
    with pytest.raises(ValueError, match=r"column 'age' .* numbers in fit .* text now"):
        model.predict(FRAME.astype({"age": str}))
    with pytest.raises(ValueError, match="missing"):
        model.predict(FRAME.drop(columns="age"))


def test_text_that_is_no_category_sparse_rows_and_infinity_are_refused():
    with pytest.raises(ValueError, match=r"'town' .* not among categorical_features"):
        TabularClassifier(categorical_features=["shop"], **QUICK).fit(FRAME, LABELS)
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        TabularClassifier(**QUICK).fit(sp.csr_matrix(MATRIX), LABELS)
    frame = FRAME.copy()
    frame.loc[3, "age"] = np.inf
    with pytest.raises(ValueError, match=r"column 'age' .* infinity in row 3"):
        TabularClassifier(**QUICK).fit(frame, LABELS)


def test_rows_held_out_or_without_weight_teach_no_scale_and_no_category():
    frame = FRAME[["age", "town"]].copy()
    frame.loc[200:, "age"] *= 1000
    frame.loc[200:, "town"] = "Rome"
    weight = np.where(frame.index < 200, 1.0, 0.0)
    by_weight = TabularClassifier(**QUICK).fit(frame, LABELS, sample_weight=weight)
    alone = TabularClassifier(**QUICK).fit(frame[:200], LABELS[:200])
    given = TabularClassifier(**QUICK).fit(
        frame[:200], LABELS[:200], X_val=frame[200:], y_val=LABELS[200:]
    )
    encodings = [fitted_of(m).features.encoding for m in (by_weight, alone, given)]
    assert encodings[0] == encodings[1] == encodings[2]
    assert encodings[0].columns[1].categories.values == ("Bonn", "Trier", "Ulm")


def test_a_validation_share_teaches_no_scale():
    model = TabularClassifier(validation=0.25, **QUICK).fit(MATRIX, LABELS)
    job = prepare(model, FitArguments(MATRIX, LABELS)).job
    assert len(job.validation) == N_ROWS // 4
    seen = MATRIX[job.rows.index.numpy()]
    center = [c.scaling.center for c in fitted_of(model).features.encoding.columns]
    assert_allclose(center, seen.mean(0), rtol=1e-9)
    assert not np.allclose(center, MATRIX.mean(0))


def test_dates_count_by_their_calendar():
    days = pd.date_range("2023-01-01", periods=400, freq="D")
    y = np.where(days.day_of_week >= 5, "weekend", "week")
    model = TabularClassifier(**LEARNS).fit(pd.DataFrame({"day": days}), y)
    later = pd.date_range("2024-02-01", periods=60, freq="D")
    expected = np.where(later.day_of_week >= 5, "weekend", "week")
    assert (model.predict(pd.DataFrame({"day": later})) == expected).mean() > 0.9


def test_a_pipeline_may_stand_before_it():
    model = make_pipeline(FunctionTransformer(), TabularClassifier(**QUICK))
    direct = TabularClassifier(**QUICK).fit(FRAME, LABELS).predict_proba(FRAME)
    assert_array_equal(model.fit(FRAME, LABELS).predict_proba(FRAME), direct)


# Targets and losses


def test_probabilities_are_the_mean_of_those_of_the_networks():
    for y in (LABELS, np.where(FRAME["town"] == "Ulm", "maybe", LABELS)):
        model = TabularClassifier(dtype="float64", **QUICK).fit(MATRIX, y)
        x = torch.as_tensor(np.asarray(fitted_of(model).encode(MATRIX)))
        with torch.no_grad():
            raw = torch.stack([network(x) for network in model.module_.networks])
        p = torch.softmax(raw, -1) if raw.shape[-1] > 1 else torch.sigmoid(raw)
        expected = p.mean(0).numpy()
        found = model.predict_proba(MATRIX)[:, -expected.shape[1] :]
        assert_allclose(found, expected, rtol=1e-10)


def test_multilabel_and_several_targets_are_learnt():
    labels = np.column_stack([MATRIX[:, 0] > 0, MATRIX[:, 1] > 0]).astype(int)
    model = TabularClassifier(**LEARNS).fit(MATRIX, labels)
    assert model.predict(MATRIX).shape == labels.shape
    assert (model.predict(MATRIX) == labels).mean() > 0.95
    targets = MATRIX[:, :2] @ [[1.0, 5.0], [-1.0, 2.0]]
    regressor = TabularRegressor(**LEARNS).fit(MATRIX, targets)
    assert regressor.score(MATRIX, targets) > 0.95


@pytest.mark.parametrize("loss", ["brier", "focal"])
def test_classifier_losses_learn(loss):
    model = TabularClassifier(loss=loss, **LEARNS).fit(FRAME, LABELS)
    assert model.score(FRAME, LABELS) > 0.9


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "poisson", "quantile"])
def test_regressor_losses_learn(loss):
    y = NUMBERS - NUMBERS.min()
    model = TabularRegressor(loss=loss, **LEARNS).fit(FRAME, y)
    assert model.score(FRAME, y) > 0.7


def noisy(n_rows, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3))
    spread = np.where(X[:, 0] > 0, 2.0, 0.5)
    return X, X[:, 1] + spread * rng.normal(size=n_rows)


def test_gaussian_spreads_are_calibrated_by_the_rows_that_networks_left_out():
    X, y = noisy(600, 0)
    model = TabularRegressor(loss="gaussian", **LEARNS).fit(X, y)
    assert fitted_of(model).loss.calibration is not None
    later, y = noisy(600, 1)
    mean, std = model.predict(later, return_std=True)
    assert 0.8 < np.mean(((y - mean) / std) ** 2) < 1.3
    assert np.median(std[later[:, 0] > 0]) > 2 * np.median(std[later[:, 0] < 0])


def test_few_rows_correct_no_spread():
    model = TabularRegressor(loss="gaussian", **QUICK)
    few, enough = (
        model.fit(MATRIX[:n], NUMBERS[:n]) and fitted_of(model) for n in (12, 80)
    )
    assert few.loss.calibration is None
    assert enough.loss.calibration is not None


def test_several_quantiles_have_their_shares_below_them():
    X, y = noisy(600, 0)
    quantile = {"quantile": [0.1, 0.5, 0.9]}
    model = TabularRegressor(loss="quantile", loss_params=quantile, **LEARNS).fit(X, y)
    later, y = noisy(600, 1)
    below = (y[:, None] <= model.predict(later)).mean(0)
    assert_allclose(below, [0.1, 0.5, 0.9], atol=0.08)


def test_class_weights_move_the_probabilities():
    rare = np.where(MATRIX[:, 0] > 1.3, "rare", "common")
    plain = TabularClassifier(**QUICK).fit(MATRIX[:, 1:], rare)
    balanced = TabularClassifier(class_weight="balanced", **QUICK).fit(
        MATRIX[:, 1:], rare
    )
    means = [m.predict_proba(MATRIX[:, 1:])[:, 1].mean() for m in (plain, balanced)]
    assert means[1] > means[0] + 0.1


# Networks, folds and epochs


def job_of(model, X=MATRIX, y=LABELS, **given):
    return prepare(model, FitArguments(X, y, **given)).job


def test_each_network_leaves_out_another_fold_and_together_they_miss_no_row():
    job = job_of(TabularClassifier(n_networks=3, random_state=0))
    left_out = [net.left_out.index.numpy() for net in job.networks]
    for net, rows in zip(job.networks, left_out, strict=True):
        assert len(rows) == N_ROWS // 10
        assert set(rows) | set(net.rows.index.numpy()) == set(range(N_ROWS))
        assert not set(rows) & set(net.rows.index.numpy())
    assert len(set(np.concatenate(left_out))) == sum(map(len, left_out))
    many = job_of(TabularClassifier(n_networks=16, random_state=0))
    assert all(len(net.left_out) == N_ROWS // 16 for net in many.networks)


def test_folds_have_the_shares_of_the_classes_and_keep_copies_together():
    X = np.repeat(MATRIX[:80], 3, axis=0)
    job = job_of(
        TabularClassifier(n_networks=10, random_state=0), X, LABELS[:80].repeat(3)
    )
    for net in job.networks:
        rows = set(net.left_out.index.numpy())
        assert all({i // 3 * 3, i // 3 * 3 + 1, i // 3 * 3 + 2} <= rows for i in rows)
    rare = np.where(np.arange(N_ROWS) % 10, "a", "b")
    for net in job_of(TabularClassifier(n_networks=10), MATRIX, rare).networks:
        assert float(net.left_out.y.mean()) == pytest.approx(0.1, abs=0.05)


def test_few_rows_leave_no_fold_out():
    job = job_of(TabularClassifier(random_state=0), MATRIX[:9], LABELS[:9])
    assert all(net.left_out is None for net in job.networks)


@pytest.mark.parametrize("validation", [None, 0.2])
def test_without_folds_all_networks_train_on_the_same_rows(validation):
    job = job_of(TabularClassifier(validation=validation, random_state=0))
    assert all(net.left_out is None for net in job.networks)
    assert (job.validation is None) == (validation is None)
    n_train = N_ROWS if validation is None else round(0.8 * N_ROWS)
    assert all(len(net.rows) == n_train for net in job.networks)


def test_validation_rows_that_are_given_take_the_place_of_folds():
    job = job_of(
        TabularClassifier(random_state=0), X_val=MATRIX[:50], y_val=LABELS[:50]
    )
    assert len(job.validation) == 50
    assert all(net.left_out is None for net in job.networks)


def test_each_network_keeps_the_epoch_that_predicted_its_fold_best():
    noise = np.random.default_rng(0).permutation(LABELS)
    params = {**SMALL, "max_epochs": 40, "averaging": 0.0}
    best = TabularClassifier(**params).fit(MATRIX, noise)
    last = TabularClassifier(restore_best=False, **params).fit(MATRIX, noise)
    assert best.best_epoch_ < 40
    job = job_of(best, y=noise)
    losses = {True: [], False: []}
    for model in (best, last):
        for net, module in zip(job.networks, model.module_.networks, strict=True):
            rows = net.left_out
            x = torch.as_tensor(job.rows.x)[rows.index]
            with torch.no_grad():
                p = torch.sigmoid(module(x)).numpy()
            losses[model is best].append(log_loss(rows.y.numpy(), p, labels=[0, 1]))
    assert all(a <= b for a, b in zip(losses[True], losses[False], strict=True))


def test_each_network_is_an_estimator_and_their_mean_is_the_ensemble():
    model = TabularClassifier(**QUICK).fit(FRAME, LABELS)
    members = model.estimators_
    assert [type(member) for member in members] == [TabularClassifier] * 2
    mean = np.mean([member.predict_proba(FRAME) for member in members], axis=0)
    assert_allclose(mean, model.predict_proba(FRAME), rtol=1e-5)
    regressor = TabularRegressor(**QUICK).fit(FRAME, NUMBERS)
    each = [member.predict(FRAME) for member in regressor.estimators_]
    assert_allclose(np.mean(each, axis=0), regressor.predict(FRAME), rtol=1e-5)
    assert np.std(each, axis=0).min() > 0
    copied = pickle.loads(pickle.dumps(members[0]))
    assert_array_equal(copied.predict_proba(FRAME), members[0].predict_proba(FRAME))
    with pytest.raises(AttributeError, match="estimators_ before it is fitted"):
        _ = TabularClassifier().estimators_


def test_networks_far_from_the_training_rows_disagree():
    x = np.linspace(-1, 1, 120)[:, None]
    model = TabularRegressor(**{**LEARNS, "n_networks": 4}).fit(x, np.sin(3 * x[:, 0]))
    near, far = (
        np.std([m.predict(rows) for m in model.estimators_], axis=0).mean()
        for rows in (x, x * 5)
    )
    assert far > 3 * near


@needs_equal_rounding
def test_the_networks_differ_and_one_network_is_the_first_of_several():
    two = TabularClassifier(validation=None, **QUICK).fit(MATRIX, LABELS)
    one = TabularClassifier(validation=None, **{**QUICK, "n_networks": 1})
    first, second = (n.state_dict() for n in two.module_.networks)
    alone = one.fit(MATRIX, LABELS).module_.networks[0].state_dict()
    assert all(torch.equal(first[name], alone[name]) for name in first)
    assert not torch.equal(first["output.weight"], second["output.weight"])


@pytest.mark.parametrize("embedding", ["periodic", "piecewise_linear", None])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_embedding_of_numbers_learns_in_both_float_types(embedding, dtype):
    wave = np.where(np.sin(4 * MATRIX[:, 0]) > 0, "up", "down")
    params = {**LEARNS, "max_epochs": 150, "dtype": dtype}
    model = TabularClassifier(numeric_embedding=embedding, **params).fit(MATRIX, wave)
    assert model.predict_proba(MATRIX).dtype == dtype
    accuracy = model.score(MATRIX, wave)
    assert accuracy > (0.8 if embedding else 0.55)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_networks", 0),
        ("numeric_embedding", "fourier"),
        ("categorical_features", "all"),
        ("max_one_hot", -1),
        ("category_embedding", 0),
        ("optimizer", "lbfgs"),
        ("learning_rate", "auto"),
        ("layer_rates", "width"),
        ("averaging", 1.0),
        ("validation", 1.0),
        ("validation", "fold"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(name, value):
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of Tabular"):
        TabularClassifier(**{**QUICK, name: value}).fit(MATRIX, LABELS)


# Training that goes on, seeds, stacks


def test_partial_fit_and_warm_start_go_on_from_the_weights_there_are():
    model = TabularClassifier(**QUICK)
    before = model.partial_fit(FRAME, LABELS).predict_proba(FRAME)
    for _ in range(20):
        model.partial_fit(FRAME, LABELS)
    after = model.predict_proba(FRAME)
    assert model.n_iter_ == 21
    assert log_loss(LABELS, after) < log_loss(LABELS, before)
    warm = TabularClassifier(warm_start=True, **QUICK).fit(FRAME, LABELS)
    scores = [log_loss(LABELS, warm.predict_proba(FRAME))]
    for _ in range(3):
        scores.append(log_loss(LABELS, warm.fit(FRAME, LABELS).predict_proba(FRAME)))
    assert scores[-1] < scores[0]


def test_a_later_part_of_a_stream_may_have_new_categories():
    model = TabularClassifier(**QUICK).partial_fit(FRAME[:100], LABELS[:100])
    rest = FRAME[100:].assign(town="Rome")
    assert np.isfinite(model.partial_fit(rest, LABELS[100:]).predict_proba(rest)).all()


def test_one_seed_gives_the_same_bits_and_a_pickle_predicts_them():
    model = TabularClassifier(**QUICK).fit(FRAME, LABELS)
    expected = model.predict_proba(FRAME)
    assert_array_equal(clone(model).fit(FRAME, LABELS).predict_proba(FRAME), expected)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(FRAME), expected)
    other = clone(model).set_params(random_state=1).fit(FRAME, LABELS)
    assert not np.array_equal(other.predict_proba(FRAME), expected)


GRID = {
    "dropout": [0.0, 0.2],
    "weight_decay": [0.0, 0.1],
    "learning_rate": [0.03, 0.1],
    "numeric_embedding": ["periodic", None],
    "n_networks": [1, 3],
}


@needs_equal_rounding
def test_a_stacked_search_gives_the_bits_of_single_fits():
    model = TabularClassifier(**QUICK)
    search = GridSearchCV(model, GRID, cv=2, refit=False, scoring="neg_log_loss")
    alone = search.fit(FRAME, LABELS).cv_results_
    with parallel_config(backend="stacked"):
        stacked = clone(search).fit(FRAME, LABELS).cv_results_
    assert_array_equal(stacked["mean_test_score"], alone["mean_test_score"])
    report = stacking_report()
    assert report.n_networks == 2 * 32  # of estimators
    assert sum(report.stacks) > 48  # a last odd one may train alone


def test_training_waits_for_a_fifth_of_the_epochs():
    noise = np.random.default_rng(0).permutation(LABELS)
    model = TabularClassifier(**{**SMALL, "max_epochs": 100}).fit(MATRIX, noise)
    assert model.stop_reason_ == "early_stopping"
    assert 20 < model.n_iter_ < 100
    patient = TabularClassifier(n_iter_no_change=None, **{**SMALL, "max_epochs": 100})
    assert patient.fit(MATRIX, noise).n_iter_ == 100
    short = TabularClassifier(**{**SMALL, "max_epochs": 20})
    assert job_of(short).stopping.n_iter_no_change == 10


def test_early_stopping_and_a_time_limit_end_the_training():
    stopped = TabularClassifier(
        **{**SMALL, "max_epochs": 400, "n_iter_no_change": 3, "averaging": 0.0}
    ).fit(MATRIX, np.random.default_rng(0).permutation(LABELS))
    assert stopped.n_iter_ < 400
    assert stopped.stop_reason_ == "early_stopping"
    limited = TabularClassifier(**{**SMALL, "max_epochs": 10**6, "time_limit": 0.05})
    assert limited.fit(MATRIX, LABELS).stop_reason_ == "time_limit"


def test_validation_holdout_validates_on_rows_that_no_step_has_seen():
    model = ValidationHoldout(
        make_pipeline(FunctionTransformer(), TabularClassifier(**QUICK)),
        random_state=0,
    )
    assert np.isfinite(model.fit(FRAME, LABELS).predict_proba(FRAME)).all()


def test_defaults_are_better_than_the_mean_on_real_rows():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = TabularRegressor(n_networks=2, max_epochs=40, random_state=0)
    assert r2_score(y, cross_val_predict(model, X, y, cv=3)) > 0.4


def test_a_fit_warns_of_text_that_looks_like_an_identifier():
    frame = FRAME.assign(name=[f"person {i}" for i in range(N_ROWS)])
    with pytest.warns(UserWarning, match="'name' .* identifier"):
        TabularClassifier(**QUICK).fit(frame, LABELS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", FitWarning)  # three epochs are few
        TabularClassifier(**QUICK).fit(FRAME, LABELS)
