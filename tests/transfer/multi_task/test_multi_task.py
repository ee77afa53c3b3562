"""MultiTask: one network for several columns of y."""

import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    CNNClassifier,
    CNNRegressor,
    InvalidParameterError,
    Mixup,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    MultiTask,
    Pruned,
    RNNRegressor,
    TabularClassifier,
    load,
    save,
    stacking_report,
    to_onnx,
)

RNG = np.random.default_rng(0)
N = 200
X = RNG.normal(size=(N, 6))
Y = pd.DataFrame(
    {
        "income": np.where(X[:, 0] + X[:, 1] > 0, "high", "low"),
        "hours": 100 * X[:, 2] + 40,
        "town": pd.Categorical(
            np.array(["u", "v", "w"])[np.digitize(X[:, 3], [-0.5, 0.5])]
        ),
        "age": (X[:, 0] * X[:, 1]).astype(np.float32),
        "owner": X[:, 4] > 1,
    }
)
KINDS = {
    "income": "classification",
    "hours": "regression",
    "town": "classification",
    "age": "regression",
    "owner": "classification",
}
ALONE = {"dropout": 0.0, "weight_decay": 0.0, "random_state": 0}


def mlp(cls=MLPRegressor, **params):
    given = {"max_epochs": 30, "learning_rate": 0.01, "random_state": 0, **params}
    return cls((16, 8), **given)


def with_gaps(y=Y, share=0.3, seed=1):
    gaps = np.random.default_rng(seed).random(y.shape) < share
    return y.astype({"owner": "boolean"}).mask(gaps)


@pytest.fixture(scope="module")
def fitted():
    return MultiTask(mlp(max_epochs=60)).fit(X, Y)


# Predictions.


def test_strings_categories_and_booleans_are_classifications_and_floats_regressions(
    fitted,
):
    assert fitted.tasks_ == KINDS


def test_predictions_are_a_frame_of_the_columns_and_types_of_y(fitted):
    frame = fitted.predict(X)
    assert frame.dtypes.equals(Y.dtypes)
    assert list(frame) == list(Y)
    assert frame.index.equals(Y.index)


def test_every_task_is_learnt_by_the_one_network(fitted):
    assert fitted.network_.module_.output.out_features == 1 + 1 + 3 + 1 + 1
    assert min(fitted.task_scores(X, Y).values()) > 0.7


def test_the_score_is_the_mean_of_accuracies_and_r2(fitted):
    w, found = RNG.random(N), fitted.predict(X)
    expected = {
        name: (r2_score if kind == "regression" else accuracy_score)(
            Y[name], found[name], sample_weight=w
        )
        for name, kind in KINDS.items()
    }
    assert fitted.task_scores(X, Y, w) == pytest.approx(expected)
    assert fitted.score(X, Y, w) == pytest.approx(np.mean(list(expected.values())))


def test_missing_targets_have_no_part_in_the_score(fitted):
    y = with_gaps()
    found = fitted.task_scores(X, y)
    known = y["hours"].notna()
    expected = r2_score(y["hours"][known], fitted.predict(X)["hours"][known])
    assert found["hours"] == pytest.approx(expected)
    y["age"] = np.float32(np.nan)
    assert set(fitted.task_scores(X, y)) == set(KINDS) - {"age"}


def test_columns_of_y_are_found_by_name_in_score(fitted):
    assert fitted.score(X, Y[Y.columns[::-1]]) == pytest.approx(fitted.score(X, Y))
    with pytest.raises(ValueError, match="must have the columns of the fit"):
        fitted.score(X, Y.drop(columns="age"))


def test_probabilities_are_a_dict_of_the_classifications(fitted):
    p = fitted.predict_proba(X)
    assert {name: each.shape[1] for name, each in p.items()} == {
        "income": 2,
        "town": 3,
        "owner": 2,
    }
    for each in p.values():
        assert_allclose(each.sum(1), 1)


def test_without_a_classification_there_is_no_predict_proba():
    model = MultiTask(mlp(max_epochs=1))
    assert hasattr(model, "predict_proba")
    assert not hasattr(model.fit(X, Y[["hours", "age"]]), "predict_proba")


@pytest.mark.parametrize(
    "given",
    [
        lambda y: pl.DataFrame({k: y[k].tolist() for k in y}),
        lambda y: {k: y[k].to_numpy() for k in y},
        lambda y: y.to_numpy(dtype=object),
    ],
    ids=["polars", "dict", "array"],
)
def test_other_containers_give_the_same_predictions_in_their_own_form(given, fitted):
    y = given(Y)
    found = clone(fitted).fit(X, y).predict(X)
    expected = fitted.predict(X)
    assert type(found) is type(y)
    for j, name in enumerate(Y):
        column = found[:, j] if isinstance(found, np.ndarray) else found[name]
        if KINDS[name] == "classification":
            assert list(column) == list(expected[name])
        else:
            assert_allclose(
                np.asarray(column, float), expected[name], rtol=1e-5, atol=1e-4
            )


def test_one_column_as_an_array_gives_an_array_of_its_shape():
    model = MultiTask(mlp(max_epochs=2)).fit(X, Y["hours"].to_numpy())
    assert model.predict(X).shape == (N,)
    assert model.task(0).predict(X).shape == (N,)


# One task is one network.


def test_a_single_regression_is_the_network_that_its_own_estimator_trains():
    alone = mlp(**ALONE).fit(X, Y["hours"])
    shared = MultiTask(mlp(**ALONE)).fit(X, Y[["hours"]])
    assert_allclose(shared.predict(X)["hours"], alone.predict(X), rtol=1e-8)


def test_a_single_classification_is_the_network_that_its_own_estimator_trains():
    net = mlp(MLPClassifier, **ALONE, early_stopping=False)
    for name in ("income", "town"):
        alone = net.fit(X, Y[name])
        shared = MultiTask(net, task_weight="equal").fit(X, Y[[name]])
        assert_allclose(
            shared.predict_proba(X)[name], alone.predict_proba(X), rtol=1e-6
        )


@pytest.mark.parametrize("weight", [None, np.linspace(0.5, 2.0, N)])
def test_a_missing_target_is_as_a_row_less_for_its_task(weight):
    y = Y[["hours"]].copy()
    y.iloc[::3] = np.nan
    left = y["hours"].notna().to_numpy()
    shared = MultiTask(mlp(**ALONE)).fit(X, y, sample_weight=weight)
    of_rows = None if weight is None else weight[left]
    alone = mlp(**ALONE).fit(X[left], y["hours"][left], sample_weight=of_rows)
    assert_allclose(shared.predict(X)["hours"], alone.predict(X), rtol=1e-8)


def test_missing_targets_of_one_task_leave_the_others_their_rows():
    y = with_gaps()
    complete = y.notna().all(axis=1)
    few = MultiTask(mlp()).fit(X[complete], y[complete]).score(X, Y)
    assert MultiTask(mlp()).fit(X, y).score(X, Y) > few + 0.1


def test_values_under_a_missing_target_do_not_matter():
    """A row without income is the same row whatever its encoded target would be."""
    y = Y.astype({"income": object})
    y.loc[::4, "income"] = None
    other = y.copy()
    other.loc[::4, "income"] = np.nan
    first, second = (MultiTask(mlp(max_epochs=3)).fit(X, each) for each in (y, other))
    pd.testing.assert_frame_equal(first.predict(X), second.predict(X))


def test_missing_raise_names_the_columns_and_how_many():
    with pytest.raises(ValueError, match=r"by column \{'hours': 2\}"):
        MultiTask(mlp(), missing="raise").fit(
            X, Y.assign(hours=Y["hours"].where(np.arange(N) > 1))
        )


def test_validation_rows_stop_the_training():
    net = mlp(max_epochs=40, n_iter_no_change=3)
    model = MultiTask(net).fit(X[:100], Y[:100], X_val=X[100:], y_val=with_gaps()[100:])
    history = model.history_
    assert history["valid_loss"].notna().all()
    best = history["valid_score"].iloc[model.best_epoch_ - 1]
    assert best == pytest.approx(model.score(X[100:], with_gaps()[100:]), abs=1e-4)


# Tasks.


def test_the_view_of_a_task_is_a_classifier_or_regressor_that_agrees(fitted):
    found, p = fitted.predict(X), fitted.predict_proba(X)
    for name, kind in KINDS.items():
        view = fitted.task(name)
        if kind == "regression":
            assert is_regressor(view)
            assert type(view) is MLPRegressor
            assert_allclose(view.predict(X), found[name], rtol=1e-5, atol=1e-5)
        else:
            assert is_classifier(view)
            assert type(view) is MLPClassifier
            assert list(view.predict(X)) == list(found[name])
            assert_allclose(view.predict_proba(X), p[name], atol=1e-12)
            assert view.classes_.tolist() == sorted(set(Y[name]))


def test_a_view_is_calibrated_thresholded_compressed_saved_and_exported(
    fitted, tmp_path
):
    view = FrozenEstimator(fitted.task("income"))
    calibrated = CalibratedClassifierCV(view).fit(X, Y["income"])
    assert calibrated.score(X, Y["income"]) > 0.8
    tuned = TunedThresholdClassifierCV(view, cv="prefit", refit=False)
    assert tuned.fit(X, (Y["income"])).score(X, Y["income"]) > 0.8
    pruned = Pruned(view, 0.3, fine_tune_epochs=1).fit(X, Y["income"])
    assert pruned.score(X, Y["income"]) > 0.8
    path = tmp_path / "income.skdeep"
    save(fitted.task("income"), path)
    assert_array_equal(load(path).predict(X), view.predict(X))
    assert to_onnx(fitted.task("hours"), X).receipt["rows"] == N


def test_a_view_owns_its_values(fitted):
    before, view = fitted.predict(X), fitted.task("hours")
    view.set_params(warm_start=True, max_epochs=1).fit(X, -Y["hours"])
    pd.testing.assert_frame_equal(fitted.predict(X), before)


def test_an_unknown_task_is_named_with_those_there_are(fitted):
    with pytest.raises(KeyError, match=r"no task 'x'; its tasks are \['income'"):
        fitted.task("x")


def test_a_network_in_tasks_says_which_loss_and_class_weights_a_task_has():
    tasks = {
        "income": mlp(MLPClassifier, class_weight={"high": 50.0, "low": 1.0}),
        "hours": mlp(loss="huber", loss_params={"delta": 0.5}),
    }
    y, noise = Y[["income", "hours"]].copy(), np.random.default_rng(2)
    y["income"] = noise.choice(["high", "low"], N)
    model = MultiTask(mlp(max_epochs=10), tasks).fit(X, y)
    assert (model.predict(X)["income"] == "high").mean() > 0.9
    hours = model.task("hours")
    assert (hours.loss, hours.loss_params) == ("huber", {"delta": 0.5})
    assert model.task("income").class_weight == {"high": 50.0, "low": 1.0}


def test_the_shared_network_gives_tasks_of_its_kind_their_loss():
    model = MultiTask(mlp(MLPClassifier, loss="focal", max_epochs=1)).fit(X, Y)
    assert model.task("income").loss == "focal"
    assert model.task("hours").loss == "squared_error"


def test_a_gaussian_task_predicts_its_spread():
    tasks = {"hours": MLPRegressor(loss="gaussian")}
    model = MultiTask(mlp(), tasks).fit(X, Y)
    mean, std = model.task("hours").predict(X, return_std=True)
    assert_allclose(mean, model.predict(X)["hours"], rtol=1e-5, atol=1e-4)
    assert (std > 0).all()


# Weights and heads.


def test_numbers_weigh_the_tasks():
    heavy = MultiTask(mlp(), task_weight={"age": 50.0}).fit(X, Y)
    light = MultiTask(mlp(), task_weight={"age": 0.02}).fit(X, Y)
    assert heavy.task_scores(X, Y)["age"] > light.task_scores(X, Y)["age"] + 0.1
    assert heavy.task_weights_["age"] > 40 * heavy.task_weights_["hours"]


def test_balanced_weights_divide_by_the_loss_of_the_best_constant():
    found = MultiTask(mlp(max_epochs=1)).fit(X, Y).task_weights_
    p = (Y["owner"]).mean()
    entropy = -p * np.log(p) - (1 - p) * np.log(1 - p)
    assert found["owner"] / found["hours"] == pytest.approx(1 / entropy)


def test_tasks_with_few_targets_count_as_much_as_others():
    y = Y[["hours", "age"]].copy()
    y.loc[y.index[50:], "age"] = np.nan
    found = MultiTask(mlp(max_epochs=1), task_weight="equal").fit(X, y).task_weights_
    assert found["age"] / found["hours"] == pytest.approx(4)
    assert np.mean(list(found.values())) == pytest.approx(1)


def test_uncertainty_learns_a_small_weight_for_a_task_of_noise():
    y = Y[["hours", "age"]].assign(age=RNG.normal(size=N))
    net = mlp(max_epochs=100, learning_rate=0.02, weight_decay=1.0)
    model = MultiTask(net, task_weight="uncertainty").fit(X, y)
    assert model.task_weights_["hours"] > 3 * model.task_weights_["age"]
    assert model.network_.module_.output.out_features == 2


@pytest.mark.parametrize("task_weight", ["balanced", "uncertainty"])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"normalization": "batch", "activation": "prelu"},
        {"residual": True, "dropout": (0.1, 0.2)},
    ],
    ids=["plain", "batch norm", "residual"],
)
def test_heads_have_hidden_layers_of_their_own(params, task_weight):
    model = MultiTask(
        mlp(**params), head_layer_sizes=(4, 3), task_weight=task_weight
    ).fit(X, with_gaps())
    found = model.predict(X)
    for name in KINDS:
        view = model.task(name)
        assert view.hidden_layer_sizes == (16, 8, 4, 3)
        if KINDS[name] == "regression":
            assert_allclose(view.predict(X), found[name], rtol=1e-4, atol=1e-4)
        else:
            assert list(view.predict(X)) == list(found[name])


def test_heads_of_other_tasks_have_no_part_in_a_task():
    """The gradient of one task reaches the shared layers and its own head only."""
    model = MultiTask(mlp(**ALONE), head_layer_sizes=4).fit(X, Y[["hours", "age"]])
    weight = model.network_.module_.output.weight
    assert not weight[0, 4:].any()
    assert not weight[1, :4].any()
    assert weight[0, :4].any()


SERIES = X.reshape(N, 6, 1)


@pytest.mark.parametrize(
    ("network", "rows"),
    [
        (CNNClassifier((4,), max_epochs=2, random_state=0), SERIES),
        (
            CNNRegressor((4,), hidden_layer_sizes=8, max_epochs=2, random_state=0),
            SERIES,
        ),
        (RNNRegressor(8, max_epochs=2, random_state=0), SERIES),
        (TabularClassifier(8, n_networks=2, max_epochs=5, random_state=0), X),
    ],
    ids=["cnn", "cnn regressor", "rnn", "tabular"],
)
def test_other_families_share_their_layers(network, rows, tmp_path):
    model = MultiTask(network, task_weight="uncertainty").fit(rows, with_gaps())
    found, p = model.predict(rows), model.predict_proba(rows)
    assert_allclose(model.task("hours").predict(rows), found["hours"], rtol=1e-4)
    assert_allclose(model.task("town").predict_proba(rows), p["town"], atol=1e-5)
    save(model, tmp_path / "model")
    pd.testing.assert_frame_equal(load(tmp_path / "model").predict(rows), found)


# The contract of scikit-learn.


def test_sample_weights_weigh_rows():
    w = (np.arange(N) < 100).astype(float)
    net = mlp(**ALONE, batch_size=N, max_epochs=5)
    y = with_gaps()
    weighted = MultiTask(net).fit(X, y, sample_weight=w).predict(X)
    half = MultiTask(net).fit(X[:100], y[:100]).predict(X)
    assert_allclose(weighted["hours"], half["hours"], rtol=1e-6)


def test_a_clone_trains_the_same_network_and_pickles_and_files_hold_it(
    fitted, tmp_path
):
    expected = fitted.predict(X)
    again = clone(fitted).fit(X, Y)
    save(fitted, tmp_path / "model")
    for other in (again, pickle.loads(pickle.dumps(fitted)), load(tmp_path / "model")):
        pd.testing.assert_frame_equal(other.predict(X), expected)


def test_a_fit_that_fails_leaves_the_model_as_it_was(fitted):
    model = pickle.loads(pickle.dumps(fitted))
    with pytest.raises(ValueError, match="infinity"):
        model.fit(X, Y.assign(hours=np.inf))
    pd.testing.assert_frame_equal(model.predict(X), fitted.predict(X))


def test_a_checkpoint_is_found_again(tmp_path):
    net = mlp(checkpoint=str(tmp_path), max_epochs=3)
    first = MultiTask(net).fit(X, with_gaps())
    second = MultiTask(net).fit(X, with_gaps())
    pd.testing.assert_frame_equal(first.predict(X), second.predict(X))
    assert list(tmp_path.iterdir())


def test_candidates_of_a_search_are_one_stack_and_score_as_alone():
    """Weights of tasks and gaps of folds differ within it."""
    pipe = make_pipeline(StandardScaler(), MultiTask(mlp(max_epochs=4)))
    grid = {
        "multitask__estimator__dropout": [0.0, 0.2],
        "multitask__task_weight": ["equal", "balanced"],
    }
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise", refit=False)
    y = with_gaps()
    alone = search.fit(X, y).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="stacked"):
        stacked = search.fit(X, y).cv_results_["mean_test_score"]
    assert_allclose(stacked, alone, rtol=1e-10)
    report = stacking_report()
    assert (sum(report.stacks), report.alone) == (8, {})


def test_architectures_of_a_search_have_their_own_layers():
    grid = {
        "estimator__hidden_layer_sizes": [(4,), (8, 4)],
        "head_layer_sizes": [(), 2],
    }
    search = GridSearchCV(MultiTask(mlp(max_epochs=1)), grid, cv=2).fit(X, Y)
    assert len(set(search.cv_results_["mean_test_score"])) == 4


# Errors.


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            np.arange(N) % 3,
            r"'a' of y holds whole numbers.*tasks=\{'a': 'classification'\}",
        ),
        (np.where(np.arange(N) % 5, 1.0, np.nan), "'a' of y holds whole numbers"),
        (np.full(N, np.nan), "every target in the column 'a' of y is missing"),
        (np.array(["a", 1] * (N // 2), object), "'a'.*whose task cannot be told"),
        (np.full(N, "x"), "the column 'a' of y has 1 class: 'x'"),
        (np.full(N, np.datetime64("2024-01-01")), "cannot be told"),
    ],
)
def test_a_column_that_cannot_be_learnt_is_named(column, message):
    with pytest.raises(ValueError, match=message):
        MultiTask(mlp()).fit(X, {"a": column, "hours": Y["hours"]})


def test_declared_integers_are_either():
    y = {"a": np.arange(N) % 3, "b": np.arange(N)}
    tasks = {"a": "classification", "b": "regression"}
    model = MultiTask(mlp(max_epochs=1), tasks).fit(X, y)
    assert model.predict(X)["a"].dtype == y["a"].dtype
    assert model.predict(X)["b"].dtype == float
    by_place = MultiTask(mlp(max_epochs=1), list(tasks.values())).fit(X, y)
    assert by_place.tasks_ == tasks


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"tasks": {"x": "regression"}}, r"must name columns of y, here \['income'"),
        ({"tasks": ["regression"]}, "one task per column of y, here 5. Got 1"),
        ({"tasks": "ranking"}, "'tasks' parameter"),
        ({"tasks": {"age": ModuleClassifier(None)}}, "'tasks' parameter"),
        ({"tasks": {"age": MLPRegressor(loss="quantile", loss_params={"quantile": [0.1, 0.9]})}},
         "has the quantiles"),
        ({"task_weight": {"x": 1.0}}, r"must name tasks among \['income'"),
        ({"task_weight": [1.0, 2.0]}, "one number per task, here 5. Got 2"),
        ({"task_weight": {"age": 0.0}}, "positive numbers"),
        ({"estimator": StandardScaler()}, "layers several tasks can share"),
        ({"estimator": ModuleClassifier(None)}, "layers several tasks can share"),
        ({"estimator": mlp(monitor="r2")}, "'monitor' parameter of the estimator"),
        ({"estimator": mlp(warm_start=True)}, "'warm_start' parameter"),
        ({"estimator": mlp(augmentation=Mixup())}, "'augmentation' parameter"),
        ({"estimator": mlp(normalization="layer"), "head_layer_sizes": 4},
         "'head_layer_sizes' parameter"),
        ({"estimator": RNNRegressor(), "head_layer_sizes": 4}, "'head_layer_sizes'"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named_with_what_is_allowed(params, message):
    with pytest.raises(InvalidParameterError, match=message):
        MultiTask(**{"estimator": mlp(), **params}).fit(X, Y)


def test_a_label_that_only_validation_rows_have_is_named():
    other = Y.assign(income="medium")
    with pytest.raises(ValueError, match=r"labels \['medium'\] that are not among"):
        MultiTask(mlp()).fit(X, Y, X_val=X, y_val=other)


def test_validation_rows_need_targets_and_weights_need_rows():
    with pytest.raises(ValueError, match="takes X_val and y_val together"):
        MultiTask(mlp()).fit(X, Y, X_val=X)
    with pytest.raises(ValueError, match="sample_weight_val was given without"):
        MultiTask(mlp()).fit(X, Y, sample_weight_val=np.ones(N))


def test_a_task_without_a_training_row_is_named():
    y = Y.copy()
    y.loc[y.index[1:], "hours"] = np.nan
    weight = np.ones(N)
    weight[0] = 0
    with pytest.raises(
        ValueError, match=r"no training row has a target of \['hours'\]"
    ):
        MultiTask(mlp(early_stopping=False)).fit(X, y, sample_weight=weight)


def test_numbers_of_rows_must_agree():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        MultiTask(mlp()).fit(X, Y[:-1])
