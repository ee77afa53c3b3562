"""The loss of several tasks is the weighted sum of their own losses, as torch has them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import accuracy_score, r2_score
from torch.testing import assert_close

from sklearn_deep.nn._losses import Loss
from sklearn_deep.nn._several_losses import (
    AlikeTasks,
    SeveralLoss,
    loss_of_constant,
)

G = torch.Generator().manual_seed(0)
N = 12
REAL = Loss.make("test", "squared_error", "real", None)
BINARY = Loss.make("test", "log_loss", "sigmoid", None)
CLASSES = Loss.make("test", "log_loss", "softmax", None)
SMOOTHED = Loss.make("test", "log_loss", "softmax", None, 0.2)

RAW = torch.randn(N, 2 + 1 + 3, generator=G, dtype=torch.float64)
NUMBERS = torch.randn(N, 2, generator=G, dtype=torch.float64)
LABEL = torch.randint(2, (N, 1), generator=G).double()
CODES = torch.randint(3, (N,), generator=G)
WEIGHTS = torch.rand(N, 4, generator=G, dtype=torch.float64)
WEIGHTS[::3, 0] = WEIGHTS[1::4, 3] = 0  # missing


def alike(softmax=CLASSES):
    return (
        AlikeTasks(REAL, 2, 1, 1),
        AlikeTasks(BINARY, 1, 1, 1),
        AlikeTasks(softmax, 1, 3, 3),
    )


def target(numbers=NUMBERS):
    return torch.cat([numbers, LABEL, F.one_hot(CODES, 3), WEIGHTS], 1)


def own_losses(smoothing=0.0):
    numbers = (RAW[:, :2] - NUMBERS).square()
    label = F.binary_cross_entropy_with_logits(RAW[:, 2:3], LABEL, reduction="none")
    classes = F.cross_entropy(
        RAW[:, 3:], CODES, reduction="none", label_smoothing=smoothing
    )
    return torch.cat([numbers, label, classes[:, None]], 1)


def test_a_row_has_the_weighted_sum_of_the_losses_of_its_tasks():
    loss = SeveralLoss.of(alike(), False)
    assert_close(loss.rows(RAW, target()), (own_losses() * WEIGHTS).sum(1))


def test_what_stands_in_place_of_a_missing_target_changes_neither_loss_nor_gradient():
    loss, other = SeveralLoss.of(alike(), False), NUMBERS.clone()
    other[::3, 0] = 1e3
    found = []
    for numbers in (NUMBERS, other):
        raw = RAW.clone().requires_grad_()
        loss.rows(raw, target(numbers)).sum().backward()
        found.append(raw.grad)
    assert torch.equal(*found)
    assert not found[0][::3, 0].any()


def test_label_smoothing_is_of_one_task_and_in_training_only():
    loss = SeveralLoss.of(alike(SMOOTHED), False)
    assert_close(loss.rows(RAW, target()), (own_losses() * WEIGHTS).sum(1))
    smoothed = own_losses(0.2)
    assert_close(loss.training_rows(RAW, target()), (smoothed * WEIGHTS).sum(1))


def test_networks_of_a_stack_have_the_losses_that_they_have_alone():
    loss = SeveralLoss.of(alike(SMOOTHED), True)
    raw = torch.randn(3, N, 10, generator=G, dtype=torch.float64)
    y = target().expand(3, -1, -1)
    together = loss.training_rows(raw, y)
    assert_close(together, torch.stack([loss.training_rows(r, target()) for r in raw]))
    ones = torch.ones(3, N).double()
    scores = torch.stack([loss.score(r, target(), ones[0]) for r in raw])
    assert_close(loss.score(raw, y, ones), scores)


def test_learnt_weights_divide_by_variances_and_pay_for_them():
    logs = torch.tensor([0.5, -1.0, 2.0, 0.0]).double()
    raw = torch.cat([RAW, logs.expand(N, 4)], 1)
    loss = SeveralLoss.of(alike(), True)
    halves = torch.tensor([0.5, 0.5, 1.0, 1.0])
    of_each = halves * torch.exp(-logs) * own_losses() + logs / 2
    assert_close(loss.rows(raw, target()), (of_each * WEIGHTS).sum(1))


def test_the_score_is_the_mean_of_accuracies_and_r2_of_known_targets():
    w = torch.rand(N, generator=G, dtype=torch.float64)
    known = (WEIGHTS > 0).numpy()
    scores = [
        r2_score(NUMBERS[m, k], RAW[m, k], sample_weight=w[m])
        for k, m in enumerate(known.T[:2])
    ]
    scores.append(accuracy_score(LABEL[:, 0], RAW[:, 2] > 0, sample_weight=w))
    m = known[:, 3]
    best = RAW[:, 3:].argmax(1)
    scores.append(accuracy_score(CODES[m], best[m], sample_weight=w[m]))
    found = SeveralLoss.of(alike(), False).score(RAW, target(), w)
    assert float(found) == pytest.approx(np.mean(scores))


def test_a_task_without_a_known_target_has_no_part_in_the_score():
    y = target()
    y[:, -4] = 0
    w = torch.ones(N).double()
    known = WEIGHTS[:, 3] > 0
    best = RAW[:, 3:].argmax(1)
    scores = [
        r2_score(NUMBERS[:, 1], RAW[:, 1]),
        accuracy_score(LABEL[:, 0], RAW[:, 2] > 0),
        accuracy_score(CODES[known], best[known]),
    ]
    found = SeveralLoss.of(alike(), False).score(RAW, y, w)
    assert float(found) == pytest.approx(np.mean(scores))


def test_the_prior_of_each_task_is_of_its_known_targets():
    known = WEIGHTS > 0
    prior = SeveralLoss.of(alike(), True).prior(target(), torch.ones(N).double(), 10)
    assert_close(prior[0], NUMBERS[known[:, 0], 0].mean())
    share = LABEL.mean()
    assert_close(prior[2], torch.log(share / (1 - share)))
    counts = torch.bincount(CODES[known[:, 3]], minlength=3)
    assert_close(prior[3:6].softmax(0), counts / counts.sum(), check_dtype=False)
    assert not prior[6:].any()


@pytest.mark.parametrize(
    ("loss", "values", "expected"),
    [
        (REAL, NUMBERS[:, :1], NUMBERS[:, 0].var(correction=0)),
        (REAL, torch.zeros(N, 1).double(), 1.0),  # nothing to divide by
        (BINARY, LABEL, F.binary_cross_entropy(LABEL.mean().expand(N, 1), LABEL)),
    ],
)
def test_the_loss_of_a_constant_is_that_of_the_best_one(loss, values, expected):
    task = AlikeTasks(loss, 1, 1, 1)
    found = loss_of_constant(task, values, torch.ones(N).double())
    assert found == pytest.approx(float(expected))
