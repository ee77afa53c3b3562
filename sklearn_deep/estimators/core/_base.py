"""What every network estimator does: fit, remember, give raw outputs, be pickled."""

import copy
import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklearn_deep._arguments import advice, names_unknown_arguments
from sklearn_deep._compat import CallbackSupportMixin, with_callbacks
from sklearn_deep._params import check_params
from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.data._batches import Rows
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.estimators.core._calibration import corrected, with_correction
from sklearn_deep.estimators.core._data import FitArguments
from sklearn_deep.estimators.core._fitted import Fitted, FittedAttribute
from sklearn_deep.estimators.core._fitting import prepare, with_found_rate
from sklearn_deep.estimators.core._hooks import NetworkHooks
from sklearn_deep.estimators.core._html import with_network_section
from sklearn_deep.estimators.core._named_lists import inner_params, set_inner_params
from sklearn_deep.estimators.core._networks import initialized, shape_of, without_values
from sklearn_deep.estimators.core._policy_search import with_found_policy
from sklearn_deep.estimators.core._state import fill_module
from sklearn_deep.estimators.core._watching import make_watchers
from sklearn_deep.nn._losses import Loss
from sklearn_deep.training._train import train
from sklearn_deep.training.job._job import NetSettings, TrainJob
from sklearn_deep.training.loop._forward import raw_outputs


@contextmanager
def all_or_nothing(estimator: BaseEstimator) -> Iterator[None]:
    """Undo every change of an estimator's attributes when an exception passes."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


class DeepEstimator(TracksSubclasses, CallbackSupportMixin, NetworkHooks):
    """Base of all network estimators.

    A family writes its rule table, ``_architecture``, ``_nonlinearity`` and
    ``_network``: the class of its module, whose output layer is the attribute
    ``output``. ``_task`` is what it is trained for.
    """

    def _initialized(
        self, architecture: dict[str, Any], loss: Loss, rows: Rows, seed: int
    ) -> nn.Module:
        return initialized(self, architecture, loss, rows, seed)

    def _load_module(self, fitted: Fitted, values: dict[str, Any]) -> nn.Module:
        return fill_module(without_values(self._network, fitted), values)

    def _with_stack_key(self, job: TrainJob, architecture: dict[str, Any]) -> TrainJob:
        return dataclasses.replace(job, architecture_key=shape_of(self, architecture))

    # fit

    @names_unknown_arguments
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Train a network: a fresh one, or with ``warm_start`` the one there is.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training features, of any real dtype. Sparse matrices stay sparse.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. Only their ratios matter; rows of weight 0
            count as removed; labels of a classifier stay in ``classes_``.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation features; then nothing is held out of ``X``.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Validation targets.
        sample_weight_val : array-like of shape (n_val,), default=None
            Validation weights.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            For input that cannot be used; the message says why, and the mend.
        TrainingDivergedError
            When the loss or a weight is no longer finite. Then, as after any error,
            the estimator is as it was before the call.

        Warns
        -----
        TrainingWarning
            When the loss is finite, and far above that of a constant prediction.
        """
        with all_or_nothing(self):
            return self._fit(
                FitArguments(X, y, sample_weight, X_val, y_val, sample_weight_val)
            )

    def _partial_fit(self, X, y, sample_weight, classes=None):
        given = FitArguments(X, y, sample_weight, classes=classes, incremental=True)
        with all_or_nothing(self):
            return self._fit(given)

    @with_callbacks
    def _fit(self, given: FitArguments):
        check_params(self, self._rules)
        before = self.__dict__.get("_fitted")
        if not (given.incremental or self.warm_start):
            before = None
        prepared = prepare(self, given, before)
        job = with_found_rate(self, prepared.job, before)
        job, policy = with_found_policy(job, before and before.policy)
        fitted = dataclasses.replace(prepared.fitted, policy=policy)
        with make_watchers(self, job, given, fitted) as watching:
            if not (before or given.incremental):
                job = with_correction(job, self.validation_fraction)
            result = train(job, watching.watchers)
            settings = NetSettings.of(job, int(self.verbose), bool(self.warm_start))
            fitted = fitted.trained(job, result, settings)
            loss = corrected(job.loss, fitted.module, job.validation)
            self._fitted = dataclasses.replace(fitted, loss=loss, net=watching.net)
        return self

    # What was learnt.

    module_ = FittedAttribute(lambda f: f.module, "The trained ``torch.nn.Module``.")
    n_iter_ = FittedAttribute(lambda f: len(f.history), "Number of epochs.")
    best_epoch_ = FittedAttribute(
        lambda f: f.best_epoch, "Epoch, from 1, whose weights the network has."
    )
    loss_curve_ = FittedAttribute(
        lambda f: [row["train_loss"] for row in f.history],
        "Training loss of each epoch.",
    )
    learning_rate_ = FittedAttribute(
        lambda f: f.learning_rate, "Learning rate at the start of the training."
    )
    stop_reason_ = FittedAttribute(lambda f: f.stop_reason, "Why the training ended.")
    augmentation_ = FittedAttribute(
        lambda f: f.augmentation, "Augmentations of the training."
    )

    @property
    def n_features_in_(self):
        """Number of columns of X; missing for sequences."""
        return self._of_columns("n_features_in_", "n_features_in")

    @property
    def feature_names_in_(self):
        """Names of the columns of X, where it had names."""
        return self._of_columns("feature_names_in_", "feature_names_in")

    def _of_columns(self, name: str, field: str) -> Any:
        fitted = self.__dict__.get("_fitted")
        value = None if fitted is None else getattr(fitted.features, field)
        if value is None:
            when = " before it is fitted" if fitted is None else ": X had none"
            raise AttributeError(f"{type(self).__name__} has no {name}{when}.")
        return value

    def __sklearn_is_fitted__(self):
        """Tell whether there is a trained network."""
        return "_fitted" in self.__dict__

    @property
    def history_(self):
        """One row per epoch: losses, score, learning rate, seconds.

        A DataFrame where pandas is installed, else a list of dicts.
        """
        if not self.__sklearn_is_fitted__():
            raise AttributeError(
                f"{type(self).__name__} has no history_ before it is fitted."
            )
        history = self._fitted.history
        try:
            import pandas as pd
        except ImportError:
            return [dict(row) for row in history]
        return pd.DataFrame(history)

    @property
    def net_(self):
        """The network as a skorch ``NeuralNet``, around the same ``module_``."""
        if not self.__sklearn_is_fitted__():
            raise AttributeError(
                f"{type(self).__name__} has no net_ before it is fitted."
            )
        from sklearn_deep.training.loop._skorch import fitted_net

        fitted = self._fitted
        assert fitted.net_settings is not None
        return fitted.net or fitted_net(
            fitted.module,
            fitted.loss,
            fitted.net_settings,
            fitted.history,
            self._features_for_net,
        )

    def _raw(self, X: Any) -> Tensor:
        """Raw outputs for rows of X, validated; on the CPU."""
        # The check takes longer than a small product.
        if "_fitted" not in self.__dict__:
            check_is_fitted(self)
        fitted = self._fitted
        X = fitted.features.encode(X, fitted.dtype)
        raw = raw_outputs(fitted.module, X)
        # One sum is cheaper than a test of each; it may overflow where they do not.
        if not math.isfinite(raw.sum()) and not torch.isfinite(raw).all():
            n_bad = int((~torch.isfinite(raw).all(1)).sum())
            values = X.values if isinstance(X, Ragged) else X
            raise ValueError(
                f"{type(self).__name__}: the outputs of {n_bad} of {len(raw)} rows"
                f" overflow {X.dtype}; X is too large there (its largest absolute value"
                f" is {abs(values).max():.3g}). Scale the features, or fit with"
                " dtype='float64'."
            )
        return raw

    def _copy_module(self, module: nn.Module) -> nn.Module:
        """Build the network anew with a copy of the module's values."""
        return self._load_module(self._fitted, module.state_dict())

    # Pickling, tags, display.

    def __getstate__(self):
        """Give NumPy arrays and plain Python; no torch object is ever pickled."""
        state = dict(super().__getstate__())
        if "_fitted" in state:
            state["_fitted"] = self._fitted.pack()
        return state

    def __setstate__(self, state):
        """Rebuild the network on the CPU; ``predict`` runs where the module is."""
        state = dict(state)
        fields = state.pop("_fitted", None)
        super().__setstate__(state)
        if fields is not None:
            self._fitted = Fitted.unpack(fields, self._load_module)

    def __copy__(self):
        """Copy the attributes, and share the network."""
        fresh = object.__new__(type(self))
        fresh.__dict__.update(vars(self))
        return fresh

    def __deepcopy__(self, memo):
        """Copy everything, the network included."""
        fresh = object.__new__(type(self))
        memo[id(self)] = fresh
        fresh.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return fresh

    def get_params(self, deep=True):
        """Get the parameters, those of lists of augmentations and callbacks among them.

        Parameters
        ----------
        deep : bool, default=True
            Whether to give the parameters of parameters too.

        Returns
        -------
        params : dict
            Parameters by name.
        """
        params = super().get_params(deep)
        if deep:
            params.update(inner_params(params))
        return params

    def set_params(self, **params):
        """Set parameters, those of lists of augmentations and callbacks among them.

        Parameters
        ----------
        **params : dict
            Values by name, as ``get_params`` names them.

        Returns
        -------
        self : object
            The estimator.
        """
        own = set_inner_params(self, params)
        unknown = own.keys() - self.get_params(deep=False).keys()
        for name in unknown:
            help = "" if "__" in name else advice(name, self._rules, type(self))
            if help:
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {type(self).__name__}"
                    f"{help}."
                )
        return super().set_params(**own)

    def __sklearn_tags__(self):
        """Say that sparse X is welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def _repr_html_(self):
        """Show parameters, and after a fit the network and how training went.

        Missing where scikit-learn is set to ``display="text"``, as its own is.
        """
        if get_config()["display"] != "diagram":
            raise AttributeError("_repr_html_ is there with display='diagram' only.")
        return partial(with_network_section, self)

    def _repr_mimebundle_(self, **kwargs):
        """Give notebooks the HTML form beside the plain one."""
        bundle = {"text/plain": repr(self)}
        if hasattr(self, "_repr_html_"):
            bundle["text/html"] = self._repr_html_()
        return bundle
