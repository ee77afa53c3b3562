"""Quantized layers on series of unequal length: how they treat padding.

Every quantization grid contains 0, so padding with zeros works as it does for floats.
"""

from typing import Any

from sklearn_deep.nn._masked import RULES, Series, strided
from sklearn_deep.nn._quantized import (
    FakeQuantize,
    Quantize,
    QuantizedLinear,
    WeightOnly,
)


def _quantize(layer: Quantize, given: Series) -> Series:
    return given.with_x(layer(given.filled(0.0)))


def _product(layer: Any, given: Series) -> Series:
    x = layer(given.filled(0.0))
    return Series(x, strided(given.lengths, layer.how["stride"][0]))


RULES.update(
    {
        Quantize: _quantize,
        FakeQuantize: _product,
        QuantizedLinear: _product,
        WeightOnly: _product,
    }
)
