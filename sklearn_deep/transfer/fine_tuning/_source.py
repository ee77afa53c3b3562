"""The pretrained network: its values, and what is known of its columns and classes."""

import copy
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from torch import Tensor, nn

from sklearn_deep.compression._base import network_in
from sklearn_deep.compression._network import unwrap_frozen
from sklearn_deep.data._features import Features
from sklearn_deep.data._frame_features import FrameFeatures
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fitted import Fitted, find_fitted
from sklearn_deep.exceptions import InvalidParameterError, MissingDependencyError
from sklearn_deep.files._load import load
from sklearn_deep.nn._quantization import QuantizedNetwork


@dataclass(frozen=True)
class Source:
    """A network whose training goes on for another task.

    Attributes
    ----------
    module : torch.nn.Module
        It is not changed.
    network : DeepEstimator or None
        The estimator that it belongs to, if any.
    fitted : Fitted or None
        Its fitted state.
    transformers : Pipeline or None
        Fitted steps before it.
    """

    module: nn.Module
    network: Any = None
    fitted: Fitted | None = None
    transformers: Pipeline | None = None

    def values(self) -> dict[str, Tensor]:
        """Parameters and buffers by name."""
        return dict(self.module.state_dict())

    def learnt_features(self, owner: str) -> Features | None:
        """Encodings of columns or tokens that the values belong to, if there are any."""
        features = None if self.fitted is None else self.fitted.features
        learnt = isinstance(features, FrameFeatures) or (
            features is not None and features.vocabulary is not None
        )
        if features is None or not learnt:
            return None
        features = copy.copy(features)
        features.owner = owner
        return features


def source_of(owner: str, pretrained: Any) -> Source:
    """The network in what the user passed as ``pretrained``.

    Raises
    ------
    NotFittedError
        For a network that is not fitted, such as a clone of a fitted one.
    InvalidParameterError
        For something else than a network.
    """
    if isinstance(pretrained, nn.Module):
        return Source(pretrained)
    if isinstance(pretrained, (str, os.PathLike)):
        pretrained = _read(pretrained)
    inside, transformers = unwrap_frozen(pretrained), None
    if isinstance(inside, Pipeline):
        transformers, inside = inside[:-1], unwrap_frozen(inside.steps[-1][1])
    network = network_in(inside)
    if isinstance(network, Pipeline):  # a FineTuned behind transformers
        inner = source_of(owner, network)
        return Source(inner.module, inner.network, inner.fitted, inner.transformers)
    if not isinstance(network, DeepEstimator):
        raise InvalidParameterError(
            f"The 'pretrained' parameter of {owner} must be a fitted network of"
            " sklearn_deep, a FrozenEstimator around one, a Pipeline that ends in one, the"
            " path of a file of save or of an .onnx file, or a torch.nn.Module. Got"
            f" {type(inside).__name__} instead.{_hint(inside)}"
        )
    fitted = find_fitted(network)
    if fitted is None:
        raise NotFittedError(
            f"{owner} got a pretrained {type(network).__name__} that is not fitted:"
            " clone, and so every search, drops what was fitted. Wrap the fitted network"
            f" in a FrozenEstimator: {owner}(..., pretrained=FrozenEstimator(network))."
        )
    if isinstance(fitted.module, QuantizedNetwork):
        raise InvalidParameterError(
            f"{owner} cannot train a quantized network: it has integers in place of"
            " parameters. Pass the network before quantization as pretrained."
        )
    return Source(fitted.module, network, fitted, transformers)


def _read(path: str | os.PathLike) -> Any:
    """The network in a file of ours, or in an ONNX file."""
    if Path(path).suffix.lower() == ".onnx":
        return _from_onnx()(path)
    return load(path)


def _from_onnx() -> Any:
    try:
        from sklearn_deep.transfer.conversion._from_onnx import from_onnx
    except ModuleNotFoundError as error:
        if error.name not in ("onnx", "onnxruntime"):
            raise
        feature = "A pretrained network in an ONNX file"
        raise MissingDependencyError(feature, error.name, "onnx") from error
    return from_onnx


# What converts networks of other libraries, by the module of their class.
_CONVERTERS = {
    "sklearn.neural_network": "from_sklearn",
    "keras": "from_keras",
    "onnx": "from_onnx",
    "builtins.bytes": "from_onnx",
}


def _hint(value: Any) -> str:
    name = f"{type(value).__module__}.{type(value).__name__}"
    found = [f for start, f in _CONVERTERS.items() if name.startswith(start)]
    return f" Convert it with sklearn_deep.{found[0]} first." if found else ""
