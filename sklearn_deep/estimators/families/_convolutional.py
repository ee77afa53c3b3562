"""Base class of all convolutional estimators: blocks of the network and rules."""

from numbers import Integral
from typing import Any, NoReturn

import numpy as np

from sklearn_deep._params import NONE, Number, OneOf, Rules, SequenceOf
from sklearn_deep.data._layout import Layout
from sklearn_deep.estimators.core._hooks import AutoBatch
from sklearn_deep.estimators.families._family import LayeredEstimator
from sklearn_deep.estimators.families._rules import (
    HIDDEN_LAYER_SIZES,
    NETWORK_RULES,
    TRAINING_RULES,
)
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.nn._cnn import ARCHITECTURES, CNN

_POSITIVE_INT = Number(Integral, 1)
_AUTO = OneOf("auto")
_POOLING = (_AUTO, NONE, OneOf("max", "average"))

CNN_RULES: Rules = {
    "conv_channels": (_AUTO, _POSITIVE_INT, SequenceOf(_POSITIVE_INT, 1)),
    "kernel_size": (_AUTO, _POSITIVE_INT, SequenceOf(_POSITIVE_INT, 1)),
    "stride": (_AUTO, _POSITIVE_INT, SequenceOf(_POSITIVE_INT, 1)),
    "pooling": _POOLING,
    "pool_size": (_POSITIVE_INT,),
    "global_pooling": _POOLING,
    "architecture": (OneOf(*ARCHITECTURES),),
    "spatial_dims": (_AUTO, OneOf(1, 2)),
    "input_shape": (NONE, SequenceOf(_POSITIVE_INT, 1, 3)),
    "channels": (OneOf("last", "first"),),
    "hidden_layer_sizes": (_AUTO, *HIDDEN_LAYER_SIZES),
    **NETWORK_RULES,
    **TRAINING_RULES,
}


class ConvolutionalEstimator(LayeredEstimator):
    """Describes the network of convolutional blocks and hidden layers."""

    _network = staticmethod(CNN)
    # Steps of few rows are efficient, since each row is costly, and small data needs many
    # steps: 36 series make 5 per epoch.
    _auto_batch = AutoBatch(smallest=8)
    # torch has no quick float64 convolutions on a CPU.
    _auto_is_float32 = True

    def __sklearn_tags__(self):
        """Declare that sparse X is refused and 3-D X accepted."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = True
        return tags

    def _architecture(
        self, layout: Layout, n_outputs: int, kind: str
    ) -> dict[str, Any]:
        row = ARCHITECTURES[self.architecture]
        n_dims = 1 if layout.unequal else len(layout.spatial)
        channels = self._chosen("conv_channels", row.channels[n_dims])
        channels = [int(n) for n in np.atleast_1d(channels)]
        pooling = self._chosen("pooling", row.pooling[n_dims])
        stride = self._of_each_layer(
            "stride", row.stride[n_dims], len(channels), "block"
        )
        if row.widths > 1 and (pooling is not None or set(stride) != {1}):
            self._refuse_fewer_positions()
        hidden = self._chosen("hidden_layer_sizes", row.hidden[n_dims])
        hidden = [int(n) for n in np.atleast_1d(hidden)]
        return {
            "layout": layout.plain(),
            "n_outputs": n_outputs,
            "architecture": self.architecture,
            "conv_channels": channels,
            "kernel_size": self._of_each_layer(
                "kernel_size", row.kernel_size[n_dims], len(channels), "block"
            ),
            "stride": stride,
            "pooling": pooling,
            "pool_size": int(self.pool_size),
            "global_pooling": self._chosen(
                "global_pooling", row.global_pooling[n_dims]
            ),
            "residual": bool(self.residual),
            "hidden_layer_sizes": hidden,
            "activation": self.activation,
            "activation_params": self._activation_params(),
            "dropout": self._rates(len(hidden) + 1, "hidden layer and one more"),
            "normalization": self.normalization,
        }

    def _refuse_fewer_positions(self) -> NoReturn:
        raise InvalidParameterError(
            f"The 'architecture' parameter of {type(self).__name__} is"
            f" {self.architecture!r}, which keeps every position: pooling must be"
            f" None or 'auto', and stride 1 or 'auto'. Got {self.pooling!r} and"
            f" {self.stride!r} instead."
        )
