"""Scores by the number of training rows, from scratch and from smaller weights."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    ChunkedFit,
    InvalidParameterError,
    MLPClassifier,
    MLPRegressor,
    MoreDataCurve,
    MoreDataCurveDisplay,
    TabularClassifier,
    more_data_curve,
)
from sklearn_deep.inspection.more_data._rows import nested_order

X, Y = make_classification(240, 6, class_sep=1.5, random_state=0)
NET = MLPClassifier((8,), max_epochs=10, batch_size=16, random_state=0)


def test_the_largest_size_from_scratch_is_plain_cross_validation():
    curve = more_data_curve(NET, X, Y, sizes=[0.25, 1.0], cv=3)
    assert curve.n_rows.tolist() == [40, 160]
    expected = cross_val_score(NET, X, Y, cv=StratifiedKFold(3))
    np.testing.assert_array_equal(curve.scratch_scores[-1], expected)
    assert curve.scoring == "accuracy"


def test_a_continued_network_begins_with_the_weights_of_the_smaller_size():
    seen = []

    def scorer(model, X_test, y_test):
        seen.append(model)
        return model.score(X_test, y_test)

    net = clone(NET).set_params(max_epochs=1, learning_rate=1e-9, optimizer="sgd")
    more_data_curve(net, X, Y, sizes=[20, 60, 120], cv=2, scoring=scorer)
    first, _, scratch, further = seen[:4]
    start = first.module_.state_dict()
    for name, values in further.module_.state_dict().items():
        np.testing.assert_allclose(values, start[name], atol=1e-6)
    assert first is seen[1]
    assert further.warm_start
    assert not scratch.warm_start


def test_continued_networks_know_more_after_few_epochs():
    net = clone(NET).set_params(max_epochs=2)
    curve = more_data_curve(net, X, Y, sizes=[0.3, 0.6, 0.8, 1.0], cv=3)
    assert curve.continued_scores[-1].mean() > curve.scratch_scores[-1].mean()
    assert (curve.scratch_seconds > 0).all()


@pytest.mark.parametrize("n_classes", [2, 5])
def test_subsets_are_nested_and_have_every_class(n_classes):
    labels = np.random.default_rng(0).integers(0, n_classes, 200)
    labels[:3] = n_classes  # a rare one
    order = nested_order(labels, 200, 0)
    assert sorted(order) == list(range(200))
    assert set(labels[order[: n_classes + 1]]) == set(labels)
    shares = np.bincount(labels[order[:100]]) / 100
    np.testing.assert_allclose(shares, np.bincount(labels) / 200, atol=0.03)


def test_a_source_is_sampled_into_memory(tmp_path):
    frame = pd.DataFrame(X).add_prefix("x").assign(y=Y)
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=50)
    pipe = make_pipeline(StandardScaler(), NET)
    model = ChunkedFit(pipe, buffer_rows=50)
    curve = more_data_curve(
        model, tmp_path / "rows.parquet", "y", sizes=[0.5, 1.0], cv=2, max_rows=120
    )
    assert curve.n_rows.tolist() == [30, 60]
    of_callable = more_data_curve(
        pipe,
        lambda: ((X[i : i + 70], Y[i : i + 70]) for i in range(0, 240, 70)),
        sizes=[0.5, 1.0],
        cv=2,
        max_rows=120,
    )
    np.testing.assert_array_equal(curve.scratch_scores, of_callable.scratch_scores)


def test_regressors_and_tables_have_curves_too():
    net = MLPRegressor((8,), max_epochs=5, random_state=0)
    curve = more_data_curve(net, X, X[:, 0], sizes=[0.5, 1.0], cv=2)
    assert curve.scoring == "R2"
    net = TabularClassifier(4, n_networks=2, max_epochs=2, random_state=0)
    assert more_data_curve(net, X, Y, sizes=[1.0], cv=2).n_rows.tolist() == [120]


def law_curve(n_folds=4):
    n = np.array([100, 200, 400, 800])
    error = 0.05 + 0.3 * (n / 100) ** -0.7
    noise = np.random.default_rng(0).normal(0, 0.002, (4, n_folds))
    scores = 1 - error[:, None] + noise
    return MoreDataCurve(n, scores, scores, n / 100, n / 200, "accuracy")


def test_the_expected_score_follows_the_power_law():
    curve = law_curve()
    expected, low, high = curve.expected_score(3_200, level=0.99)
    assert low < 1 - (0.05 + 0.3 * 32**-0.7) < high
    assert abs(expected - (1 - (0.05 + 0.3 * 32**-0.7))) < 0.02
    with pytest.raises(ValueError, match="3 sizes and 2 folds"):
        law_curve(1).expected_score(1_000)


def test_it_prints_and_becomes_a_frame():
    curve = law_curve()
    assert "800" in str(curve)
    assert str(curve).endswith("accuracy")
    frame = curve.to_frame()
    assert frame["n_rows"].tolist() == [100, 200, 400, 800]
    assert frame["scratch_score"][0] == pytest.approx(curve.scratch_scores[0].mean())


def test_the_display_shows_both_curves():
    display = MoreDataCurveDisplay(law_curve()).plot()
    labels = [line.get_label() for line in display.axes_[0].lines]
    assert labels == ["from scratch", "from the smaller size"]
    plt.close(display.figure_)
    display = MoreDataCurveDisplay.from_estimator(NET, X, Y, sizes=[0.5, 1.0], cv=2)
    np.testing.assert_array_equal(display.axes_[1].lines[0].get_xdata(), [60, 120])
    plt.close(display.figure_)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [([500], "ask for 500 training rows, and a fold has 160"), ([1e-6], "ask for 0")],
)
def test_sizes_that_a_fold_does_not_have_are_named(sizes, words):
    with pytest.raises(ValueError, match=words):
        more_data_curve(NET, X, Y, sizes=sizes)


@pytest.mark.parametrize("sizes", [[], [-1], "all", [0.5, None]])
def test_sizes_are_checked(sizes):
    with pytest.raises(InvalidParameterError, match="'sizes' parameter"):
        more_data_curve(NET, X, Y, sizes=sizes)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="requires y"):
        more_data_curve(NET, X)
    with pytest.raises(ValueError, match="requires y"):
        more_data_curve(NET, lambda: iter([X]))
    with pytest.raises(TypeError, match="more_data_curve"):
        more_data_curve(LogisticRegression(), X, Y)
