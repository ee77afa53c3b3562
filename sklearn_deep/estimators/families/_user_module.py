"""Base class of the estimators around a user's module."""

import dataclasses
import math
from collections.abc import Hashable
from typing import Any

import numpy as np
import torch
from torch import nn

from sklearn_deep._arguments import advice
from sklearn_deep._params import Rules, Satisfies
from sklearn_deep.data._batches import Rows
from sklearn_deep.data._features import Features, ModuleFeatures
from sklearn_deep.data._layout import Layout
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fit import Prepared
from sklearn_deep.estimators.core._fitted import Fitted
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.estimators.core._state import as_tensor
from sklearn_deep.estimators.families._rules import TRAINING_RULES
from sklearn_deep.nn._losses import Loss
from sklearn_deep.nn._user_module import bind_arguments, build, fingerprint, name_of
from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.job._seeds import generator
from sklearn_deep.training.stacking._tasks import current_task
from sklearn_deep.training.stacking._vmap_check import first_rows, stackable, try_out

_PREFIX = "module__"

# Largest number of rows of the check whether a module can be stacked.
_CHECK_ROWS = 256


def _makes_modules(value: Any) -> bool:
    return callable(value) and not isinstance(value, nn.Module)


MODULE_RULES: Rules = {
    "module": (
        Satisfies(
            _makes_modules,
            "a class of torch.nn.Module, or a function that returns a module (not a module"
            " itself: each fit makes a new one from the arguments module__...)",
        ),
    ),
    **TRAINING_RULES,
}


class UserModuleEstimator(DeepEstimator):
    """Makes the network from the parameters ``module`` and ``module__*``."""

    _wants_scaled = False

    def _set_module_arguments(self, arguments: dict[str, Any]) -> None:
        """Store the arguments of the module unchanged."""
        for name, value in arguments.items():
            if not name.startswith(_PREFIX) or name == _PREFIX:
                help = advice(name, self._rules, type(self))
                raise TypeError(
                    f"{type(self).__name__}.__init__() got an unexpected keyword argument"
                    f" {name!r}{help}. Arguments of the module are written"
                    f" {_PREFIX}{name}."
                )
            setattr(self, name, value)

    def _module_arguments(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k.startswith(_PREFIX)}

    def get_params(self, deep=True):
        """Get the parameters, including the module's arguments.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of nested objects.

        Returns
        -------
        params : dict
            Names and values.
        """
        return {**super().get_params(deep=deep), **self._module_arguments()}

    def set_params(self, **params):
        """Set parameters; ``module__x`` is the argument ``x`` of the module.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : object
            The estimator.
        """
        of_module = {k: v for k, v in params.items() if k.startswith(_PREFIX)}
        super().set_params(**{k: v for k, v in params.items() if k not in of_module})
        self._set_module_arguments(of_module)
        return self

    # Hooks

    def _make_features(self) -> Features:
        return ModuleFeatures(type(self).__name__)

    def _architecture(
        self, layout: Layout, n_outputs: int, kind: str
    ) -> dict[str, Any]:
        sizes = {
            "n_features": math.prod(layout.row_shape),
            "n_outputs": n_outputs,
            "input_shape": layout.row_shape,
        }
        arguments = {
            k.removeprefix(_PREFIX): v for k, v in self._module_arguments().items()
        }
        bound = bind_arguments(type(self).__name__, self.module, arguments, sizes)
        return {"module": self.module, **{_PREFIX + k: v for k, v in bound.items()}}

    def _nonlinearity(self) -> tuple[str, float | None]:
        return "identity", None

    def _initialized(
        self, architecture: dict[str, Any], loss: Loss, rows: Rows, seed: int
    ) -> nn.Module:
        return self._make_module(architecture, seed)

    def _make_module(self, architecture: dict[str, Any], seed: int) -> nn.Module:
        factory, *_ = architecture.values()
        arguments = {
            k.removeprefix(_PREFIX): v for k, v in architecture.items() if k != "module"
        }
        random = generator(seed, "weights")
        return build(type(self).__name__, factory, arguments, random).cpu().float()

    def _load_module(self, fitted: Fitted, values: dict[str, Any]) -> nn.Module:
        # Not on the "meta" device: attributes that are not in the state come from the
        # constructor, called with the same random numbers.
        module = self._make_module(fitted.architecture, fitted.seed)
        tensors = {k: as_tensor(v).cpu() for k, v in values.items()}
        module = module.to(torch.from_numpy(np.empty(0, fitted.dtype)).dtype)
        module.load_state_dict(tensors)
        return module.eval()

    def _architecture_key(self, architecture: dict[str, Any]) -> Hashable:
        return None  # set by ``_prepare``, which needs the job

    def _prepare(
        self, given: FitArguments, before: Fitted | None, seed: int | None = None
    ) -> Prepared:
        """Prepare a fit, and check on some rows whether the module can be stacked."""
        prepared = super()._prepare(given, before, seed)
        key = self._try_out(prepared.job)
        job = dataclasses.replace(prepared.job, architecture_key=key)
        return dataclasses.replace(prepared, job=job)

    def _try_out(self, job: TrainJob) -> Hashable:
        """Key of the networks that can be stacked with this one; None for none."""
        batch = first_rows(job.rows, min(job.batch_size, _CHECK_ROWS))
        same = try_out(job, batch, name_of(self.module))
        if not same or current_task() is None:  # no search to stack it in
            return None
        kind = fingerprint(job.module)
        return kind if stackable(job, batch, kind) else None

    def __sklearn_tags__(self):
        """Declare that X may have more than two axes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
