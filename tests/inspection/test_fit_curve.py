"""The picture of a fit."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    FitCurveDisplay,
    MLPClassifier,
    MLPRegressor,
    ValidationHoldout,
)

pytestmark = pytest.mark.oldest


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def network():
    return MLPClassifier((6,), early_stopping=True, max_epochs=5, random_state=0)


def test_training_and_validation_losses_are_drawn_with_the_best_epoch_marked(
    network, iris
):
    display = FitCurveDisplay.from_estimator(network.fit(*iris))
    train, valid = display.lines_
    for line, name in ((train, "train_loss"), (valid, "valid_loss")):
        assert_array_equal(line.get_xdata(), [1, 2, 3, 4, 5])
        assert_array_equal(line.get_ydata(), network.history_[name])
    mark = display.ax_.get_lines()[-1]
    assert set(mark.get_xdata()) == {network.best_epoch_}
    words = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert words == [
        "training",
        "validation",
        f"weights kept\n(epoch {network.best_epoch_})",
    ]
    assert display.ax_.get_title() == "MLPClassifier"
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("epoch", "loss")


@pytest.mark.parametrize("max_epochs", [1, 2, 3, 7, 40])
def test_epochs_have_whole_ticks(network, iris, max_epochs):
    network.set_params(max_epochs=max_epochs, early_stopping=False)
    ax = FitCurveDisplay.from_estimator(network.fit(*iris)).ax_
    ax.figure.canvas.draw()
    assert ax.get_xticks().size
    assert_array_equal(ax.get_xticks(), np.round(ax.get_xticks()))


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_the_legend_stands_beside_the_curves_and_inside_of_the_figure(
    network, iris, layout
):
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout=layout)
    for ax in axes:
        FitCurveDisplay.from_estimator(network.fit(*iris), ax=ax)
    figure.canvas.draw()
    for ax in axes:
        legend = ax.get_legend().get_window_extent()
        assert not legend.overlaps(ax.get_window_extent())
        assert figure.bbox.containsx(legend.x1 - 1)
        assert figure.bbox.containsy(legend.y0)
    first, second = axes
    assert first.get_legend().get_window_extent().x1 < second.get_window_extent().x0


def test_without_validation_there_is_one_curve(network, iris):
    network.set_params(early_stopping=False).fit(*iris)
    assert len(FitCurveDisplay.from_estimator(network).lines_) == 1


def test_it_draws_where_it_is_told_and_on_a_logarithmic_axis_if_asked(network, iris):
    figure, ax = plt.subplots()
    display = FitCurveDisplay.from_estimator(network.fit(*iris), ax=ax, log_scale=True)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert ax.get_yscale() == "log"
    assert display.plot() is display
    assert display.ax_ is not ax
    assert display.ax_.get_yscale() == "linear"


def _pipeline(network):
    return make_pipeline(StandardScaler(), network)


def _search(network):
    return GridSearchCV(_pipeline(network), {"mlpclassifier__dropout": [0.0]}, cv=2)


def _holdout(network):
    return ValidationHoldout(_pipeline(network), random_state=0)


def _search_in_search(network):
    return GridSearchCV(_holdout(network), {"validation_fraction": [0.1]}, cv=2)


@pytest.mark.parametrize("wrap", [_pipeline, _search, _holdout, _search_in_search])
def test_the_network_inside_is_found(wrap, network, iris):
    model = wrap(network).fit(*iris)
    display = FitCurveDisplay.from_estimator(model)
    assert display.estimator_name == "MLPClassifier"
    assert len(display.epochs) == 5
    assert np.isfinite(display.curves["validation"]).all()


def test_the_network_behind_a_threshold_or_a_transformed_target_is_found(network, iris):
    X, y = iris
    threshold = FixedThresholdClassifier(_pipeline(network)).fit(X, y > 0)
    assert len(FitCurveDisplay.from_estimator(threshold).epochs) == 5
    target = TransformedTargetRegressor(_pipeline(MLPRegressor(max_epochs=3)))
    display = FitCurveDisplay.from_estimator(target.fit(X, X[:, 0]))
    assert display.estimator_name == "MLPRegressor"
    assert len(display.epochs) == 3


@pytest.mark.parametrize(
    "estimator",
    [
        MLPClassifier(),
        LogisticRegression(),
        make_pipeline(StandardScaler()),
        "a string",
    ],
    ids=["unfitted", "another", "no network", "no estimator"],
)
def test_what_has_no_history_is_refused_by_name(estimator):
    with pytest.raises(TypeError, match=type(estimator).__name__):
        FitCurveDisplay.from_estimator(estimator)


def test_the_title_says_how_the_fit_went(iris):
    slow = {"learning_rate": 1e-4, "weight_decay": 0.1, "max_epochs": 12}
    network = MLPClassifier((6,), random_state=0, **slow)
    display = FitCurveDisplay.from_estimator(network.fit(*iris))
    assert display.ax_.get_title() == (
        "MLPClassifier: the losses were still falling at the end"
    )


def test_the_learning_rate_has_an_axis_of_its_own(network, iris):
    display = FitCurveDisplay.from_estimator(network.fit(*iris), learning_rate=True)
    beside = display.figure_.axes[1]
    assert beside.get_ylabel() == "learning rate"
    assert_array_equal(
        beside.lines[0].get_ydata(), network.history_["learning_rate"].to_numpy()
    )
    labels = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert "learning rate" in labels


def test_the_folds_of_a_cross_validation_share_one_picture(network, iris):
    scores = cross_validate(network, *iris, cv=3, return_estimator=True)
    displays = FitCurveDisplay.from_estimators(scores)
    assert len({display.ax_ for display in displays}) == 1
    labels = [t.get_text() for t in displays[0].ax_.get_legend().get_texts()]
    assert labels == ["fit 1", "fit 2", "fit 3"]
    for display, fitted in zip(displays, scores["estimator"], strict=True):
        watched = display.lines_[-1]
        assert_array_equal(watched.get_ydata(), fitted.history_["valid_loss"])
        mark = [line for line in display.ax_.lines if line.get_marker() == "o"]
        assert fitted.best_epoch_ in [line.get_xdata()[0] for line in mark]


@pytest.mark.parametrize(
    ("estimators", "names", "message"),
    [
        ({"test_score": []}, None, "return_estimator"),
        ([], None, "at least one"),
        ([MLPClassifier()], ["a", "b"], "a name for each"),
    ],
)
def test_several_fits_that_are_none_are_refused(estimators, names, message):
    with pytest.raises(ValueError, match=message):
        FitCurveDisplay.from_estimators(estimators, names=names)


# -- the best candidates of a search -----------------------------------------------------


@pytest.fixture
def search(network, iris):
    grid = {
        "mlpclassifier__dropout": [0.0, 0.3],
        "mlpclassifier__l2": [0.0, 1e-3, 10.0],
    }
    return GridSearchCV(_pipeline(network), grid, cv=2).fit(*iris)


def test_the_best_candidates_of_a_search_are_drawn_best_first(search, iris):
    displays = FitCurveDisplay.from_search(search, *iris, n_best=3)
    assert len(displays) == 3
    best = search.best_estimator_[-1]
    assert_array_equal(displays[0].curves["training"], best.history_["train_loss"])
    words = [t.get_text() for t in displays[0].ax_.get_legend().get_texts()]
    scores = np.sort(search.cv_results_["mean_test_score"])[::-1]
    assert words[0].endswith(f"score {scores[0]:.3f}")
    assert [word.split("score ")[1] for word in words] == [
        f"{s:.3f}" for s in scores[:3]
    ]
    assert all("l2=" in word for word in words)


def test_a_candidate_is_the_fit_of_its_parameters(search, iris):
    displays = FitCurveDisplay.from_search(search, *iris, n_best=6)
    order = np.argsort(search.cv_results_["rank_test_score"], kind="stable")
    setting = search.cv_results_["params"][order[-1]]
    alone = clone(search.estimator).set_params(**setting).fit(*iris)[-1]
    assert_allclose(displays[-1].curves["training"], alone.history_["train_loss"])


def test_a_search_that_refits_nothing_has_candidates_too(network, iris):
    grid = {"dropout": [0.0, 0.3]}
    scoring = ["accuracy", "neg_log_loss"]
    search = GridSearchCV(network, grid, scoring=scoring, cv=2, refit=False).fit(*iris)
    assert len(FitCurveDisplay.from_search(search, *iris)) == 2
    assert not hasattr(search, "best_estimator_")


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda s, net: net, TypeError, "needs a fitted search.*MLPClassifier"),
        (lambda s, net: clone(s), NotFittedError, "not fitted"),
    ],
)
def test_what_is_no_fitted_search_is_refused(make, error, match, search, network, iris):
    with pytest.raises(error, match=match):
        FitCurveDisplay.from_search(make(search, network), *iris)


@pytest.mark.parametrize("n_best", [0, 1.5, "all"])
def test_the_number_of_candidates_is_checked(search, iris, n_best):
    with pytest.raises(ValueError, match="'n_best' parameter of FitCurveDisplay"):
        FitCurveDisplay.from_search(search, *iris, n_best=n_best)


# -- schedule and early end --------------------------------------------------------------


def test_an_early_end_is_marked(iris):
    network = MLPClassifier(
        (6,), early_stopping=True, n_iter_no_change=2, tol=1.0, random_state=0
    ).fit(*iris)
    assert network.stop_reason_ == "early_stopping"
    ax = FitCurveDisplay.from_estimator(network).ax_
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    early = [word for word in words if word.startswith("stopped early")]
    last = network.n_iter_
    expected = [] if last == network.best_epoch_ else [f"stopped early\n(epoch {last})"]
    assert early == expected
    displays = FitCurveDisplay.from_estimators([network, network])
    bars = [line for line in displays[0].ax_.get_lines() if line.get_marker() == "|"]
    assert [bar.get_xdata()[0] for bar in bars] == [last, last]


def test_learning_rates_of_several_fits_are_drawn(network, iris):
    fits = [clone(network).set_params(learning_rate=r).fit(*iris) for r in (0.01, 0.1)]
    ax = FitCurveDisplay.from_estimators(fits, learning_rate=True)[0].ax_
    (beside,) = (a for a in ax.figure.axes if a is not ax)
    for line, fit in zip(beside.get_lines(), fits, strict=True):
        assert_array_equal(line.get_ydata(), fit.history_["learning_rate"])
