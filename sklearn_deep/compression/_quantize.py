"""Networks that compute with whole numbers of 8 bits."""

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
from sklearn_deep.estimators._base import DeepEstimator
from sklearn_deep.estimators._data import FitArguments
from sklearn_deep.nn._quantization import NETWORKS, QuantizedNetwork, rehearsed
from sklearn_deep.nn._quantized import LIMITS, Quantize
from sklearn_deep.nn._ranges import CALIBRATIONS, LEVELS, Range, scale_and_zero


class Quantized(Compression):
    """Compute with whole numbers of 8 bits in place of floats.

    The network is trained as it is. Then its batch normalisation is folded into the
    layers before it, weights become whole numbers with a scale for each output channel,
    and so do the values between layers, whose ranges are learnt from the training rows
    [1]_. Predictions are those of the whole numbers, and the ONNX file has the same ones:
    it is a fourth as large, and fused by onnxruntime to kernels of 8 bits.

    A quantized network computes in float32 between its layers, also where X is float64.
    Of recurrent networks, for which onnxruntime has no kernels of whole numbers, only the
    weights are rounded, those of embeddings among them: their file is as small, and not
    faster. A ModuleClassifier cannot be quantized.

    Parameters
    ----------
    estimator : estimator
        A network of sklearn_deep, another compression of one, or a FrozenEstimator
        around a fitted one.
    bits : {8, 7, 4}, default=8
        Of the weights. 8 and 7 round activations to 8 bits as well. With 8, scales are
        such that two neighbouring weights add up to 128 at most, so that a CPU without
        instructions for products of 8 bits (VNNI) does not overflow; 7 bits cannot. 4
        rounds weights only, to an eighth of their size; products are those of floats.
    calibration : {"minmax", "percentile", "mse"}, default="minmax"
        How the range of an activation is chosen. "minmax": it holds all values that the
        training rows give. "percentile" and "mse" leave outliers out: values more than
        ten times as large as the largest ones of 98 % of the rows. Of the others,
        "percentile" holds all but one in 50,000 on either side, and "mse" the share
        whose rounding and clipping together have the least squared error.
    fine_tune_epochs : int, default=0
        Epochs of training with rounded weights and activations, through which gradients
        pass as if nothing were rounded.
    fine_tune_learning_rate : float or None, default=None
        Learning rate of the fine-tuning; None for a fifth of the network's own.
    max_score_drop : float or None, default=None
        Largest allowed drop of the score. The score is measured on ``X_val`` and
        ``y_val``, else on the rows held out for early stopping, else on the training rows.
        None allows any drop, but warns (``ScoreDropWarning``) if the network's own
        ``score``, on at most 4,096 of these rows, drops by more than 0.02 and by more
        than 9 rows.
    on_score_drop : {"raise", "fall_back"}, default="raise"
        What a larger drop does: raise ``ScoreDropError``, or keep the network
        unquantized.
    scoring : str, callable or None, default=None
        A scorer of scikit-learn; None for the network's own ``score``.
    prefit : bool, default=False
        Whether ``estimator`` is fitted already, and not to be trained from the start. A
        clone, as searches make them, has an unfitted one: freeze it there.

    Attributes
    ----------
    estimator_ : estimator
        The quantized network; its fitted attributes, ``classes_`` for one, are also here.
    ranges_ : dict of str to tuple of float
        Smallest and largest value that each rounded activation can have.
    score_drop_ : float
        Drop of the score; set if ``max_score_drop`` is not None.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had string column names.

    See Also
    --------
    Pruned : Sets connections to zero.
    Sliced : Removes whole units.

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
            "calibration='percentile' or 'mse' leaves outliers out of the ranges": (
                self.calibration == "minmax" and self.bits != 4
            ),
            "bits=8 rounds less": self.bits != 8,
            f"fine_tune_epochs={2 * self.fine_tune_epochs or 5} trains the network for"
            " the rounding": True,
        }
        return "What helps: " + "; ".join(k for k, v in other.items() if v) + "."

    def _levels(
        self, network: DeepEstimator, given: FitArguments
    ) -> Iterator[DeepEstimator]:
        if not isinstance(network.module_, NETWORKS):
            kinds = ", ".join(kind.__name__ for kind in NETWORKS)
            raise ValueError(
                f"{type(self).__name__} has whole numbers for the layers of {kinds}"
                f" networks; got a {type(network).__name__}, whose module is"
                f" {type(network.module_).__name__}. Take an estimator of the former, or"
                " another compression."
            )
        rows = rows_of(network, given)
        rehearsal = rehearsed(network.module_, self.bits).to(rows.device).eval()
        calibrate(rehearsal, rows, self.calibration)
        if self.fine_tune_epochs:
            network = fine_tune(
                network,
                given,
                epochs=self.fine_tune_epochs,
                learning_rate=self._rate(network),
                module=rehearsal,
            )
        yield with_module(
            network,
            QuantizedNetwork(rehearsal),
            bits=self.bits,
            dtype=np.dtype("float32"),
            weight_mask=None,
        )


def calibrate(rehearsal: nn.Module, rows: Rows, how: str) -> None:
    """Learn the ranges of activations from rows, a block of them at a time."""
    places = _places(rehearsal)
    for layer in places.values():
        layer.seen = Range(clipped=how != "minmax")
    with torch.no_grad():
        _pass(rehearsal, rows, places)
        if how != "minmax":
            for layer in places.values():
                assert layer.seen is not None
                layer.seen.start_counting()
            _pass(rehearsal, rows, places)
    for layer in places.values():
        assert layer.seen is not None
        scale, zero = scale_and_zero(*CALIBRATIONS[how](layer.seen))
        layer.scale.copy_(scale)
        layer.zero.copy_(zero)
        layer.seen = layer.weight_of_rows = None


def _places(module: nn.Module) -> dict[str, Quantize]:
    layers = module.named_modules()
    return {name: layer for name, layer in layers if isinstance(layer, Quantize)}


def _pass(rehearsal: nn.Module, rows: Rows, places: dict[str, Quantize]) -> None:
    for batch in blocks(rows):
        for layer in places.values():
            layer.weight_of_rows = batch.weight
        rehearsal(batch.x)


def _ranges(network: DeepEstimator) -> dict[str, tuple[float, float]]:
    return {
        name: (
            -int(layer.zero) * float(layer.scale),
            (LEVELS - int(layer.zero)) * float(layer.scale),
        )
        for name, layer in _places(network.module_).items()
    }


DESCRIPTIONS["ranges_"] = _ranges
