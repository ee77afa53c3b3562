"""States of fits, for the tests of their storage."""

import numpy as np

from sklearn_deep.training.checkpoints._run_state import RunState


def make_state(epoch=3):
    """A state with arrays of several dtypes and shapes; they differ from epoch to epoch."""
    numbers = {
        "epoch": epoch,
        "history": [{"train_loss": 0.1 + 0.2, "valid_loss": None}] * epoch,
        "done": False,
        "stop_reason": "max_epochs",
    }
    rng = np.random.default_rng(epoch)
    arrays = {
        "weights": rng.normal(size=(7, 3)).astype(np.float32),
        "scalar": np.asarray(epoch),
        "empty": np.empty((0, 4)),
        "flags": rng.random(5) < 0.5,
        "transposed": rng.normal(size=(2, 3)).T,
        "last": np.empty(0, np.float32),
    }
    return RunState(numbers, arrays)


def assert_same(one, other):
    """Two states are equal, with all arrays to the last bit."""
    assert one.numbers == other.numbers
    assert list(one.arrays) == list(other.arrays)
    for name, array in one.arrays.items():
        found = other.arrays[name]
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert found.tobytes() == array.tobytes()
