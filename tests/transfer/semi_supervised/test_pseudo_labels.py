"""Pseudo-labels: those of sure predictions, with a bounded weight."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_deep.transfer.semi_supervised._learning import Settings
from sklearn_deep.transfer.semi_supervised._pseudo_labels import PseudoLabels

X = np.arange(10.0)[:, None]
ROWS, OTHERS = np.arange(4), np.arange(4, 10)
LABELS = np.array([0, 1, 0, 1])


class Recording(PseudoLabels):
    """Notes what is trained on; its network is sure of a row above 6."""

    classes_ = np.array([0, 1])

    def fit_labelled(self, network, rows, y, **more):
        self.trained.append((rows.tolist(), y.tolist(), more.get("sample_weight")))
        return self

    def predict_proba(self, rows):
        p = np.where(rows[:, 0] > 6, 0.99, 0.6)
        return np.column_stack([1 - p, p])


def train(weight=None, threshold=0.95, share=1.0, rounds=2):
    settings = Settings(
        "SemiSupervised", "auto", "auto", threshold, rounds, share, 3, 15, 0.5, 5
    )
    method = Recording(settings, None, X, weight)
    method.trained = []
    method.fit(ROWS, LABELS, OTHERS)
    return method.trained


def test_sure_rows_are_trained_on_in_every_round():
    first, *rounds = train()
    assert first[:2] == (ROWS.tolist(), LABELS.tolist())
    assert len(rounds) == 2
    for rows, labels, _ in rounds:
        assert rows == [*ROWS, 7, 8, 9]
        assert labels == [*LABELS, 1, 1, 1]


def test_nothing_sure_ends_the_rounds():
    assert len(train(threshold=0.999)) == 1


def test_the_threshold_says_what_is_sure():
    assert train(threshold=0.5)[1][0] == [*ROWS, *OTHERS]


@pytest.mark.parametrize(("share", "total"), [(1.0, 3.0), (0.5, 2.0), (0.0, 0.0)])
def test_pseudo_labels_have_a_share_of_the_weight_of_labels_at_most(share, total):
    weight = train(share=share)[1][2]
    assert_allclose(weight[:4], 1.0)
    assert_allclose(weight[4:].sum(), total)


def test_weights_of_the_user_are_those_of_the_rows():
    weight = np.arange(1.0, 11.0)
    found = train(weight=weight)[1][2]
    assert_array_equal(found[:4], weight[:4])
    assert_allclose(found[4:] / found[4], weight[7:] / weight[7])
    assert_allclose(found[4:].sum(), 10.0)
