"""What every network estimator does beside its fit: attributes, outputs, pickles."""

import math
from collections.abc import Hashable
from functools import partial
from typing import Any

import torch
from sklearn import get_config
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklearn_deep._arguments import advice
from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.data._batches import Rows
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.estimators.core._fit import TrainsNetwork
from sklearn_deep.estimators.core._fitted import Fitted, FittedAttribute, find_fitted
from sklearn_deep.estimators.core._html import with_network_section
from sklearn_deep.estimators.core._layers import as_frame, layers_of, n_values
from sklearn_deep.estimators.core._named_lists import inner_params, set_inner_params
from sklearn_deep.estimators.core._networks import (
    architecture_key,
    initialized,
    prior_bias,
    without_values,
)
from sklearn_deep.estimators.core._state import fill_module
from sklearn_deep.estimators.core._unpacking import check_packed
from sklearn_deep.nn._initializers import Initialization
from sklearn_deep.nn._losses import Loss
from sklearn_deep.training.job._checkpoint import with_text_folder
from sklearn_deep.training.loop._forward import raw_outputs


class DeepEstimator(TracksSubclasses, TrainsNetwork):
    """Base of all network estimators.

    A family writes its rule table, ``_architecture``, ``_nonlinearity`` and
    ``_network``: the class of its module, whose output layer is the attribute
    ``output``. ``_task`` is what it is trained for.
    """

    def _initialized(
        self, architecture: dict[str, Any], loss: Loss, rows: Rows, seed: int
    ) -> nn.Module:
        bias = None
        if self.bias_init == "prior":
            bias = prior_bias(loss, rows, architecture["n_outputs"])
        owner, how = type(self).__name__, self._initialization()
        return initialized(owner, self._network, architecture, how, bias, seed)

    def _initialization(self) -> Initialization:
        return Initialization.make(
            type(self).__name__,
            self.weight_init,
            self.weight_init_params,
            self.bias_init,
            *self._nonlinearity(),
        )

    def _architecture_key(self, architecture: dict[str, Any]) -> Hashable:
        return architecture_key(self._network, self._of_each, architecture)

    def _load_module(self, fitted: Fitted, values: dict[str, Any]) -> nn.Module:
        return fill_module(without_values(self._network, fitted), values)

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

    n_parameters_ = FittedAttribute(
        lambda f: n_values(f.module), "Number of parameters of the network."
    )

    @property
    def layers_(self):
        """One row per layer with parameters: name, kind, shape, parameters, trainable.

        A DataFrame where pandas is installed, else a list of dicts.
        """
        if not self.__sklearn_is_fitted__():
            raise AttributeError(
                f"{type(self).__name__} has no layers_ before it is fitted."
            )
        return as_frame(layers_of(self._fitted.module, self._fitted.frozen))

    @property
    def n_features_in_(self):
        """Number of columns of X; missing for sequences."""
        return self._of_columns("n_features_in_", "n_features_in")

    @property
    def feature_names_in_(self):
        """Names of the columns of X, where it had names."""
        return self._of_columns("feature_names_in_", "feature_names_in")

    def _of_columns(self, name: str, field: str) -> Any:
        fitted = find_fitted(self)
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
        return as_frame(self._fitted.history)

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
            fitted.encode_for_net,
        )

    def _raw(self, X: Any) -> Tensor:
        """Raw outputs for rows of X, validated; on the CPU."""
        # The check takes longer than a small product.
        if "_fitted" not in self.__dict__:
            check_is_fitted(self)
        fitted = self._fitted
        X = fitted.encode(X)
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

    # Pickling, tags, display.

    def __getstate__(self):
        """Give NumPy arrays and plain Python; no torch object is ever pickled."""
        state = dict(super().__getstate__())
        if "checkpoint" in state:
            state["checkpoint"] = with_text_folder(state["checkpoint"])
        if "_fitted" in state:
            state["_fitted"] = self._fitted.pack()
        return state

    def __setstate__(self, state):
        """Rebuild the network on the CPU; ``predict`` runs where the module is."""
        state = dict(state)
        fields = state.pop("_fitted", None)
        super().__setstate__(state)
        if fields is not None:
            check_packed(self, fields)
            self._fitted = Fitted.unpack(fields, self._load_module)

    def __copy__(self):
        """Copy the attributes, and share the network."""
        fresh = object.__new__(type(self))
        fresh.__dict__.update(vars(self))
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
