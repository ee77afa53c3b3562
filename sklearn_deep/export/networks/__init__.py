"""ONNX rules of the network estimators; importing this folder enters them in the table."""

import sklearn_deep.export.networks._autoencoders
import sklearn_deep.export.networks._features
import sklearn_deep.export.networks._networks
import sklearn_deep.export.networks._sequences  # noqa: F401
