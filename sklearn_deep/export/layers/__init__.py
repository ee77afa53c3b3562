"""ONNX rules of torch layers; importing this folder enters all of them in the table."""

import sklearn_deep.export.layers._columns
import sklearn_deep.export.layers._convolution
import sklearn_deep.export.layers._feed_forward
import sklearn_deep.export.layers._masked
import sklearn_deep.export.layers._quantized
import sklearn_deep.export.layers._recurrent  # noqa: F401
