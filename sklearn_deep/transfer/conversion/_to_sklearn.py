"""Networks of ours as scikit-learn's multilayer perceptrons, where those can hold them."""

import warnings
from typing import Any

import numpy as np
import torch
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sklearn_deep.compression._base import network_in
from sklearn_deep.estimators.core._fitted import Fitted, fitted_of
from sklearn_deep.estimators.families._mlp import MLPClassifier, MLPRegressor
from sklearn_deep.nn._dropout import RateModule
from sklearn_deep.nn._mlp import MLP, BatchNorm, Output

_Layer = tuple[np.ndarray, np.ndarray]

_ACTIVATIONS: dict[type[nn.Module], str] = {
    nn.Identity: "identity",
    nn.ReLU: "relu",
    nn.Sigmoid: "logistic",
    nn.Tanh: "tanh",
}

_SOLVERS = {
    "adamw": "adam",
    "gd": "sgd",
    "momentum": "sgd",
    "nesterov": "sgd",
    "rmsprop": "adam",
}

# Losses whose raw output is the prediction, and the loss of scikit-learn that is nearest.
_LOSSES = {
    "squared_error": "squared_error",
    "absolute_error": "squared_error",
    "huber": "squared_error",
    "quantile": "squared_error",
    "poisson": "poisson",
}


def to_sklearn(network: Any) -> Any:
    """Convert a fitted network to a multilayer perceptron of scikit-learn.

    It has the same weights and predictions, and needs neither torch nor this package
    to predict. Batch normalisation is folded into the weights before it.

    Parameters
    ----------
    network : estimator
        A fitted :class:`MLPClassifier` or :class:`MLPRegressor`, or a Pruned or Sliced
        one, with an activation that scikit-learn has: "identity", "relu", "sigmoid" or
        "tanh". It is not changed.

    Returns
    -------
    mlp : sklearn.neural_network.MLPClassifier or MLPRegressor
        Fitted; the state of the optimizer is not taken over.

    Raises
    ------
    TypeError
        For another estimator.
    ValueError
        For a network that scikit-learn's cannot hold; the message says why.
    NotFittedError
        If ``network`` is not fitted.

    See Also
    --------
    from_sklearn : The way back.
    to_onnx : A file of any network, a Pipeline around it included.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, to_sklearn
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPClassifier((16,), max_epochs=20, random_state=0).fit(X, y)
    >>> mlp = to_sklearn(network)
    >>> bool((mlp.predict(X) == network.predict(X)).all())
    True
    """
    check_is_fitted(network)
    inner = network_in(getattr(network, "estimator_", network))
    if not isinstance(inner, (MLPClassifier, MLPRegressor)):
        raise TypeError(
            "to_sklearn takes a fitted MLPClassifier or MLPRegressor of sklearn_deep; got"
            f" {type(network).__name__}. Use to_onnx for other networks, and pass the"
            " last step of a Pipeline."
        )
    fitted = fitted_of(inner)
    layers, activation = _layers(fitted)
    if isinstance(inner, MLPRegressor):
        layers[-1] = _in_units(fitted, *layers[-1])
    mlp = _mlp_like(inner, fitted, layers, activation)
    mlp.coefs_ = [np.ascontiguousarray(weight.T) for weight, _ in layers]
    mlp.intercepts_ = [bias for _, bias in layers]
    mlp.set_params(solver=_SOLVERS.get(inner.optimizer, inner.optimizer))
    vars(mlp).update(_course(inner, fitted))
    names = fitted.features.feature_names_in
    if names is not None:
        mlp.feature_names_in_ = names.copy()
    return mlp


def _refuse(reason: str) -> ValueError:
    return ValueError(
        f"scikit-learn's MLP cannot hold this network: {reason}. Export it with to_onnx"
        " instead."
    )


def _layers(fitted: Fitted) -> tuple[list[_Layer], str]:
    """Weight (n_out, n_in) and bias of each layer, and the hidden activation."""
    module, layers, found = fitted.module, list[_Layer](), set[str]()
    if not isinstance(module, MLP):
        raise _refuse(f"its module is a {type(module).__name__}")
    for block in module.hidden:
        if block.shortcut is not None:
            raise _refuse("it has residual layers")
        for layer in block.layers:
            if isinstance(layer, nn.Linear):
                layers.append(_weights(layer))
            elif isinstance(layer, BatchNorm):
                layers[-1] = _folded(*layers[-1], layer)
            elif type(layer) in _ACTIVATIONS:
                found.add(_ACTIVATIONS[type(layer)])
            elif not isinstance(layer, RateModule):
                raise _refuse(f"it has no {type(layer).__name__}")
    assert isinstance(module.output, Output)
    return [*layers, _weights(module.output)], found.pop() if found else "relu"


def _weights(layer: nn.Linear) -> _Layer:
    return _array(layer.weight), _array(layer.bias)


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy().copy()


def _folded(weight: np.ndarray, bias: np.ndarray, norm: BatchNorm) -> _Layer:
    """A layer with the batch normalisation after it."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    with torch.no_grad():
        factor = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        shift = norm.bias.double() - norm.running_mean.double() * factor
    scale, offset = _array(factor), _array(shift)
    return (
        (weight * scale[:, None]).astype(weight.dtype),
        (bias * scale + offset).astype(bias.dtype),
    )


def _in_units(fitted: Fitted, weight: np.ndarray, bias: np.ndarray) -> _Layer:
    """The output layer of a regressor, with the scale of y in it."""
    loss, targets = fitted.loss, fitted.targets
    if loss.name not in _LOSSES or loss.has_several_quantiles:
        raise _refuse(f"a loss={loss.name!r} predicts more than one number per target")
    if loss.calibration is not None:
        raise _refuse("its predictions are corrected by rows that were held out")
    if loss.name == "poisson":
        return weight, (bias + np.log(targets.scale)).astype(bias.dtype)
    return (
        (weight * targets.scale[:, None]).astype(weight.dtype),
        (bias * targets.scale + targets.center).astype(bias.dtype),
    )


def _mlp_like(
    network: Any, fitted: Fitted, layers: list[_Layer], activation: str
) -> Any:
    """A fitted network of scikit-learn of these sizes, with other weights."""
    params = {
        "hidden_layer_sizes": tuple(len(bias) for _, bias in layers[:-1]),
        "activation": activation,
        "solver": "lbfgs",  # it leaves no state of an optimizer behind
        "max_iter": 1,
        "random_state": 0,
    }
    rows = np.zeros((1, layers[0][0].shape[1]), fitted.dtype)
    if isinstance(network, MLPClassifier):
        mlp, y = neural_network.MLPClassifier(**params), _all_labels(fitted)
    else:
        loss = _LOSSES[fitted.loss.name]
        mlp, y = neural_network.MLPRegressor(**params, loss=loss), _some_targets(fitted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mlp.fit(rows.repeat(len(y), 0), y)
    return mlp.set_params(**_training(network, fitted))


def _all_labels(fitted: Fitted) -> np.ndarray:
    """Targets of rows that have every label."""
    classes = fitted.targets.classes
    if not fitted.targets.multilabel:
        return classes
    return np.vstack([np.eye(len(classes), dtype=int), np.ones(len(classes), int)])


def _some_targets(fitted: Fitted) -> np.ndarray:
    n_outputs = fitted.targets.n_outputs
    return np.ones((2,) if n_outputs == 1 else (2, n_outputs))


def _training(network: Any, fitted: Fitted) -> dict[str, Any]:
    """Parameters of a training that goes on, as near as scikit-learn has them."""
    whole = isinstance(network.batch_size, int)
    batch = network.batch_size if whole else 200
    return {
        "alpha": float(network.l2) * batch,
        "batch_size": batch if whole else "auto",
        "learning_rate_init": fitted.learning_rate or 0.001,
        "max_iter": network.max_epochs if network.max_epochs != "auto" else 200,
        "momentum": float(network.momentum),
        "nesterovs_momentum": network.optimizer == "nesterov",
        "beta_1": float(network.betas[0]),
        "beta_2": float(network.betas[1]),
        "early_stopping": network.early_stopping is True,
        "validation_fraction": network.validation_fraction,
        "n_iter_no_change": network.n_iter_no_change or 10,
        "tol": network.tol,
        "random_state": network.random_state,
    }


def _course(network: Any, fitted: Fitted) -> dict[str, Any]:
    """Attributes of a training, as far as scikit-learn's own goes on from them."""
    stops = network.early_stopping is True
    losses = [row["train_loss"] for row in fitted.history]
    return {
        "n_iter_": len(losses),
        "loss_": losses[-1] if losses else float("nan"),
        "loss_curve_": losses,
        "best_loss_": None if stops else np.inf,
        "validation_scores_": [] if stops else None,
        "best_validation_score_": -np.inf if stops else None,
    }
