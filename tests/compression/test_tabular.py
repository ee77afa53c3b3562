"""Compressions of an ensemble for tables: its files and pickles, and what is refused."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_deep import (
    OnnxClassifier,
    Pruned,
    Quantized,
    Sliced,
    TabularClassifier,
    to_onnx,
)
from sklearn_deep.nn._quantized import QuantizedLinear

RNG = np.random.default_rng(0)
N_ROWS = 200
FRAME = pd.DataFrame(
    {
        "size": np.where(np.arange(N_ROWS) % 7, RNG.normal(size=N_ROWS), np.nan),
        "town": RNG.choice(["Bonn", "Ulm", "Trier"], N_ROWS),
        "shop": [f"s{i % 11}" for i in range(N_ROWS)],
    }
)
LABELS = (FRAME["size"].fillna(0) > 0).to_numpy() ^ (FRAME["town"] == "Ulm").to_numpy()


def network():
    return TabularClassifier((16, 8), n_networks=2, max_epochs=60, random_state=0)


COMPRESSED = {
    "8 bits": lambda net: Quantized(net),
    "4 bits": lambda net: Quantized(net, 4),
    "trained with rounding": lambda net: Quantized(net, fine_tune_epochs=2),
    "pruned": lambda net: Pruned(net, 0.5, fine_tune_epochs=2),
}


@pytest.fixture(scope="module")
def fitted():
    full = network().fit(FRAME, LABELS)
    return full, {name: make(network()) for name, make in COMPRESSED.items()}


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_compressed_ensemble_predicts_about_the_same_in_python_and_in_its_file(
    name, fitted
):
    full, models = fitted
    model = models[name].fit(FRAME, LABELS)
    assert model.score(FRAME, LABELS) >= full.score(FRAME, LABELS) - 0.03
    expected = model.predict_proba(FRAME)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(FRAME), expected)
    opened = OnnxClassifier(to_onnx(model, FRAME).to_bytes())
    assert_allclose(opened.predict_proba(FRAME), expected, atol=1e-5)


def test_every_linear_layer_of_every_network_holds_integers():
    model = Quantized(network()).fit(FRAME, LABELS)
    layers = list(model.estimator_.module_.modules())
    assert sum(isinstance(layer, QuantizedLinear) for layer in layers) == 2 * 3


def test_later_training_keeps_what_was_pruned():
    model = Pruned(network(), 0.5).fit(FRAME, LABELS).estimator_
    zeros = [p == 0 for p in model.module_.parameters() if p.ndim == 2]
    model.partial_fit(FRAME, LABELS)
    after = [p for p in model.module_.parameters() if p.ndim == 2]
    assert all((p[zero] == 0).all() for p, zero in zip(after, zeros, strict=True))


def test_later_training_of_one_network_keeps_what_was_pruned_and_no_other_network():
    model = Pruned(network(), 0.5).fit(FRAME, LABELS).estimator_
    expected = model.predict_proba(FRAME)
    member = model.estimators_[1]
    zeros = [p == 0 for p in member.module_.parameters() if p.ndim == 2]
    member.partial_fit(FRAME, LABELS)
    after = [p for p in member.module_.parameters() if p.ndim == 2]
    assert any(zero.any() for zero in zeros)
    assert all((p[zero] == 0).all() for p, zero in zip(after, zeros, strict=True))
    assert_array_equal(model.predict_proba(FRAME), expected)


def test_an_ensemble_is_not_sliced_and_the_error_says_what_to_take():
    with pytest.raises(
        TypeError, match=r"TabularClassifier .* Pruned takes any network"
    ):
        Sliced(network(), 0.5).fit(FRAME, LABELS)
