"""Networks with fewer units: what goes, what stays, what they predict."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sklearn_deep import (
    CNNAutoencoder,
    CNNClassifier,
    MLPAutoencoder,
    MLPClassifier,
    RNNClassifier,
    Sliced,
)
from sklearn_deep.compression._widths import Widths

QUICK = {"max_epochs": 2, "random_state": 0, "dtype": "float64"}


def images(n=40):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return rng.normal(size=(n, 8, 8, 1)) + y[:, None, None, None], y


def series(n=40):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return rng.normal(size=(n, 12, 2)) + y[:, None, None], y


def table(n=40):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return rng.normal(size=(n, 6)) + y[:, None], y


def words(n=40):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    return [
        " ".join(rng.choice(["a", "b", "c", "d"][k * 2 :], size=3 + i % 4))
        for i, k in enumerate(y)
    ], y


FAMILIES = {
    "mlp": (MLPClassifier((8, 6)), table),
    "mlp-batch": (MLPClassifier((8, 6), normalization="batch"), table),
    "mlp-layer": (MLPClassifier((8,), normalization="layer"), table),
    "mlp-selu-dropout": (MLPClassifier((8, 6), activation="selu", dropout=0.1), table),
    "mlp-residual": (MLPClassifier((8, 8, 12, 12), residual=True), table),
    "mlp-residual-inputs": (MLPClassifier((6, 6, 10), residual=True), table),
    "cnn": (CNNClassifier((8, 4), hidden_layer_sizes=(6,)), images),
    "cnn-biases": (CNNClassifier((8, 4), normalization=None), images),
    "cnn-strided": (CNNClassifier((8, 4), pooling=None, stride=2), images),
    "cnn-residual": (CNNClassifier((4, 4, 8), residual=True), images),
    "cnn-even": (CNNClassifier((8, 4), kernel_size=4, normalization="layer"), series),
    "resnet": (CNNClassifier((4, 8, 8), architecture="resnet"), images),
    "resnet-series": (CNNClassifier((4, 8), architecture="resnet"), series),
    "fcn": (CNNClassifier((4, 8, 4), architecture="fcn"), series),
    "inception_time": (
        CNNClassifier((4,) * 4, kernel_size=8, architecture="inception_time"),
        series,
    ),
    "inception_time-two": (
        CNNClassifier((4,) * 6, kernel_size=8, architecture="inception_time"),
        series,
    ),
    "rnn": (RNNClassifier(8, cell="rnn"), series),
    "lstm": (RNNClassifier(8, cell="lstm", num_layers=2), series),
    "gru": (RNNClassifier(8, cell="gru", bidirectional=True, num_layers=2), series),
    "attention": (RNNClassifier(8, readout="attention"), series),
    "tokens": (RNNClassifier(8, readout="mean", embedding_dim=5), words),
    "autoencoder": (MLPAutoencoder((8, 6), code_size=3), table),
    "conv-autoencoder": (CNNAutoencoder((4, 8), code_size=3), images),
    "conv-autoencoder-three": (CNNAutoencoder((4, 6, 8), code_size=3), images),
}


@pytest.fixture(scope="module", params=FAMILIES)
def fitted(request):
    estimator, data = FAMILIES[request.param]
    X, y = data()
    return estimator.set_params(**QUICK).fit(X, y), X, y


def silence(network, share=0.5):
    """Let a share of the units of every layer give nothing."""
    widths = Widths(network)
    values = network.module_.state_dict()
    for width in widths.free:
        for root in width.roots:
            silent = torch.arange(width.size)[1::2][: round(share * width.size)]
            for name, axes in widths.units.axes.items():
                start = 0
                for segment in axes[0]:
                    if segment.group.root is root and "running" not in name:
                        n = segment.positions
                        for k in silent.tolist():
                            values[name][start + k * n : start + (k + 1) * n] = 0
                    start += segment.length


def outputs(estimator, X):
    method = "transform" if hasattr(estimator, "transform") else "predict_proba"
    return getattr(estimator, method)(X)


def test_removing_silent_units_changes_no_output(fitted):
    network, X, y = fitted
    silence(network)
    before = outputs(network, X)
    small = Sliced(network, keep=0.5, fine_tune_epochs=0, prefit=True).fit(X, y)
    assert_allclose(outputs(small, X), before, atol=1e-12)
    n_before, n_after = (
        sum(p.numel() for p in e.module_.parameters()) for e in (network, small)
    )
    assert n_after < n_before
