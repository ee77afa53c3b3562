"""ONNX rules of the network estimators; importing this package registers them."""

import sklearn_deep.export.networks._autoencoders
import sklearn_deep.export.networks._features
import sklearn_deep.export.networks._frames
import sklearn_deep.export.networks._networks
import sklearn_deep.export.networks._sequences
import sklearn_deep.export.networks._several  # noqa: F401
