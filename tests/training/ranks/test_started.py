"""``device="cpu*2"``: a fit starts the other ranks itself, from a plain script."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ranked_fits import classes, short, table
from sklearn_deep import (
    Checkpoint,
    InvalidParameterError,
    MLPClassifier,
    MLPRegressor,
    RankLostError,
    TabularRegressor,
    TrainingDivergedError,
)
from sklearn_deep.training.ranks import _pool

# A script as people write them: nothing guards it from being imported, and the module is
# its own.
SCRIPT = """
import numpy as np, sys
from torch import nn
from sklearn_deep import ModuleClassifier

class Own(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(8, n_outputs),
        )

    def forward(self, x):
        return self.layers(x)

rng = np.random.default_rng(0)
X = rng.normal(size=(201, 5))
y = (X[:, 0] > 0).astype(int)
model = ModuleClassifier(
    Own, max_epochs=3, batch_size=30, optimizer="sgd", dtype="float64", random_state=0,
    device=sys.argv[1],
).fit(X, y)
print(model.predict_proba(X[:4])[:, 0].tolist())
"""


@pytest.fixture(autouse=True)
def no_children_left():
    """Whatever happens, no process of a test outlives its module."""
    yield
    pool = _pool._Here.pool
    assert pool is None or pool.is_alive


def predictions(model, X):
    return (model.predict_proba if hasattr(model, "predict_proba") else model.predict)(
        X
    )


@pytest.mark.parametrize(
    ("estimator", "data"),
    [
        (MLPClassifier(**short(dropout=0.2, l2=0.01)), classes()),
        (
            MLPClassifier(**short(early_stopping=True, monitor="balanced_accuracy")),
            classes(),
        ),
        (
            TabularRegressor(
                n_networks=2, max_epochs=2, random_state=0, dtype="float64"
            ),
            table(60),
        ),
        (MLPRegressor(**short(optimizer="lbfgs")), table()),
        (MLPRegressor(**short(learning_rate="auto")), table()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_it_comes_to_the_network_of_one_process(estimator, data):
    X, y = data
    alone = predictions(estimator.fit(X, y), X)
    together = predictions(estimator.set_params(device="cpu*2").fit(X, y), X)
    np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-11)


def test_large_rows_are_shared():
    X, y = table(4_000, 30)
    estimator = MLPRegressor(**short(batch_size=1_000, max_epochs=1))
    alone = estimator.fit(X, y).predict(X[:5])
    together = estimator.set_params(device="cpu*2").fit(X, y).predict(X[:5])
    np.testing.assert_allclose(together, alone, rtol=1e-9)


@pytest.mark.slow
def test_a_plain_script_needs_no_guard_and_leaves_nothing(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    memory = Path("/dev/shm")
    before = set(memory.glob("sklearn_deep_*"))
    given = [
        subprocess.run(
            [sys.executable, script, device], capture_output=True, text=True, check=True
        )
        for device in ("cpu", "cpu*2")
    ]
    first, second = (np.array(eval(done.stdout)) for done in given)
    np.testing.assert_allclose(second, first, rtol=1e-9)
    assert given[1].stderr == given[0].stderr
    assert set(memory.glob("sklearn_deep_*")) <= before


def test_a_diverging_fit_leaves_the_ranks_for_the_next_one():
    X, y = classes()
    MLPClassifier(**short(device="cpu*2")).fit(X, y)
    pool = _pool._Here.pool
    bad = MLPClassifier(**short(device="cpu*2", optimizer="sgd", learning_rate=1e200))
    with pytest.raises(TrainingDivergedError):
        bad.fit(X, y)
    MLPClassifier(**short(device="cpu*2")).fit(X, y)
    assert _pool._Here.pool is pool


def kill_a_child(estimator, X, y):
    os.kill(_pool._Here.pool._children[0].pid, signal.SIGKILL)
    return 0.5


def test_a_killed_child_is_an_error_and_the_next_fit_has_another():
    X, y = classes()
    given = short(device="cpu*2", early_stopping=True)
    with pytest.raises(RankLostError, match="another process of this fit"):
        MLPClassifier(**given, monitor=kill_a_child).fit(X, y)
    assert _pool._Here.pool is None
    MLPClassifier(**given).fit(X, y)


def interrupt(estimator, X, y):
    raise KeyboardInterrupt


@pytest.mark.slow
def test_an_interrupted_fit_ends_the_children(monkeypatch):
    X, y = classes()
    MLPClassifier(**short(device="cpu*2")).fit(X, y)
    children = list(_pool._Here.pool._children)
    model = MLPClassifier(
        **short(device="cpu*2", early_stopping=True), monitor=interrupt
    )
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert all(child.returncode is not None for child in children)
    assert _pool._Here.pool is None


def test_a_state_of_several_processes_is_that_of_one(tmp_path):
    X, y = classes()
    given = short(checkpoint=Checkpoint(tmp_path, every_epochs=1))
    together = MLPClassifier(**given, device="cpu*2").fit(X, y)
    # The state says that the fit has finished.
    again = MLPClassifier(**given).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), together.predict_proba(X))


def test_callbacks_for_every_batch_are_refused():
    from skorch.callbacks import Callback

    model = MLPClassifier(**short(device="cpu*2", callbacks=[Callback()]))
    with pytest.raises(InvalidParameterError, match="by torchrun"):
        model.fit(*classes())


@pytest.mark.parametrize(
    "device", ["cpu*1", "cpu*0", "cpu:2", "cpu*", "gpu*2", "2*cpu"]
)
def test_other_names_are_refused(device):
    with pytest.raises(InvalidParameterError, match=r"'cpu\*N' or 'cuda\*N'"):
        MLPClassifier(device=device).fit(*classes())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["cuda:all", "cuda*2"])
def test_without_gpus_the_error_says_so(device):
    with pytest.raises(InvalidParameterError, match="'cpu'"):
        MLPClassifier(device=device).fit(*classes())


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_all_gpus_come_to_the_network_of_one():
    X, y = classes()
    given = short(dtype="float32", optimizer="sgd")
    alone = MLPClassifier(**given, device="cuda").fit(X, y)
    together = MLPClassifier(**given, device="cuda:all").fit(X, y)
    np.testing.assert_allclose(
        together.predict_proba(X), alone.predict_proba(X), atol=1e-4
    )
