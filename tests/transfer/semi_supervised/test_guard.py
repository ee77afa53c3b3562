"""The guard scores both networks on labelled rows that neither has learnt from."""

from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_deep.transfer.semi_supervised._guard import cross_validated

# 5 labelled rows, so that folds differ in size.
X = np.arange(12.0)[:, None]
ROWS, OTHERS = np.arange(5), np.arange(5, 12)
LABELS = np.array([0, 1, 0, 1, 0])


class Constant:
    """A classifier that is right on so many rows."""

    def __init__(self, n_right):
        self.n_right = n_right

    def fit(self, X, y):
        return self


class Recording:
    """Notes which rows each network learns from."""

    network = of_labels_only = SimpleNamespace(random_state=0)

    def __init__(self, weight=None):
        self.weight, self.seen = weight, []

    def fit_labelled(self, network, rows, y):
        self.seen.append(("labels", rows, None))
        return Constant(0)

    def fit(self, rows, y, others):
        self.seen.append(("method", rows, others))
        return Constant(1)

    def take(self, rows):
        return X[rows]


def right(network, rows, y):
    """The share of rows that are right: one of them, or none."""
    return network.n_right / len(rows)


def test_both_learn_from_the_same_rows_without_those_of_the_test():
    method = Recording()
    cross_validated(method, ROWS, LABELS, OTHERS, 2, right)
    tested = []
    for labels, own in zip(method.seen[::2], method.seen[1::2], strict=True):
        assert (labels[0], own[0]) == ("labels", "method")
        assert labels[1].tolist() == own[1].tolist()
        assert own[2].tolist() == OTHERS.tolist()
        tested += sorted(set(ROWS) - set(own[1]))
    assert sorted(tested) == ROWS.tolist()


def test_the_score_is_the_mean_over_rows_and_not_over_folds():
    base, semi = cross_validated(Recording(), ROWS, LABELS, OTHERS, 2, right)
    assert base == 0.0
    assert semi == pytest.approx(2 / 5)  # one row of each of two folds


@pytest.mark.parametrize("labels", [[0, 1, 2, 3, 4], [0, 0, 0, 0, 1]])
def test_too_few_labels_of_a_class_are_not_compared(labels):
    found = cross_validated(Recording(), ROWS, np.array(labels), OTHERS, 2, right)
    assert found is None
