"""Networks of Keras, through its torch backend."""

import os
import sys
import warnings
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import torch
from sklearn.pipeline import Pipeline
from torch import nn

from sklearn_deep.exceptions import (
    MissingDependencyError,
    OnnxFileError,
    OnnxImportError,
)
from sklearn_deep.transfer.conversion._check import check_difference, difference
from sklearn_deep.transfer.conversion._from_onnx import from_onnx

_N_ROWS = 4


def from_keras(
    model: Any, *, task: str | None = None, classes: Any = None, X_check: Any = None
) -> Any:
    """Convert a network of Keras to a fitted estimator with trainable weights.

    Files of every backend are read, by Keras 3 with its torch backend. The network is
    traced in evaluation mode and converted as :func:`from_onnx` does, so Keras is not
    needed to predict. It is compared with Keras's own predictions too.

    Parameters
    ----------
    model : str, os.PathLike or keras.Model
        Path of a ``.keras`` or ``.h5`` file, or a model of the torch backend.
    task : {"classifier", "regressor"} or None, default=None
        What the network is for. None: a classifier, if it ends in a softmax or sigmoid,
        or if ``classes`` are given.
    classes : array-like of shape (n_classes,) or None, default=None
        Labels of the outputs, in order. None: numbers from 0.
    X_check : array-like of shape (n_samples, ...) or None, default=None
        Rows that the network is compared on; random ones by default. They are needed
        if an axis of the input may have any length.

    Returns
    -------
    network : estimator or Pipeline
        Fitted, as :func:`from_onnx` returns it, with a ``receipt_``.

    Raises
    ------
    MissingDependencyError
        If Keras is not installed.
    OnnxImportError
        For a network that cannot be converted, or that computes something else.
    OnnxFileError
        For a file that Keras cannot read.

    See Also
    --------
    from_onnx : Networks of every framework, by their ONNX file.

    Examples
    --------
    >>> from sklearn_deep import from_keras
    >>> network = from_keras("digits.keras")  # doctest: +SKIP
    >>> network.predict(X)  # doctest: +SKIP
    """
    keras = _keras()
    network = _loaded(keras, model)
    X = _rows(network, X_check)
    proto = _traced(network, X)
    found = from_onnx(proto, task=task, classes=classes, X_check=X)
    receipt = (found[-1] if isinstance(found, Pipeline) else found).receipt_
    receipt["difference"] = max(receipt["difference"], _against(network, proto, X))
    check_difference(receipt["difference"], receipt["operators"])
    return found


def _keras() -> ModuleType:
    """Keras 3 with its torch backend, which has to be chosen before its first import."""
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        import keras
    except ModuleNotFoundError as error:
        if error.name != "keras":
            raise
        raise MissingDependencyError("from_keras", "keras", "keras") from error
    if keras.backend.backend() != "torch":
        raise OnnxImportError(
            f"Keras runs with its {keras.backend.backend()} backend here, and from_keras"
            " needs torch. Set KERAS_BACKEND=torch in the environment, or save the model"
            " with model.save('model.keras') and convert the file in a process of its own."
        )
    return keras


def _loaded(keras: Any, model: Any) -> Any:
    if isinstance(model, keras.Model):
        return model
    if not isinstance(model, (str, os.PathLike)):
        raise TypeError(
            "from_keras takes the path of a .keras or .h5 file, or a keras.Model; got"
            f" {type(model).__name__}."
        )
    path = os.fspath(model)
    if not os.path.exists(path):
        raise FileNotFoundError(f"There is no file {path!r}.")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # of many kinds
        raise OnnxFileError(
            f"Keras cannot read {path!r}: {error}. Save the model again with"
            " model.save('model.keras'); layers of your own have to be registered with"
            " keras.saving.register_keras_serializable."
        ) from error


def _rows(network: Any, X_check: Any) -> np.ndarray:
    if X_check is not None:
        return np.asarray(X_check)
    if len(network.inputs) != 1:
        raise OnnxImportError(
            f"from_keras takes a network of one input; this one has {len(network.inputs)}."
        )
    (given,) = network.inputs
    shape = tuple(given.shape[1:])
    if None in shape:
        raise OnnxImportError(
            f"The network takes rows of any length, {shape}, and has to be of one shape."
            " Pass rows of that shape as X_check."
        )
    random = np.random.default_rng(0)
    n_codes = [
        layer.input_dim for layer in network.layers if hasattr(layer, "embeddings")
    ]
    if n_codes:
        return random.integers(0, min(n_codes), (_N_ROWS, *shape))
    return random.normal(size=(_N_ROWS, *shape)).astype(np.float32)


class _Evaluated(nn.Module):
    """A network of Keras that predicts."""

    def __init__(self, network: Any):
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the outputs without dropout and with running moments."""
        return self.network(x, training=False)


def _traced(network: Any, X: np.ndarray) -> Any:
    """The network as an ONNX model for any number of rows."""
    module = _Evaluated(network).cpu().eval()
    example = torch.from_numpy(X[:2].astype(_dtype(X)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                verbose=False,
                dynamic_shapes=({0: torch.export.Dim("n")},),
            )
    except Exception as error:  # of many kinds
        raise OnnxImportError(
            f"torch cannot trace the network of Keras: {type(error).__name__}:"
            f" {str(error)[:300]}. Export it to ONNX with model.export(path,"
            " format='onnx'), and read the file with from_onnx."
        ) from error
    assert program is not None
    return program.model_proto


def _dtype(X: np.ndarray) -> Any:
    return np.float32 if X.dtype.kind == "f" else np.int64


def _against(network: Any, proto: Any, X: np.ndarray) -> float:
    """Difference of the traced model to Keras's own prediction."""
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    x = X.astype(_dtype(X))
    (traced,) = session.run(None, {proto.graph.input[0].name: x})
    with torch.no_grad():
        own = network(torch.from_numpy(x), training=False).cpu().numpy()
    return difference(traced, own)
