"""Networks that are not plain: many at once by vmap, each as it would be alone."""

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn.model_selection import cross_val_score
from torch import nn

from sklearn_deep import MLPClassifier, MLPRegressor, stacking_report
from sklearn_deep.nn._dropout import Dropout
from sklearn_deep.nn._losses import LOSSES
from sklearn_deep.nn._mlp import BatchNorm
from sklearn_deep.training.loop._loop import train_alone
from sklearn_deep.training.stacking._entries import Member
from sklearn_deep.training.stacking._stack import train_stack
from sklearn_deep.training.step._derived import is_plain


class Gated(nn.Module):
    """A network of another kind: gates, a normalisation and dropout."""

    def __init__(self, n_features, n_outputs, *, hidden_layer_sizes, dropout, **others):
        super().__init__()
        (size,) = hidden_layer_sizes
        self.value = nn.Linear(n_features, size)
        self.gate = nn.Linear(n_features, size)
        self.norm = BatchNorm(size)
        self.drop = Dropout(dropout[0])
        self.output = nn.Linear(size, n_outputs)

    def forward(self, x):
        x = self.norm(self.value(x) * torch.sigmoid(self.gate(x)))
        return self.output(self.drop(x))


class GatedClassifier(MLPClassifier):
    _network = staticmethod(Gated)


class GatedRegressor(MLPRegressor):
    _network = staticmethod(Gated)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4))
    return X, {
        "softmax": rng.integers(0, 3, 80),
        "sigmoid": (X[:, 0] > 0).astype(int),
        "real": np.exp(X[:, 0]),
    }


@pytest.mark.parametrize(("name", "kind"), LOSSES)
def test_a_network_is_the_same_alone_and_in_a_stack(name, kind, data, make_job):
    X, targets = data
    real = kind == "real"
    networks = [
        (GatedRegressor if real else GatedClassifier)(
            (6,),
            loss=name,
            dropout=0.2 * k,
            learning_rate=0.01 * (k + 1),
            l1=0.001 * k,
            max_epochs=8,
            batch_size=16,
            early_stopping=k < 2,
            random_state=k,
            **({} if real else {"label_smoothing": 0.1 * k, "class_weight": None}),
        )
        for k in range(3)
    ]

    def jobs():
        return [
            make_job(network, X[: 80 - 5 * k], targets[kind][: 80 - 5 * k])
            for k, network in enumerate(networks)
        ]

    assert not is_plain(jobs()[0].module)
    alone = [train_alone(job) for job in jobs()]
    members = [Member(job) for job in jobs()]
    train_stack(members)
    x = torch.from_numpy(X)
    for one, member in zip(alone, members, strict=True):
        assert member.error is None
        other = member.result
        assert len(one.history) == len(other.history)
        assert one.best_epoch == other.best_epoch
        with torch.no_grad():
            torch.testing.assert_close(
                one.module(x), other.module(x), rtol=1e-8, atol=1e-8
            )
        for buffer, same in zip(
            one.module.buffers(), other.module.buffers(), strict=True
        ):
            torch.testing.assert_close(buffer, same, rtol=1e-8, atol=1e-8)


def test_few_of_them_train_alone_where_that_is_faster(data):
    X, targets = data
    net = GatedClassifier((6,), max_epochs=3, batch_size=16, random_state=0)
    with parallel_config(backend="stacked"):
        few = cross_val_score(net, X, targets["sigmoid"], cv=3)
        assert stacking_report().alone == {"only 3 of its shape: too few to gain": 3}
        cross_val_score(net, X, targets["sigmoid"], cv=6)
        assert stacking_report().stacks == [6]
    np.testing.assert_allclose(few, cross_val_score(net, X, targets["sigmoid"], cv=3))
