"""What all tests share: tiny data, one torch thread, no window for pictures.

Hypothesis draws the same examples in every run, so that a change is judged by what it
changed; ``HYPOTHESIS_PROFILE=explore`` draws new ones, and many more.
"""

import gc
import os

os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
from hypothesis import settings
from sklearn.datasets import load_iris, make_classification, make_regression

from browser import browser, runtime  # noqa: F401  (fixtures of all tests)

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_collection_finish():
    """Search for cycles less often: each search looks at all that was collected.

    To freeze what was collected would be simpler, but makes old versions of hypothesis
    draw other values when they repeat an example.
    """
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread():
    """Tiny products gain nothing from threads, and runners are shared."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def stacks_convolutions(monkeypatch):
    """As on a GPU: on a CPU each network with convolutions is trained alone."""
    from sklearn_deep.training.stacking import _grouping

    monkeypatch.setattr(_grouping, "_CONVOLUTIONS", ())


@pytest.fixture(autouse=True, scope="session")
def one_onnxruntime_thread():
    """A session of several threads starts them and lets them wait in a busy loop.

    For a tiny model that is four times the cost of the rest, and takes the cores from
    the other workers.
    """
    import onnxruntime

    start = onnxruntime.InferenceSession.__init__

    def start_with_one(self, model, sess_options=None, *args, **kwargs):
        sess_options = sess_options or onnxruntime.SessionOptions()
        if sess_options.intra_op_num_threads == 0:  # onnxruntime's own choice
            sess_options.intra_op_num_threads = 1
        start(self, model, sess_options, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnxruntime.InferenceSession, "__init__", start_with_one)
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def iris():
    """150 rows, 4 standardised columns, 3 classes."""
    X, y = load_iris(return_X_y=True)
    return _frozen((X - X.mean(0)) / X.std(0), y)


@pytest.fixture(scope="session")
def binary():
    """60 rows, 5 columns, 2 separable classes."""
    X, y = make_classification(
        60, 5, n_informative=4, n_redundant=0, class_sep=2.0, random_state=0
    )
    return _frozen(X, y)


@pytest.fixture(scope="session")
def regression():
    """60 rows, 5 columns, one target of mean 50 and spread of about 100."""
    X, y = make_regression(60, 5, n_informative=4, noise=1.0, random_state=0)
    return _frozen(X, y + 50)


@pytest.fixture(scope="session")
def two_targets():
    """60 rows, 5 columns, two targets."""
    X, Y = make_regression(60, 5, n_targets=2, noise=1.0, random_state=0)
    return _frozen(X, Y)


def _frozen(*arrays):
    # Shared by tests: whoever writes into them is found out.
    for array in arrays:
        array.setflags(write=False)
    return arrays
