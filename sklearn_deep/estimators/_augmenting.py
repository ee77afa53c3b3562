"""The ``augmentation`` parameter: what it may be, and its parameters by name."""

from typing import TYPE_CHECKING, Any

from sklearn_deep.augmentation._base import check_augmentation
from sklearn_deep.data._layout import Layout
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.training._optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from sklearn_deep.estimators._base import DeepEstimator


def augmentations(estimator: "DeepEstimator", layout: Layout) -> tuple[Any, ...]:
    """The augmentations of a fit, checked, in order.

    Raises
    ------
    InvalidParameterError
        For one that does not work on such rows, or with full-batch lbfgs.
    """
    owner = type(estimator).__name__
    chosen = check_augmentation(owner, estimator.augmentation, layout.kind)
    for item in chosen:
        if item.mixes and layout.unequal:
            raise InvalidParameterError(
                f"The 'augmentation' parameter of {owner} must leave rows apart where"
                f" they have lengths of their own. Got {item!r} instead, which mixes"
                " them."
            )
        if (item.mixes or item.moves) and getattr(estimator, "return_sequences", False):
            raise InvalidParameterError(
                f"The 'augmentation' parameter of {owner} must leave every time step in"
                " its place, for with return_sequences=True each has a target. Got"
                f" {item!r} instead; Jitter, MagnitudeScaling and GaussianNoise do."
            )
    if chosen and OPTIMIZERS[estimator.optimizer].update is None:
        raise InvalidParameterError(
            f"The 'augmentation' parameter of {owner} needs an optimizer that takes"
            " steps: lbfgs minimises one fixed loss. Set augmentation=None, or"
            " optimizer='adamw'."
        )
    return chosen


# What sets parameters of the ``augmentation`` parameter apart from it.
_PREFIX = "augmentation__"


def inner_params(given: Any) -> dict[str, Any]:
    """The augmentations of a list and their parameters, under names of their own."""
    params: dict[str, Any] = {}
    for name, item in _named(given).items():
        params[_PREFIX + name] = item
        if hasattr(item, "get_params"):
            inner = item.get_params()
            params.update({f"{_PREFIX}{name}__{k}": v for k, v in inner.items()})
    return params


def set_inner_params(estimator: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Set parameters of a list's augmentations; gives the others, for the estimator.

    Raises
    ------
    InvalidParameterError
        For a name that the list does not have.
    """
    given = params.get("augmentation", estimator.augmentation)
    items = _named(given)
    if not items:
        return params
    own, chosen = {}, list(given)
    for key, value in params.items():
        if not key.startswith(_PREFIX):
            own[key] = value
            continue
        name, _, rest = key.removeprefix(_PREFIX).partition("__")
        if name not in items:
            raise InvalidParameterError(
                f"{type(estimator).__name__} has no parameter {key!r}: its list of"
                f" augmentations has {', '.join(items)}."
            )
        if rest:
            items[name].set_params(**{rest: value})
        else:
            chosen[list(items).index(name)] = value
    if any(new is not old for new, old in zip(chosen, given, strict=True)):
        own["augmentation"] = [item for item in chosen if item is not None]
    return own


def _named(given: Any) -> dict[str, Any]:
    """The augmentations of a list, named as ``make_pipeline`` names steps."""
    if not isinstance(given, (list, tuple)):
        return {}
    names = [type(item).__name__.lower() for item in given]
    return {
        name if names.count(name) == 1 else f"{name}-{names[:i].count(name) + 1}": item
        for i, (name, item) in enumerate(zip(names, given, strict=True))
    }
