"""What a model file says of itself: JSON in front of the model, readable on its own."""

import json
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from sklearn_deep._version import __version__
from sklearn_deep.exceptions import ModelFileError

# Names of features, classes and types that are listed; the rest is counted.
LISTED = 200
_LONGEST = 100

_LIBRARIES = ("numpy", "scikit-learn", "skops", "torch")


@dataclass(frozen=True)
class Manifest:
    """What is in a file.

    Attributes
    ----------
    created : str
        Time of the save, in UTC.
    versions : dict of str to str
        Of Python and of the packages that wrote the file.
    model : str
        Class of the model, with its module.
    networks : list of str
        One line per network: its class, epochs and parameters.
    n_features_in : int or None
    feature_names_in : list of str or None
        The first 200.
    n_classes : int or None
    classes : list of str, or None
        The first 200, as ``repr`` shows them.
    types : list of str
        Types beyond those that are trusted without being named.
    """

    created: str
    versions: dict[str, str]
    model: str
    networks: list[str]
    n_features_in: int | None
    feature_names_in: list[str] | None
    n_classes: int | None
    classes: list[str] | None
    types: list[str]

    @classmethod
    def of(cls, model: Any, networks: list[str], types: Iterable[str]) -> "Manifest":
        """Describe a model."""
        names, classes = _found(model, "feature_names_in_"), _found(model, "classes_")
        n_features = _found(model, "n_features_in_")
        return cls(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=_versions(),
            model=f"{type(model).__module__}.{type(model).__qualname__}",
            networks=networks[:LISTED],
            n_features_in=None if n_features is None else int(n_features),
            feature_names_in=None if names is None else _listed(names, str),
            n_classes=_number(classes),
            classes=None if classes is None else _listed(_plain(classes), repr),
            types=_listed(types, str),
        )

    def dump(self) -> bytes:
        """The manifest as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1).encode()

    @classmethod
    def parse(cls, content: bytes, path: str) -> "Manifest":
        """Read a manifest.

        Raises
        ------
        ModelFileError
            For one that lacks a field, or has one of another type.
        """
        try:
            fields = json.loads(content)
            wrong = [name for name, ok in _FIELDS.items() if not ok(fields.get(name))]
        except (ValueError, AttributeError, RecursionError) as error:
            raise ModelFileError(f"{path!r} has a manifest that is no JSON.") from error
        if wrong:
            raise ModelFileError(f"{path!r} has a manifest with a wrong {wrong[0]!r}.")
        return cls(**{name: fields[name] for name in _FIELDS})


def _is_number(value: Any) -> bool:
    return type(value) is int and value >= 0


def _are_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "created": _is_text,
    "versions": lambda v: isinstance(v, dict) and _are_strings([*v.values()]),
    "model": _is_text,
    "networks": _are_strings,
    "n_features_in": _or_none(_is_number),
    "feature_names_in": _or_none(_are_strings),
    "n_classes": _or_none(_is_number),
    "classes": _or_none(_are_strings),
    "types": _are_strings,
}


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in _LIBRARIES}
    ours = {"python": platform.python_version(), "sklearn_deep": __version__}
    return {**ours, **libraries}


def _found(model: Any, name: str) -> Any:
    """An attribute; None where the model, or a step that it asks, has none."""
    try:
        return getattr(model, name, None)
    except Exception:  # properties of other packages may raise anything
        return None


def _plain(classes: Any) -> list[Any]:
    """Labels as Python's own; of several targets their arrays."""
    return classes.tolist() if isinstance(classes, np.ndarray) else list(classes)


def _number(classes: Any) -> int | None:
    return None if classes is None else len(classes)


def _listed(values: Iterable[Any], show: Callable[[Any], str]) -> list[str]:
    return [show(value)[:_LONGEST] for value in list(values)[:LISTED]]
