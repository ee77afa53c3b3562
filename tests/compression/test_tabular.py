"""Compressions of an ensemble for tables: what is left, its files and pickles."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_deep import (
    OnnxClassifier,
    OnnxRegressor,
    Pruned,
    Quantized,
    ScoreDropError,
    Sliced,
    TabularClassifier,
    TabularRegressor,
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
    "sliced": lambda net: Sliced(net, 0.5, fine_tune_epochs=5),
    "sliced, then 8 bits": lambda net: Quantized(Sliced(net, 0.5, fine_tune_epochs=5)),
    "pruned, then sliced": lambda net: Sliced(Pruned(net, 0.5), 0.5),
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


def n_units(model):
    """Units of each hidden layer of each network."""
    networks = model.module_.networks
    return [[len(b.layers[0].bias) for b in net.hidden] for net in networks]


def test_every_network_keeps_the_same_number_of_units(fitted):
    full, _ = fitted
    model = Sliced(full, 0.5, prefit=True, fine_tune_epochs=2).fit(FRAME, LABELS)
    assert n_units(model) == [[8, 4], [8, 4]]
    assert model.architecture_ == {"hidden_layer_sizes": [8, 4]}
    assert model.estimator_.get_params()["hidden_layer_sizes"] == (8, 4)
    together = Sliced(full, 0.5, scope="global", prefit=True).fit(FRAME, LABELS)
    first, second = n_units(together)
    assert first == second
    assert sum(first) == 12


def kept(small, full):
    """Which units of the first layer of each network are still there, by their weights."""
    pairs = zip(small.module_.networks, full.module_.networks, strict=True)
    weights = [
        (a.hidden[0].layers[0].weight, b.hidden[0].layers[0].weight) for a, b in pairs
    ]
    return [
        [i for i, row in enumerate(before) if (row == after).all(1).any()]
        for after, before in weights
    ]


def test_every_network_chooses_its_own_units(fitted):
    full, _ = fitted
    model = Sliced(full, 0.5, prefit=True, fine_tune_epochs=0).fit(FRAME, LABELS)
    first, second = kept(model, full)
    assert len(first) == len(second) == 8
    assert first != second


def test_later_training_of_a_sliced_ensemble_keeps_its_widths(fitted):
    full, _ = fitted
    model = Sliced(full, 0.5, prefit=True, fine_tune_epochs=0).fit(FRAME, LABELS)
    member = model.estimators_[1]
    expected = model.predict_proba(FRAME)
    member.partial_fit(FRAME, LABELS)
    assert_array_equal(model.predict_proba(FRAME), expected)
    model.estimator_.partial_fit(FRAME, LABELS)
    assert n_units(model) == [[8, 4], [8, 4]]
    assert np.abs(model.predict_proba(FRAME) - expected).max() > 1e-3


def test_budgets_of_an_ensemble_are_kept(fitted):
    full, _ = fitted
    model = Sliced(full, max_params=800, prefit=True).fit(FRAME, LABELS)
    assert 700 < sum(p.numel() for p in model.module_.parameters()) <= 800
    with pytest.raises(ScoreDropError):
        Sliced(full, 0.2, prefit=True, fine_tune_epochs=0, max_score_drop=0.0).fit(
            FRAME, LABELS
        )
    model = Sliced(full, 0.5, prefit=True, max_score_drop=0.03).fit(FRAME, LABELS)
    assert model.score(FRAME, LABELS) >= full.score(FRAME, LABELS) - 0.03


def test_an_ensemble_of_regressors_is_sliced():
    y = FRAME["size"].fillna(0) + (FRAME["town"] == "Ulm")
    full = TabularRegressor((16, 8), n_networks=2, max_epochs=60, random_state=0)
    model = Sliced(full, 0.5, max_score_drop=0.03).fit(FRAME, y)
    opened = OnnxRegressor(to_onnx(model, FRAME).to_bytes())
    assert_allclose(opened.predict(FRAME), model.predict(FRAME), atol=1e-5)
