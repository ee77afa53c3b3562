"""A store of states, for the tests of the files."""

import pytest

from sklearn_deep import Checkpoint
from sklearn_deep.training.checkpoints._store import Store


@pytest.fixture
def make_store(tmp_path):
    """A store in one temporary folder, with parameters of its ``Checkpoint``."""
    return lambda **given: Store(Checkpoint(tmp_path, **given), "MLPClassifier")
