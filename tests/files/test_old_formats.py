"""Files of every format version load; one of each is stored here.

They are never written again: what this version cannot read, it has to learn.
"""

from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.testing import assert_allclose

from sklearn_deep import describe, load
from sklearn_deep.files._container import FORMAT

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
ROWS = np.random.default_rng(0).normal(size=(24, 3))
# What the first three rows are predicted as by the network that was saved.
PROBABILITIES = {
    1: [
        [0.4056415590301473, 0.5943584409698527],
        [0.3902607735519742, 0.6097392264480258],
        [0.4762329274918125, 0.5237670725081875],
    ]
}


def test_there_is_a_file_of_each_version():
    assert list(PROBABILITIES) == list(range(1, FORMAT + 1))


@pytest.mark.parametrize("version", PROBABILITIES)
def test_a_stored_file_loads_predicts_and_trains(version):
    path = Path(__file__).parent / f"format-{version}.skd"
    assert describe(path)["format"] == version
    model = load(path, public_key=KEY)
    expected = PROBABILITIES[version]
    assert_allclose(model.predict_proba(ROWS[:3]), expected, rtol=1e-6)
    assert model.n_iter_ == 3
    model.partial_fit(ROWS, model.predict(ROWS))
