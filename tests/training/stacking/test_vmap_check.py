"""What a module does with its first rows."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_array_equal
from torch import nn

from sklearn_deep import ModuleRegressor
from sklearn_deep.data._batches import Rows
from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.training.stacking._vmap_check import first_rows, stackable, try_out


class Plain(nn.Sequential):
    def __init__(self, n_features, n_outputs):
        layers = [
            nn.Linear(n_features, 4),
            nn.BatchNorm1d(4),
            nn.Tanh(),
            nn.Dropout(0.3),
        ]
        super().__init__(*layers, nn.Linear(4, n_outputs))


class Counting(Plain):
    calls = 0

    def forward(self, x):
        self.calls = self.calls + 1
        return super().forward(x)


class Branching(Plain):
    def forward(self, x):
        return super().forward(x if x.sum() > 0 else -x)


class InPlace(Plain):
    def forward(self, x):
        out = torch.zeros(len(x), 1, dtype=x.dtype)
        out += super().forward(x)
        return out


def job_of(module):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    estimator = ModuleRegressor(module, random_state=0, batch_size=8)
    return prepare(estimator, FitArguments(X, X[:, 0])).job


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_the_first_rows_are_those_of_the_index(kind, rng):
    X = rng.normal(size=(9, 3))
    index, weight = np.array([4, 2, 7]), np.array([1.0, 2.0, 3.0])
    rows = Rows.make(
        kind(X), X[index, :1], weight, index, torch.float64, torch.device("cpu")
    )
    batch = first_rows(rows, 2)
    assert_array_equal(batch.x.numpy(), X[[4, 2]])
    assert_array_equal(batch.y.numpy(), X[[4, 2], :1])
    assert batch.weight.tolist() == [1.0, 2.0]


def test_a_trial_leaves_the_module_as_it_was():
    job = job_of(Plain)
    before = {k: v.clone() for k, v in job.module.state_dict().items()}
    batch = first_rows(job.rows, 8)
    assert try_out(job, batch, "Plain")
    assert stackable(job, batch, "left as it was")
    for name, value in job.module.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(p.grad is None for p in job.module.parameters())


def test_a_module_that_changes_its_attributes_is_no_function_of_its_tensors():
    job = job_of(Counting)
    assert not try_out(job, first_rows(job.rows, 8), "Counting")


@pytest.mark.parametrize(
    ("module", "may"), [(Plain, True), (Branching, False), (InPlace, False)]
)
def test_what_vmap_cannot_do_is_not_stacked(module, may):
    job = job_of(module)
    assert stackable(job, first_rows(job.rows, 8), module) is may


def test_what_comes_out_otherwise_is_not_stacked():
    class Otherwise(Plain):
        def forward(self, x):
            inside = torch._C._functorch.is_batchedtensor(self[0].weight)
            return super().forward(x) * (2.0 if inside else 1.0)

    job = job_of(Otherwise)
    assert not stackable(job, first_rows(job.rows, 8), Otherwise)
