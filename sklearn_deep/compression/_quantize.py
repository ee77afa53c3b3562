"""Quantization: networks that compute with 8-bit integers."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import OneOf
from sklearn_deep.compression._base import (
    BASE_RULES,
    DESCRIPTIONS,
    FINE_TUNE_RULES,
    Compression,
)
from sklearn_deep.compression._network import blocks, fine_tune, rows_of, with_module
from sklearn_deep.data._batches import Rows
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.nn._quantization import NETWORKS, QuantizedNetwork, with_fake_quant
from sklearn_deep.nn._quantized import LIMITS, Quantize
from sklearn_deep.nn._ranges import CALIBRATIONS, LEVELS, Range, scale_and_zero


class Quantized(Compression):
    """Compute with 8-bit integers instead of floats.

    The network is trained in floating point. Then batch normalisation is folded into
    the layers before it, weights are rounded to integers with one scale per output
    channel, and activations are rounded to integers in a range learnt from the training
    rows [1]_. Predictions are computed from these integers, as in the exported ONNX
    file, which is a fourth as large and runs on the integer kernels of onnxruntime.

    A quantized network computes in float32 between its layers, also if X is float64. In
    recurrent networks only weights (including embeddings) are rounded, because
    onnxruntime has no integer kernels for them: their file is as small, but not faster.
    A ModuleClassifier cannot be quantized.

    Parameters
    ----------
    estimator : estimator
        A network of sklearn_deep, another compression of one, or a FrozenEstimator
        around a fitted one.
    bits : {8, 7, 4}, default=8
        Bits per weight. With 8 and 7, activations are rounded to 8 bits as well. With
        8, scales are chosen so that two neighbouring weights add up to at most 128,
        which avoids overflow on CPUs without 8-bit product instructions (VNNI); 7 bits
        never overflow. 4 rounds weights only, to an eighth of their size, and computes
        in floating point.
    calibration : {"minmax", "percentile", "mse"}, default="minmax"
        How the range of each activation is chosen. "minmax": the range of all values on
        the training rows. "percentile" and "mse" exclude outliers first: values more
        than ten times as large as the largest ones of 98 % of the rows. Of the rest,
        "percentile" clips one value in 50,000 on either side, and "mse" takes the range
        with the least squared error of rounding and clipping.
    fine_tune_epochs : int, default=0
        Number of epochs of quantization-aware training: weights and activations are
        rounded in the forward pass, and gradients ignore the rounding.
    fine_tune_learning_rate : float or None, default=None
        Learning rate of the fine-tuning; None for a fifth of the network's own.
    max_score_drop : float or None, default=None
        Largest allowed drop of the score. The score is measured on ``X_val`` and
        ``y_val``, else on the rows held out for early stopping, else on the training
        rows. None allows any drop, but warns (``ScoreDropWarning``) if the network's
        own ``score``, on at most 4,096 of these rows, drops by more than 0.02 and by
        more than 9 rows.
    on_score_drop : {"raise", "fall_back"}, default="raise"
        What a larger drop does: raise ``ScoreDropError``, or keep the network
        unquantized.
    scoring : str, callable or None, default=None
        Scorer that measures the drop; None for the network's own ``score``.
    prefit : bool, default=False
        Whether ``estimator`` is already fitted and is only compressed, not trained
        first. ``clone`` and searches drop what was fitted: wrap the estimator in a
        ``FrozenEstimator`` for them.

    Attributes
    ----------
    estimator_ : estimator
        The quantized network; its fitted attributes, such as ``classes_``, are
        also attributes of this estimator.
    ranges_ : dict of str to tuple of float
        Smallest and largest value that each rounded activation can take.
    score_drop_ : float
        Drop of the score; set if ``max_score_drop`` is not None.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the column names of X are strings.

    See Also
    --------
    Pruned : Set connections to zero.
    Sliced : Remove whole units.

    References
    ----------
    .. [1] Jacob et al., "Quantization and training of neural networks for efficient
           integer-arithmetic-only inference", arXiv:1712.05877.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_deep import MLPClassifier, Quantized
    >>> X, y = load_digits(return_X_y=True)
    >>> net = MLPClassifier((64,), max_epochs=10, random_state=0)
    >>> whole = Quantized(net).fit(X[:1000] / 16, y[:1000])
    >>> bool(whole.score(X[1000:] / 16, y[1000:]) > 0.9)
    True
    """

    _rules = {
        **BASE_RULES,
        **FINE_TUNE_RULES,
        "bits": (OneOf(*LIMITS),),
        "calibration": (OneOf(*CALIBRATIONS),),
    }

    _describes = "ranges_"
    _fine_tune_share = 0.2

    @names_unknown_arguments
    def __init__(
        self,
        estimator,
        bits=8,
        *,
        calibration="minmax",
        fine_tune_epochs=0,
        fine_tune_learning_rate=None,
        max_score_drop=None,
        on_score_drop="raise",
        scoring=None,
        prefit=False,
    ):
        self.estimator = estimator
        self.bits = bits
        self.calibration = calibration
        self.fine_tune_epochs = fine_tune_epochs
        self.fine_tune_learning_rate = fine_tune_learning_rate
        self.max_score_drop = max_score_drop
        self.on_score_drop = on_score_drop
        self.scoring = scoring
        self.prefit = prefit

    def _advice(self) -> str:
        other = {
            "calibration='percentile' or 'mse' excludes outliers from the ranges": (
                self.calibration == "minmax" and self.bits != 4
            ),
            "bits=8 rounds less": self.bits != 8,
            f"fine_tune_epochs={2 * self.fine_tune_epochs or 5} trains the rounded"
            " network": True,
        }
        return "What helps: " + "; ".join(k for k, v in other.items() if v) + "."

    def _levels(
        self, network: DeepEstimator, given: FitArguments
    ) -> Iterator[DeepEstimator]:
        if not isinstance(network.module_, NETWORKS):
            kinds = ", ".join(kind.__name__ for kind in NETWORKS)
            raise ValueError(
                f"{type(self).__name__} can quantize networks of the kinds {kinds}; got a"
                f" {type(network).__name__}, whose module is a"
                f" {type(network.module_).__name__}. Use an estimator with one of the"
                " former, or another compression."
            )
        rows = rows_of(network, given)
        fake_quantized = (
            with_fake_quant(network.module_, self.bits).to(rows.device).eval()
        )
        calibrate(fake_quantized, rows, self.calibration)
        if self.fine_tune_epochs:
            network = fine_tune(
                network,
                given,
                epochs=self.fine_tune_epochs,
                learning_rate=self._rate(network),
                module=fake_quantized,
            )
        yield with_module(
            network,
            QuantizedNetwork(fake_quantized),
            bits=self.bits,
            dtype=np.dtype("float32"),
            weight_mask=None,
        )


def calibrate(fake_quantized: nn.Module, rows: Rows, how: str) -> None:
    """Learn the ranges of activations from rows, batch by batch."""
    places = _places(fake_quantized)
    for layer in places.values():
        layer.observer = Range(clipped=how != "minmax")
    with torch.no_grad():
        _pass(fake_quantized, rows, places)
        if how != "minmax":
            for layer in places.values():
                assert layer.observer is not None
                layer.observer.start_counting()
            _pass(fake_quantized, rows, places)
    for layer in places.values():
        assert layer.observer is not None
        scale, zero = scale_and_zero(*CALIBRATIONS[how](layer.observer))
        layer.scale.copy_(scale)
        layer.zero.copy_(zero)
        layer.observer = layer.weight_of_rows = None


def _places(module: nn.Module) -> dict[str, Quantize]:
    layers = module.named_modules()
    return {name: layer for name, layer in layers if isinstance(layer, Quantize)}


def _pass(fake_quantized: nn.Module, rows: Rows, places: dict[str, Quantize]) -> None:
    for batch in blocks(rows):
        for layer in places.values():
            layer.weight_of_rows = batch.weight
        fake_quantized(batch.x)


def _ranges(network: DeepEstimator) -> dict[str, tuple[float, float]]:
    return {
        name: (
            -int(layer.zero) * float(layer.scale),
            (LEVELS - int(layer.zero)) * float(layer.scale),
        )
        for name, layer in _places(network.module_).items()
    }


DESCRIPTIONS["ranges_"] = _ranges
