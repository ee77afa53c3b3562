"""Targets of rows without a label, from the network or the average of its weights."""

import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from sklearn_deep import MLPClassifier
from sklearn_deep.augmentation._base import Augmentation
from sklearn_deep.data._batches import Batch
from sklearn_deep.data._layout import Layout
from sklearn_deep.transfer.semi_supervised._consistency import (
    FixMatch,
    FixMatchTeaching,
    MeanTeacher,
    MeanTeaching,
)
from sklearn_deep.transfer.semi_supervised._learning import Settings

NOTHING = math.nan


class Shift(Augmentation):
    """Adds a number to every value."""

    kinds = frozenset({"table"})

    def __init__(self, by=0.0):
        self.by = by

    def augment(self, batch, generator):
        return batch.with_x(batch.x + self.by)


def identity(dropout=0.0):
    """A network whose raw outputs are the values of a row."""
    layer = nn.Linear(3, 3, bias=False)
    nn.init.eye_(layer.weight)
    return nn.Sequential(layer, nn.Dropout(dropout))


def teaching(cls, module, threshold=0.95, n_steps=10, kind="softmax", width=3):
    job = SimpleNamespace(
        module=module, layout=Layout.table(width), loss=SimpleNamespace(kind=kind)
    )
    return cls(job, (Shift(1.0),), (Shift(2.0),), n_steps, threshold)


def augmented(taught, x, y, weight=None):
    generator = torch.Generator().manual_seed(0)
    return taught.augment(Batch(torch.tensor(x), torch.tensor(y), weight), generator)


SURE, UNSURE = [9.0, 0.0, 0.0], [0.5, 0.0, 0.0]
HOT = [0.0, 1.0, 0.0]
BLANK = [NOTHING] * 3


def test_rows_without_a_label_are_strongly_augmented_and_others_weakly():
    taught = teaching(FixMatchTeaching, identity())
    batch = augmented(taught, [SURE, SURE], [HOT, BLANK])
    assert_allclose(batch.x[0], np.add(SURE, 1.0))
    assert_allclose(batch.x[1], np.add(SURE, 2.0))


def test_sure_predictions_are_labels_and_others_have_no_weight():
    taught = teaching(FixMatchTeaching, identity())
    batch = augmented(taught, [SURE, SURE, UNSURE], [HOT, BLANK, BLANK])
    assert_allclose(batch.y, [HOT, [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    assert_allclose(batch.weight, [1.0, 1.0, 0.0])


def test_the_threshold_says_what_is_sure():
    taught = teaching(FixMatchTeaching, identity(), threshold=0.4)
    assert_allclose(augmented(taught, [UNSURE], [BLANK]).weight, [1.0])


@pytest.mark.parametrize(("raw", "weight"), [(9.0, 1.0), (-9.0, 1.0), (0.1, 0.0)])
def test_one_output_is_sure_on_both_sides(raw, weight):
    taught = teaching(FixMatchTeaching, nn.Identity(), kind="sigmoid", width=1)
    batch = augmented(taught, [[raw - 1.0]], [[NOTHING]])
    assert_allclose(batch.weight, [weight])
    assert_allclose(batch.y, [[float(raw > 0)]])


def test_weights_of_the_rows_are_kept():
    taught = teaching(FixMatchTeaching, identity())
    weight = torch.tensor([3.0, 5.0, 7.0])
    batch = augmented(taught, [SURE, SURE, UNSURE], [HOT, BLANK, BLANK], weight)
    assert_allclose(batch.weight, [3.0, 5.0, 0.0])


def test_the_teacher_does_not_drop_units_and_the_student_goes_on_dropping():
    module = identity(dropout=0.9).train()
    taught = teaching(FixMatchTeaching, module)
    batch = augmented(taught, [SURE] * 50, [BLANK] * 50)
    assert_allclose(batch.weight, np.ones(50))
    assert all(layer.training for layer in module.modules())


def test_no_gradient_flows_through_the_targets():
    taught = teaching(MeanTeaching, identity())
    assert not augmented(taught, [SURE], [BLANK]).y.requires_grad


def test_the_teacher_has_the_average_of_the_weights_of_all_steps():
    module = identity()
    taught = teaching(MeanTeaching, module)
    expected = 0.0
    for step, factor in enumerate([1.0, 2.0, 5.0]):
        with torch.no_grad():
            module[0].weight.copy_(factor * torch.eye(3))
        augmented(taught, [SURE], [BLANK])
        expected += (factor - expected) / (step + 1)  # their mean, at first
        assert_allclose(
            taught.average[0].weight.detach().diagonal(), [expected] * 3, rtol=1e-6
        )


def test_the_weight_of_soft_targets_grows_at_first():
    taught = teaching(MeanTeaching, identity(), n_steps=10)
    weights = [augmented(taught, [SURE], [BLANK]).weight.item() for _ in range(5)]
    assert_allclose(weights[0], math.exp(-5))
    assert all(a < b for a, b in pairwise(weights[:4]))
    assert weights[3:] == [1.0, 1.0]


SETTINGS = Settings("SemiSupervised", "auto", "auto", 0.95, 3, 0.25, 3, 15, 0.5, 5)


def test_rows_with_and_without_a_label_weigh_what_the_user_asks_for():
    """The labelled ones 1, all others together ``unlabelled_weight``."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 3)), np.arange(10) % 2
    network = MLPClassifier((4,), max_epochs=2, random_state=0, early_stopping=False)
    method = FixMatch(SETTINGS, network, X, None)
    own = method._network(50, 10)
    prepared = method._prepared(own, np.arange(10), y)
    rows = method._rows(
        prepared, prepared.job, np.arange(10), np.arange(10, 50), copies=2
    )
    labelled = ~rows.y.isnan().any(-1)
    assert labelled.sum() == 20
    total, n = rows.weight, len(rows.weight)
    assert_allclose(total[labelled].sum() / n, 1.0)
    assert_allclose(total[~labelled].sum() / n, 0.25)


def test_the_network_of_averaged_weights_is_the_result():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    network = MLPClassifier((4,), max_epochs=2, random_state=0, early_stopping=False)
    method = MeanTeacher(SETTINGS, network, X, None)
    seen = []
    finish = method._finish
    method._finish = lambda taught: (finish(taught), seen.append(taught))
    fitted = method.fit(np.arange(10), np.arange(10) % 2, np.arange(10, 60))
    average = seen[0].average.state_dict()
    for name, value in fitted.module_.state_dict().items():
        assert torch.equal(value, average[name])
