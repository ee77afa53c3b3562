"""Errors of one network in several sizes, from one search."""

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_deep import (
    CapacityCurve,
    CapacityCurveDisplay,
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    ModuleRegressor,
    RNNClassifier,
    TabularRegressor,
    capacity_curve,
    stacking_report,
    standard_error_of_estimate_scorer,
)

X, Y = make_classification(150, 6, random_state=0)
X_REG, Y_REG = make_regression(120, 5, noise=5, random_state=0)
ONE = {"max_epochs": 2, "random_state": 0}
RNG = np.random.default_rng(0)


def curve_of(test, train=None, n_parameters=None):
    test = np.asarray(test, float)
    n = len(test)
    return CapacityCurve(
        params=[{"hidden_layer_sizes": (k,)} for k in range(n)],
        n_parameters=np.arange(n) + 1 if n_parameters is None else n_parameters,
        train_scores=test if train is None else np.asarray(train, float),
        test_scores=test,
        seconds=np.ones(n),
        n_bytes=np.ones(n, int),
        scoring="accuracy",
    )


def around(means, spread=0.01):
    """Scores of four folds with these means, and one spread."""
    return np.asarray(means)[:, None] + spread * np.array([-1.0, 1.0, -1.0, 1.0])


def test_scores_are_those_of_cross_validation_in_the_order_of_parameters():
    network = MLPClassifier((8,), **ONE)
    curve = capacity_curve(network, X, Y, sizes=[2, 0.5, 1], cv=3)
    assert curve.n_parameters.tolist() == [7 * n + n + 1 for n in (4, 8, 16)]
    assert [p["hidden_layer_sizes"] for p in curve.params] == [(4,), (8,), (16,)]
    for i, params in enumerate(curve.params):
        alone = cross_validate(
            MLPClassifier(**params, **ONE), X, Y, cv=3, return_train_score=True
        )
        assert curve.test_scores[i].tolist() == alone["test_score"].tolist()
        assert curve.train_scores[i].tolist() == alone["train_score"].tolist()


def test_all_fits_are_one_stacked_call():
    capacity_curve(MLPClassifier((8,), **ONE), X, Y, sizes=[0.5, 1], cv=4)
    report = stacking_report()
    assert report.n_networks == 8
    assert max(report.stacks) == 4


def test_a_backend_that_the_user_chose_is_kept():
    capacity_curve(MLPClassifier((8,), **ONE), X, Y, sizes=[0.5, 1], cv=2)
    before = stacking_report()
    with joblib.parallel_config(backend="threading", n_jobs=2):
        capacity_curve(MLPClassifier((8,), **ONE), X, Y, sizes=[0.5, 1], cv=2)
    assert stacking_report() is before


@pytest.mark.parametrize(
    ("estimator", "rows", "y", "name"),
    [
        (MLPClassifier((8, 4), **ONE), X, Y, "hidden_layer_sizes"),
        (
            TabularRegressor((8,), n_networks=2, **ONE),
            X_REG,
            Y_REG,
            "hidden_layer_sizes",
        ),
        (
            CNNClassifier((4, 4), **ONE),
            RNG.normal(size=(60, 6, 6)),
            Y[:60],
            "conv_channels",
        ),
        (RNNClassifier(8, **ONE), RNG.normal(size=(60, 6, 2)), Y[:60], "hidden_size"),
        (
            make_pipeline(StandardScaler(), MLPRegressor((8,), **ONE)),
            X_REG,
            Y_REG,
            "mlpregressor__hidden_layer_sizes",
        ),
    ],
    ids=["mlp", "tabular", "cnn", "rnn", "pipeline"],
)
def test_factors_scale_the_widths_of_each_family(estimator, rows, y, name):
    curve = capacity_curve(estimator, rows, y, sizes=[0.25, 1], cv=2)
    assert name in curve.params[0]
    small, own = (np.sum(p[name]) for p in curve.params)
    assert small * 4 == own
    assert curve.n_parameters[0] < curve.n_parameters[1]
    assert (curve.seconds > 0).all()
    assert (curve.n_bytes >= 4 * curve.n_parameters).all()


def test_sizes_may_be_any_grid_of_parameters():
    grid = [{"hidden_layer_sizes": [(4,), (4, 4)]}, {"dropout": [0.5]}]
    curve = capacity_curve(MLPClassifier((2,), **ONE), X, Y, sizes=grid, cv=2)
    assert len(curve.params) == 3
    assert curve.params[0] == {"dropout": 0.5}


class OneLayer(nn.Module):
    def __init__(self, n_features, n_outputs, n_hidden=4):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(n_features, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_outputs)
        )

    def forward(self, x):
        return self.net(x)


def test_a_module_of_the_user_says_what_to_vary():
    network = ModuleRegressor(OneLayer, **ONE)
    with pytest.raises(ValueError, match="module__n_hidden"):
        capacity_curve(network, X_REG, Y_REG)
    sizes = {"module__n_hidden": [3, 6]}
    curve = capacity_curve(network, X_REG, Y_REG, sizes=sizes, cv=2)
    assert curve.n_parameters.tolist() == [3 * 7 + 1, 6 * 7 + 1]


def test_small_factors_give_no_size_twice():
    curve = capacity_curve(MLPClassifier((2,), **ONE), X, Y, cv=2)
    assert curve.n_parameters.tolist() == sorted(set(curve.n_parameters.tolist()))
    assert [p["hidden_layer_sizes"] for p in curve.params] == [(1,), (2,), (4,), (8,)]


@pytest.mark.parametrize(
    ("estimator", "y", "scoring", "name"),
    [
        (MLPClassifier((2,), **ONE), Y, None, "accuracy"),
        (MLPRegressor((2,), **ONE), Y, None, "R2"),
        (MLPRegressor((2,), **ONE), Y, "neg_mean_squared_error", None),
        (MLPRegressor((2,), **ONE), Y, standard_error_of_estimate_scorer, None),
    ],
)
def test_the_score_has_a_name(estimator, y, scoring, name):
    curve = capacity_curve(estimator, X, y, sizes=[1, 2], cv=2, scoring=scoring)
    assert curve.scoring == (name or getattr(scoring, "__name__", scoring))


def test_groups_reach_the_splitter():
    groups = np.arange(len(X)) % 3
    curve = capacity_curve(
        MLPClassifier((4,), **ONE), X, Y, sizes=[1, 2], cv=GroupKFold(3), groups=groups
    )
    assert curve.test_scores.shape == (2, 3)


def test_the_estimator_is_left_as_it_was():
    network = MLPClassifier((4,), **ONE)
    capacity_curve(network, X, Y, sizes=[1, 2], cv=2)
    assert network.hidden_layer_sizes == (4,)
    assert not network.__sklearn_is_fitted__()


@pytest.mark.parametrize("sizes", ["all", [1], [0, 1], [], 3, [{}, 1]])
def test_sizes_that_make_no_curve_are_refused(sizes):
    with pytest.raises(ValueError, match="sizes"):
        capacity_curve(MLPClassifier((4,), **ONE), X, Y, sizes=sizes)


def test_what_holds_no_network_is_refused():
    with pytest.raises(TypeError, match="network of sklearn_deep"):
        capacity_curve(LogisticRegression(), X, Y)


def test_a_failing_fit_is_an_error_and_no_row_of_nan():
    with pytest.raises(ValueError, match="dropout"):
        capacity_curve(MLPClassifier(**ONE), X, Y, sizes={"dropout": [0.1, 7.0]})


def test_the_smallest_size_within_one_standard_error_is_chosen():
    curve = curve_of(around([0.80, 0.895, 0.90, 0.89]))
    assert curve.best_index == 2
    assert curve.smallest_index == 1
    far = curve_of(around([0.80, 0.89, 0.90, 0.89]))
    assert far.smallest_index == 2


@pytest.mark.parametrize(
    ("means", "descends_twice"),
    [
        ([0.7, 0.9, 0.8, 0.95], True),
        ([0.7, 0.9, 0.8, 0.85], True),
        ([0.7, 0.8, 0.9, 0.85], False),
        ([0.7, 0.8, 0.9, 0.95], False),
        ([0.95, 0.9, 0.8, 0.7], False),
    ],
)
def test_double_descent_is_a_peak_between_two_lower_errors(means, descends_twice):
    noise = RNG.normal(scale=0.01, size=(4, 4))
    assert curve_of(around(means) + noise).double_descent is descends_twice


def test_a_bump_within_the_noise_is_no_double_descent():
    test = [[0.9, 0.7, 0.8], [0.7, 0.9, 0.79], [0.9, 0.72, 0.8]]
    assert not curve_of(test).double_descent


def test_text_and_frame_show_the_same_numbers():
    curve = curve_of(around([0.8, 0.9]), n_parameters=np.array([1200, 3_400_000]))
    frame = curve.to_frame()
    assert frame["n_parameters"].tolist() == [1200, 3_400_000]
    assert frame["test_score"].tolist() == pytest.approx([0.8, 0.9])
    lines = str(curve).splitlines()
    assert "3,400,000" in lines[2]
    assert lines[2].startswith("*")
    assert "hidden_layer_sizes=(1,)" in lines[-1]


@pytest.mark.parametrize(
    ("scoring", "label", "last"),
    [("accuracy", "1 - accuracy", 0.1), ("neg_log_loss", "log loss", -0.9)],
)
def test_the_plot_shows_errors_and_costs(scoring, label, last):
    curve = curve_of(around([0.8, 0.9]), train=around([0.85, 0.99]))
    display = CapacityCurveDisplay(CapacityCurve(**{**vars(curve), "scoring": scoring}))
    display.plot()
    errors = display.axes_[0]
    assert errors.get_ylabel() == label
    assert errors.lines[1].get_ydata()[-1] == pytest.approx(last)
    plt.close(display.figure_)


def test_the_plot_is_made_of_an_estimator_on_the_axes_given():
    _, axes = plt.subplots(1, 2)
    display = CapacityCurveDisplay.from_estimator(
        MLPClassifier((4,), **ONE), X, Y, sizes=[1, 2], cv=2, axes=axes
    )
    assert display.axes_[0] is axes[0]
    assert len(display.curve.params) == 2
    plt.close(display.figure_)
