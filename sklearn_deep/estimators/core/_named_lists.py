"""Parameters of list items, such as ``augmentation__crop__padding``."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn_deep.exceptions import InvalidParameterError


@dataclass(frozen=True)
class NamedList:
    """A constructor parameter that may be a list of objects with parameters.

    Attributes
    ----------
    names : callable ``items -> list of str``
        Unique names of the items.
    words : str
        Plural noun for the items, for errors.
    """

    names: Callable[[Sequence[Any]], list[str]]
    words: str


def _augmentation_names(items: Sequence[Any]) -> list[str]:
    """Names of augmentations, formed as ``make_pipeline`` names steps."""
    return _numbered([type(item).__name__.lower() for item in items], "-")


def _callback_names(items: Sequence[Any]) -> list[str]:
    """Names of callbacks, formed as in skorch: given by the user, or the class name."""
    classes = [_class_of(item).__name__ for item in items]
    numbered = iter(
        _numbered(
            [c for c, item in zip(classes, items, strict=True) if not _is_pair(item)],
            "_",
        )
    )
    return [item[0] if _is_pair(item) else next(numbered) for item in items]


def _numbered(names: list[str], sign: str) -> list[str]:
    count = Counter(names)
    return [
        name if count[name] == 1 else f"{name}{sign}{names[:i].count(name) + 1}"
        for i, name in enumerate(names)
    ]


LISTS = {
    "augmentation": NamedList(_augmentation_names, "augmentations"),
    "callbacks": NamedList(_callback_names, "callbacks"),
}


def inner_params(params: dict[str, Any]) -> dict[str, Any]:
    """Items of an estimator's lists and their parameters, by full name."""
    inner: dict[str, Any] = {}
    for parameter, items in _lists(params).items():
        for name, item in items.items():
            inner[f"{parameter}__{name}"] = value = _value(item)
            if hasattr(value, "get_params") and not isinstance(value, type):
                for key, setting in value.get_params().items():
                    inner[f"{parameter}__{name}__{key}"] = setting
    return inner


def set_inner_params(estimator: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Set parameters of list items; return the parameters of the estimator itself.

    Items are replaced first (None removes an item), then their parameters are set.

    Raises
    ------
    InvalidParameterError
        If the list has no item of that name.
    """
    own = dict(params)
    given = {name: params.get(name, getattr(estimator, name, None)) for name in LISTS}
    for parameter, items in _lists(given).items():
        prefix = f"{parameter}__"
        inner = {k: own.pop(k) for k in params if k.startswith(prefix)}
        if inner:
            _check_names(estimator, parameter, items, inner)
            chosen = _changed(
                items, {k.removeprefix(prefix): v for k, v in inner.items()}
            )
            if any(new is not items[name] for name, new in chosen.items()):
                kept = [item for item in chosen.values() if _value(item) is not None]
                own[parameter] = kept
    return own


def _changed(items: dict[str, Any], inner: dict[str, Any]) -> dict[str, Any]:
    """Items after the changes; parameters of instances are set in place."""
    chosen = dict(items)
    of_item: dict[str, dict[str, Any]] = {}
    for key, value in inner.items():
        name, _, rest = key.partition("__")
        if rest:
            of_item.setdefault(name, {})[rest] = value
        else:
            chosen[name] = _with_value(items[name], value)
    for name, settings in of_item.items():
        value = _value(chosen[name])
        if value is None:
            raise InvalidParameterError(
                f"{name!r} is None and has no parameter {next(iter(settings))!r}."
            )
        if isinstance(value, type):  # skorch instantiates it during fit
            chosen[name] = _with_value(chosen[name], value(**settings))
        else:
            value.set_params(**settings)
    return chosen


def _check_names(
    estimator: Any, parameter: str, items: dict[str, Any], inner: dict[str, Any]
) -> None:
    for key in inner:
        name = key.removeprefix(f"{parameter}__").partition("__")[0]
        if name not in items:
            raise InvalidParameterError(
                f"{type(estimator).__name__} has no parameter {key!r}: its list of"
                f" {LISTS[parameter].words} has {', '.join(items) or 'none'}."
            )


def _lists(params: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Items by name, for each list among the parameters."""
    found = {}
    for parameter, kind in LISTS.items():
        items = params.get(parameter)
        if items is None and parameter == "callbacks":
            items = ()
        if isinstance(items, (list, tuple)):
            found[parameter] = dict(zip(kind.names(items), items, strict=True))
    return found


def _is_pair(item: Any) -> bool:
    return isinstance(item, (tuple, list)) and len(item) == 2


def _value(item: Any) -> Any:
    return item[1] if _is_pair(item) else item


def _with_value(item: Any, value: Any) -> Any:
    return (item[0], value) if _is_pair(item) else value


def _class_of(item: Any) -> type:
    value = _value(item)
    return value if isinstance(value, type) else type(value)
