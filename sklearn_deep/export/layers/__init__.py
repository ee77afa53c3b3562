"""ONNX rules of torch layers; importing this package registers them."""

import sklearn_deep.export.layers._columns
import sklearn_deep.export.layers._convolution
import sklearn_deep.export.layers._feed_forward
import sklearn_deep.export.layers._masked
import sklearn_deep.export.layers._quantized
import sklearn_deep.export.layers._recurrent  # noqa: F401
