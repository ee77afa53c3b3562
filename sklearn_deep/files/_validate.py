"""Checks of a model on its way in: a file with right sums may still hold anything."""

import dataclasses
import inspect
from collections.abc import Iterable
from typing import Any

from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_deep._params import Rules, shown
from sklearn_deep.compression._delegation import Delegating
from sklearn_deep.data._features import Features
from sklearn_deep.estimators.core._fitted import Fitted
from sklearn_deep.estimators.meta._holdout import ValidationHoldout
from sklearn_deep.exceptions import ModelFileError
from sklearn_deep.files._packed import FITTED, problems_of_parts
from sklearn_deep.files._tasks import OF_TASKS, problems_of_tasks
from sklearn_deep.files._values import FIELDS, RELATIONS
from sklearn_deep.files._walk import inside
from sklearn_deep.transfer._features import NetworkFeatures
from sklearn_deep.transfer.conversion._graph import OnnxGraph, Step
from sklearn_deep.transfer.conversion._network import NetworkMaker
from sklearn_deep.transfer.multi_task._multi_task import MultiTask

# Fields that a file of an earlier version may lack: they have defaults.
_NEEDED = {
    field.name
    for field in dataclasses.fields(Fitted)
    if field.default is field.default_factory  # both are MISSING
}

# Ours that predict by a fitted estimator inside.
_WRAPPERS = (Delegating, NetworkFeatures, ValidationHoldout)

# Values of ours that are parameters: the fitted network may have others.
_PARAMETERS = (NetworkMaker, OnnxGraph, Step)


def check_packed_network(estimator: Any, fields: Any) -> None:
    """Check what a network is built of.

    Raises
    ------
    ModelFileError
        That names the field.
    """
    owner = type(estimator).__name__
    if not isinstance(fields, dict):
        raise ModelFileError(f"{owner} has not the fields of a fitted network.")
    _refuse_unknown(owner, fields, FITTED)
    for name in _NEEDED - fields.keys():
        raise ModelFileError(f"{owner} lacks {name!r}.")
    _check_fields(owner, fields, FITTED)
    for value in inside(fields):
        _check_value(value)
    for problem in problems_of_parts(estimator, fields):
        raise ModelFileError(f"{owner} has {problem}.")


def check_model(model: Any) -> None:
    """Check what was built: estimators are whole, and what they hold is within bounds."""
    if not isinstance(model, BaseEstimator):
        raise ModelFileError(f"It holds no estimator, but a {type(model).__name__}.")
    for value in inside(model):
        if isinstance(value, BaseEstimator):
            _check_estimator(value)
        elif sparse.issparse(value):
            _check_sparse(value)
        elif isinstance(value, (*_PARAMETERS, *OF_TASKS)):
            _check_value(value)


def _check_value(value: Any) -> None:
    """A value of ours has the fields of its table."""
    rules = FIELDS.get(type(value))
    if rules is None:
        return
    owner, fields = type(value).__name__, vars(value)
    _refuse_unknown(owner, fields, rules)
    missing = [n for n in rules if n not in fields and not hasattr(type(value), n)]
    optional = _OPTIONAL if isinstance(value, Features) else set()
    if set(missing) - optional:
        raise ModelFileError(f"{owner} lacks {missing[0]!r}.")
    _check_fields(owner, fields, rules)
    for cls, relations in RELATIONS.items():
        for relation in relations if isinstance(value, cls) else ():
            if not relation.allows(value):
                raise ModelFileError(f"{owner} has not {relation}.")


# Sequences of tokens have no channels.
_OPTIONAL = {"n_channels"}


def _refuse_unknown(owner: str, names: Iterable[Any], rules: Rules) -> None:
    unknown = [name for name in names if name not in rules]
    if unknown:
        raise ModelFileError(f"{owner} has an unknown field {unknown[0]!r}.")


def _check_fields(owner: str, fields: Any, rules: Rules) -> None:
    for name, value in fields.items():
        if not any(rule.allows(value) for rule in rules[name]):
            raise ModelFileError(
                f"{name!r} of {owner} must be {' or '.join(map(str, rules[name]))}; it is"
                f" {shown(value)}."
            )


def _check_estimator(estimator: Any) -> None:
    """An estimator of ours has its parameters, and nothing in the place of a method.

    One of scikit-learn has the parameters without defaults: others may be newer than it.
    """
    cls, names = type(estimator), vars(estimator)
    for name in _needed_parameters(cls) - names.keys():
        raise ModelFileError(f"{cls.__name__} lacks the parameter {name!r}.")
    if not cls.__module__.startswith("sklearn_deep."):
        return
    hidden = [name for name in names if callable(getattr(cls, name, None))]
    if hidden:
        raise ModelFileError(f"{cls.__name__} has a wrong attribute {hidden[0]!r}.")
    try:
        parameters = estimator.get_params(deep=False)
    except AttributeError as error:
        raise ModelFileError(f"{cls.__name__} lacks a parameter: {error}") from error
    inner = parameters.get("estimator", estimator)
    if not isinstance(inner, BaseEstimator):
        raise ModelFileError(
            f"The estimator in {cls.__name__} is of type {type(inner).__name__}."
        )
    if isinstance(estimator, MultiTask) and estimator.__sklearn_is_fitted__():
        for value in inside(estimator):  # what the next check reads
            if isinstance(value, OF_TASKS):
                _check_value(value)
        for problem in problems_of_tasks(estimator):
            raise ModelFileError(f"{cls.__name__} has {problem}.")
    if isinstance(estimator, _WRAPPERS) and "estimator_" in names:
        check_is_fitted(estimator.estimator_)


def _needed_parameters(cls: type) -> set[str]:
    """Names of the parameters that have no default."""
    parameters = inspect.signature(cls).parameters.values()
    return {
        p.name
        for p in parameters
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    }


def _check_sparse(matrix: Any) -> None:
    """Products of a sparse matrix read memory at its indices."""
    check = getattr(matrix, "check_format", None)
    if check is not None:
        check(full_check=True)
