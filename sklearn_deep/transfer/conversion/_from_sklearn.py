"""scikit-learn's multilayer perceptrons as networks of ours."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import neural_network
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_deep.data._targets import ClassTargets, RealTargets
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.families._mlp import MLPClassifier, MLPRegressor
from sklearn_deep.transfer.conversion._adopted import adopted, real_targets

# Rows per step of scikit-learn's ``batch_size="auto"``.
_AUTO_BATCH = 200

_ACTIVATIONS = {"logistic": "sigmoid"}
_SCHEDULES = {"adaptive": "plateau"}

# Parameters with the same name and meaning.
_SHARED = (
    "early_stopping",
    "validation_fraction",
    "n_iter_no_change",
    "tol",
    "momentum",
    "warm_start",
    "random_state",
)


def _optimizer(mlp: Any) -> str:
    if mlp.solver != "sgd":
        return mlp.solver
    if mlp.momentum == 0:
        return "sgd"
    return "nesterov" if mlp.nesterovs_momentum else "momentum"


def _batch(mlp: Any) -> int:
    return _AUTO_BATCH if mlp.batch_size == "auto" else int(mlp.batch_size)


# How each of our parameters follows from theirs.
_TRANSLATED: dict[str, Callable[[Any], Any]] = {
    "hidden_layer_sizes": lambda mlp: [w.shape[1] for w in mlp.coefs_[:-1]],
    "activation": lambda mlp: _ACTIVATIONS.get(mlp.activation, mlp.activation),
    "optimizer": _optimizer,
    "learning_rate": lambda mlp: mlp.learning_rate_init,
    "learning_rate_schedule": lambda mlp: _SCHEDULES.get(mlp.learning_rate, "constant"),
    "batch_size": _batch,
    "max_epochs": lambda mlp: mlp.max_iter,
    "l2": lambda mlp: mlp.alpha / _batch(mlp),
    "betas": lambda mlp: (mlp.beta_1, mlp.beta_2),
    "loss": lambda mlp: mlp.loss,
    "weight_decay": lambda mlp: 0.0,
    "dropout": lambda mlp: 0.0,
}


def from_sklearn(mlp: Any) -> Any:
    """Convert a fitted multilayer perceptron of scikit-learn to a network of ours.

    The network has the same weights and predictions; its training goes on with
    ``partial_fit`` or ``warm_start=True``. It can be compressed and exported as any
    other. Parameters are translated as the user guide says,
    :doc:`/user_guide/conversion`; the state of the optimizer is not taken over. A clone
    of it is not fitted: a search trains networks with new initial weights.

    Parameters
    ----------
    mlp : estimator
        A fitted :class:`sklearn.neural_network.MLPClassifier` or
        :class:`~sklearn.neural_network.MLPRegressor`, a FrozenEstimator around one, or
        a Pipeline that ends in one. It is not changed.

    Returns
    -------
    network : MLPClassifier, MLPRegressor or Pipeline
        Fitted. A Pipeline has copies of the other steps.

    Raises
    ------
    TypeError
        For another estimator.
    NotFittedError
        If ``mlp`` is not fitted.

    See Also
    --------
    to_sklearn : The way back.
    from_onnx : Networks of other frameworks, by their ONNX file.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sklearn_deep import from_sklearn
    >>> X, y = load_iris(return_X_y=True)
    >>> mlp = MLPClassifier((16,), solver="lbfgs", random_state=0).fit(X, y)
    >>> network = from_sklearn(mlp)
    >>> bool((network.predict(X) == mlp.predict(X)).all())
    True
    """
    if isinstance(mlp, FrozenEstimator):
        return from_sklearn(mlp.estimator)
    if isinstance(mlp, Pipeline) and mlp.steps:
        before, (name, last) = mlp.steps[:-1], mlp.steps[-1]
        network = from_sklearn(last)
        twin = copy.copy(mlp)
        return twin.set_params(steps=[*copy.deepcopy(before), (name, network)])
    _check(mlp)
    estimator: DeepEstimator
    targets: ClassTargets | RealTargets
    if isinstance(mlp, neural_network.MLPClassifier):
        estimator, targets = MLPClassifier(), _class_targets(mlp)
    else:
        estimator, targets = MLPRegressor(), _real_targets(mlp)
    estimator.set_params(**_params(mlp))
    return adopted(
        estimator,
        (mlp.n_features_in_,),
        getattr(mlp, "feature_names_in_", None),
        targets,
        _values(mlp, estimator),
        _history(mlp),
    )


def _check(mlp: Any) -> None:
    kinds = (neural_network.MLPClassifier, neural_network.MLPRegressor)
    if not isinstance(mlp, kinds):
        name = mlp.__name__ if isinstance(mlp, type) else type(mlp).__name__
        raise TypeError(
            "from_sklearn takes a fitted MLPClassifier or MLPRegressor of"
            f" sklearn.neural_network, or a Pipeline that ends in one; got {name}. Of a"
            " search, pass best_estimator_."
        )
    check_is_fitted(mlp, "coefs_")


def _params(mlp: Any) -> dict[str, Any]:
    """Parameters of our estimator that train as theirs does."""
    # A RandomState is drawn from, and theirs has to stay as it is.
    params = {name: copy.deepcopy(getattr(mlp, name)) for name in _SHARED}
    params.update({name: translate(mlp) for name, translate in _TRANSLATED.items()})
    return params


def _class_targets(mlp: Any) -> ClassTargets:
    multilabel = mlp.out_activation_ == "logistic" and mlp.n_outputs_ > 1
    return ClassTargets(np.asarray(mlp.classes_), multilabel)


def _real_targets(mlp: Any) -> RealTargets:
    flat = mlp.n_outputs_ == 1
    scaling = {"poisson": "mean"}.get(mlp.loss, "standard")
    dtype = mlp.coefs_[0].dtype
    return real_targets(mlp.n_outputs_, dtype, flat=flat, scaling=scaling)


def _values(mlp: Any, estimator: DeepEstimator) -> dict[str, np.ndarray]:
    """Weights by the names of our module, (n_out, n_in) each."""
    last = len(mlp.coefs_) - 1
    places = [f"hidden.{i}.layers.0" for i in range(last)] + ["output"]
    values = {}
    for place, weight, bias in zip(places, mlp.coefs_, mlp.intercepts_, strict=True):
        values[f"{place}.weight"] = np.ascontiguousarray(weight.T)
        values[f"{place}.bias"] = bias.copy()
    return values


def _history(mlp: Any) -> list[dict[str, Any]]:
    """One row per epoch; losses that scikit-learn does not keep are NaN."""
    n_epochs, nothing = int(mlp.n_iter_), float("nan")
    losses = list(getattr(mlp, "loss_curve_", ()))
    losses = [nothing] * (n_epochs - len(losses)) + losses[-n_epochs:]
    if n_epochs:
        losses[-1] = float(mlp.loss_)
    scores = list(getattr(mlp, "validation_scores_", None) or ())
    scores += [nothing] * (n_epochs - len(scores))
    return [
        {
            "epoch": epoch,
            "train_loss": float(loss),
            "valid_loss": nothing,
            "valid_score": float(score),
            "learning_rate": float(mlp.learning_rate_init),
            "seconds": nothing,
        }
        for epoch, (loss, score) in enumerate(
            zip(losses, scores, strict=False), start=1
        )
    ]
