"""Rows on thresholds are generated for the comparison, and agree with scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    MinMaxScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from sklearn_deep import MLPClassifier, OnnxParityError, to_onnx
from sklearn_deep.export.graph._registry import RULES
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.parity._edge_rows import edge_rows
from sklearn_deep.export.parity._thresholds import neighbours, thresholds

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3)) * [1.0, 10.0, 100.0] + 5.0
Y = (X[:, 0] > 5).astype(int)
NET = MLPClassifier((4,), max_epochs=1, random_state=0)


def bins(n_bins):
    return KBinsDiscretizer(n_bins, encode="ordinal", strategy="uniform")


# Binarizer: numbers above its threshold, not on it, become 1.

THRESHOLDS = [0.0, 0.1, np.float64(0.1), 3, -1.5]


@pytest.mark.parametrize("threshold", THRESHOLDS, ids=repr)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_a_binarizer_agrees_on_and_next_to_its_threshold(threshold, dtype, transform):
    near = [threshold, np.float32(threshold), np.floor(threshold), 0, 3, -3]
    near += [np.nextafter(v, w) for v in near[:2] for w in (-np.inf, np.inf)]
    rows = np.array(near, float)[:, None].astype(dtype)
    step = Binarizer(threshold=threshold).fit(rows)
    assert_array_equal(transform(step, rows), step.transform(rows))


def test_a_binarizer_before_a_network_agrees_at_zero(same):
    counts = RNG.integers(0, 3, (60, 3)).astype(float)
    model = make_pipeline(Binarizer(), NET).fit(counts, counts[:, 0] > 0)
    same(model, to_onnx(model, counts), counts)


# Search for thresholds


def found(model, rows=X):
    places = thresholds(model.fit(rows, Y), rows.shape[1])
    return {j: np.sort([v for column, v in places if column == j]) for j in range(3)}


def test_thresholds_of_a_first_step_are_in_units_of_x():
    for values in found(make_pipeline(Binarizer(threshold=5.0), NET)).values():
        assert_array_equal(values, [5.0])


def test_bin_edges_after_scalers_are_in_units_of_x():
    steps = make_pipeline(StandardScaler(), MinMaxScaler(), bins(4), NET)
    for j, values in found(steps).items():
        low, high = X[:, j].min(), X[:, j].max()
        assert_allclose(values, low + (high - low) * np.array([0.25, 0.5, 0.75]))


def test_splits_of_trees_after_a_scaler_are_in_units_of_x():
    tree = DecisionTreeClassifier(max_depth=1)
    vote = VotingClassifier([("net", NET), ("tree", tree)])
    ((column, value),) = thresholds(make_pipeline(StandardScaler(), vote).fit(X, Y), 3)
    assert column == 0
    assert X[Y == 0, 0].max() < value < X[Y == 1, 0].min()


def test_columns_of_a_column_transformer_are_indices_of_x():
    frame = pd.DataFrame(X, columns=list("abc"))
    columns = ColumnTransformer(
        [
            ("bins", make_pipeline(StandardScaler(), bins(2)), ["c"]),
            ("signs", FeatureUnion([("sign", Binarizer(threshold=7.0))]), [1]),
        ]
    )
    values = found(make_pipeline(columns, NET), frame)
    assert_allclose(values[2], [(X[:, 2].min() + X[:, 2].max()) / 2])
    assert_array_equal(values[1], [7.0])
    assert not len(values[0])


def test_a_forest_has_a_bounded_number_of_thresholds():
    forest = RandomForestClassifier(50, random_state=0).fit(X, Y)
    assert 10 <= len(thresholds(forest, 3)) <= 40
    assert len(edge_rows(forest, X)[1]) <= 40 * 6 + 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_next_to_a_threshold_are_its_neighbours(dtype):
    values = neighbours(0.1, np.dtype(dtype))
    at = dtype(0.1)
    assert at in values
    assert np.nextafter(at, dtype(1)) in values
    assert np.nextafter(at, dtype(0)) in values
    assert np.float64(np.float32(0.1)) in [float(v) for v in values]


def test_integers_next_to_a_threshold_are_tried():
    assert neighbours(2.5, np.dtype(np.int64)) == [2, 3]
    assert neighbours(-0.5, np.dtype(np.uint8)) == [0]


# A file with another comparison


class OnOrAbove(Binarizer):
    """A Binarizer that is exported with another comparison."""


def on_or_above(graph, model, table):
    x = table.matrix(graph)
    marks = graph.compare("GreaterOrEqual", x, float(model.threshold))
    return Table.of(graph.cast(marks, x.dtype), table.width)


@pytest.mark.parametrize("front", [[], [StandardScaler()]], ids=["first", "scaled"])
def test_a_wrong_comparison_is_found_without_a_row_on_the_threshold(front, monkeypatch):
    monkeypatch.setitem(RULES, (OnOrAbove, "transform"), on_or_above)
    model = make_pipeline(*front, OnOrAbove(threshold=0.5), NET).fit(X, Y)
    if not front:  # after a scaler, rounding decides which neighbour equals it
        with pytest.raises(OnnxParityError, match="onorabove"):
            to_onnx(model, X)
        return
    rows = np.concatenate(edge_rows(model, X))
    assert np.isclose(front[0].fit(X).transform(rows), 0.5, atol=1e-12).any()
