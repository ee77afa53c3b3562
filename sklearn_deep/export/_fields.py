"""Description of the columns that a file takes, for forms and for checks of single rows.

What a column accepts is found by asking the exported model: one row per changed value.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from sklearn_deep.data._missing import is_missing
from sklearn_deep.data._times import NOT_A_TIME, whole_microseconds
from sklearn_deep.export.graph._runtime import open_session
from sklearn_deep.export.inputs._declared import column_values
from sklearn_deep.export.inputs._placeholder import strings_of_model
from sklearn_deep.serving._feeds import make_feeds
from sklearn_deep.serving._outputs import refused_rows
from sklearn_deep.serving.fields._fields import BYTE

# A wider table has no fields: nobody fills in so many by hand, and they take bytes.
_MAX_COLUMNS = 1000
# A column with more texts, or with texts that are nearly all different, has no choices:
# texts of training rows must not end up in a file.
_MAX_CHOICES = 50
_MAX_SHARE_OF_DIFFERENT = 0.7
# Rows that medians are computed of, evenly spaced among all.
_MEDIAN_ROWS = 500
# Strings of a model that are tried as categories of one column.
_MAX_CANDIDATES = 2000

Field = dict[str, Any]


class _Place(NamedTuple):
    """Where a column stands in the inputs of the graph."""

    input: str
    position: int
    dtype: str


def describe_fields(
    model: Any, X: Any, proto: Any, metadata: dict[str, Any]
) -> list[Field] | None:
    """Describe each column of a table, in the order of the features.

    Parameters
    ----------
    model : fitted estimator
    X : array or frame
        Rows that the estimator accepts.
    proto : onnx.ModelProto
    metadata : dict
        The other metadata of the file.

    Returns
    -------
    list of dict or None
        None for images, series, sequences and texts, and for very wide tables.
    """
    width = metadata["n_features_in"]
    table = metadata["inputs"][0]["columns"]
    if metadata["sequences"] or not table or width > _MAX_COLUMNS:
        return None
    places = dict(_places(metadata))
    columns = dict(_columns(X, metadata))
    fields = [_field(j, metadata, columns.get(j), places.get(j)) for j in range(width)]
    _ask_what_is_accepted(model, fields, _Probe(proto, X[:1], metadata), places)
    return fields


def _places(metadata: dict[str, Any]) -> Iterator[tuple[int, _Place]]:
    for part in metadata["inputs"]:
        for k, j in enumerate(part["columns"]):
            yield j, _Place(part["name"], k, part["dtype"])


def _columns(X: Any, metadata: dict[str, Any]) -> Iterator[tuple[int, np.ndarray]]:
    """Index among the features, and values, of each column of X."""
    names = metadata["feature_names_in"]
    if names is None:
        yield from enumerate(np.ascontiguousarray(X.T))  # to read columns is fast then
        return
    present = {str(name): k for k, name in enumerate(X.columns)}
    for j, name in enumerate(names):
        if name in present:
            yield j, column_values(X, present[name])


def _field(
    index: int,
    metadata: dict[str, Any],
    values: np.ndarray | None,
    place: _Place | None,
) -> Field:
    names = metadata["feature_names_in"]
    field = {"name": f"x{index}" if names is None else names[index], "kind": "text"}
    if place is None or values is None:  # the graph does not read it
        return {**field, "missing": True, "default": None, "used": False}
    return {**field, **_DESCRIPTIONS[place.dtype](values), "missing": False}


# Descriptions of the values of one column


def _numbers(values: np.ndarray) -> Field:
    if values.dtype == object:
        values = np.array([np.nan if is_missing(v) else v for v in values], float)
    finite = np.isfinite(values)
    found = values if finite.all() else values[finite]
    middle = float(np.median(_sample(found))) if found.size else None
    return _between("number", found, middle, _short)


def _integers(values: np.ndarray) -> Field:
    return _between("integer", values, _middle(values), int)


def _bytes(values: np.ndarray) -> Field:
    return {**_integers(values), **BYTE}


def _dates(values: np.ndarray) -> Field:
    times = _present_times(values)
    return _between("date", times, _middle(times), _iso)


def _durations(values: np.ndarray) -> Field:
    times = _present_times(values)
    return _between("duration", times, _middle(times), lambda us: _short(us / 1e6))


def _between(
    kind: str, values: np.ndarray, default: Any, write: Callable[[Any], Any]
) -> Field:
    if not values.size:
        return {"kind": kind, "default": None}
    limits = {"min": write(values.min()), "max": write(values.max())}
    return {"kind": kind, "default": write(default), **limits}


def _sample(values: np.ndarray) -> np.ndarray:
    return values[:: 1 + len(values) // _MEDIAN_ROWS]


def _middle(values: np.ndarray) -> Any:
    """A value of the column, not a mean of two."""
    ordered = np.sort(_sample(values))
    return ordered[(len(ordered) - 1) // 2] if len(ordered) else None


def _short(number: Any) -> float:
    """Round to six digits: a hint in a form needs no more."""
    return float(f"{number:.6g}")


def _iso(microseconds: Any) -> str:
    time = np.datetime64(int(microseconds), "us")
    return str(np.datetime_as_string(time, unit="auto"))


def _present_times(values: np.ndarray) -> np.ndarray:
    times = whole_microseconds(values)
    return times[times != NOT_A_TIME]


def _booleans(values: np.ndarray) -> Field:
    return {"kind": "boolean", "default": 2 * int(np.sum(values)) > len(values)}


def _strings(values: np.ndarray) -> Field:
    counts = Counter(str(value) for value in values if not is_missing(value))
    total = sum(counts.values())
    if len(counts) > min(_MAX_CHOICES, _MAX_SHARE_OF_DIFFERENT * total):
        return {"kind": "text", "default": None}
    common = min(counts, key=lambda text: (-counts[text], text))
    return {"kind": "category", "default": common, "choices": sorted(counts)}


_DESCRIPTIONS: dict[str, Callable[[np.ndarray], Field]] = {
    "float32": _numbers,
    "float64": _numbers,
    "int64": _integers,
    "uint8": _bytes,
    "bool": _booleans,
    "string": _strings,
    "datetime64[us]": _dates,
    "timedelta64[us]": _durations,
}


# What a column accepts


class _Probe:
    """Rows that differ from an accepted one in one value each, for the exported model."""

    def __init__(self, proto: Any, row: Any, metadata: dict[str, Any]) -> None:
        self.session = open_session(proto.SerializeToString())
        self.feeds = make_feeds(row, metadata)
        self.refusals = metadata["refusals"]
        self.missing = metadata["missing"]

    def accepts(self, trials: list[tuple[_Place, Any]]) -> list[bool]:
        """Tell for each value whether the model accepts it in its column."""
        if not trials:
            return []
        batch = {k: np.repeat(v, len(trials), 0) for k, v in self.feeds.items()}
        for i, (place, value) in enumerate(trials):
            batch[place.input][i, place.position] = value
        try:
            (marks,) = self.session.run([self.refusals["name"]], batch)
        except Exception:  # an operator refuses them
            return [False] * len(trials)
        refused = refused_rows(marks, self.refusals["form"], None)
        return [not bool(one) for one in refused]


def _ask_what_is_accepted(
    model: Any, fields: list[Field], probe: _Probe, places: dict[int, _Place]
) -> None:
    """Set in each field whether it may be missing, and whether a category may be new."""
    of_missing = _missing_values(probe.missing)
    asked = [(j, p) for j, p in places.items() if p.dtype in of_missing]
    answers = probe.accepts([(p, of_missing[p.dtype]) for _, p in asked])
    for (j, _), answer in zip(asked, answers, strict=True):
        fields[j]["missing"] = answer
    texts = [(j, p) for j, p in places.items() if p.dtype == "string"]
    answers = probe.accepts([(p, _new_text(fields[j])) for j, p in texts])
    for (j, place), answer in zip(texts, answers, strict=True):
        fields[j]["open"] = answer
        if not answer and fields[j]["kind"] == "category":
            _complete(fields[j], model, probe, place)


def _missing_values(placeholder: str) -> dict[str, Any]:
    """A missing value of each dtype that has one."""
    return {
        "float32": np.nan,
        "float64": np.nan,
        "string": placeholder,
        **dict.fromkeys(("datetime64[us]", "timedelta64[us]"), NOT_A_TIME),
    }


def _new_text(field: Field) -> str:
    known = set(field.get("choices", ()))
    candidates = (f"a value never seen {i}" for i in count())
    return next(text for text in candidates if text not in known)


def _complete(field: Field, model: Any, probe: _Probe, place: _Place) -> None:
    """Add the categories that the model knows, and that no row of X has."""
    known = {*field["choices"], probe.missing}
    candidates = sorted(set(strings_of_model(model)) - known)
    if len(candidates) > _MAX_CANDIDATES:
        field["kind"] = "text"  # the model decides
        del field["choices"]
        return
    answers = probe.accepts([(place, text) for text in candidates])
    accepted = [t for t, a in zip(candidates, answers, strict=True) if a]
    field["choices"] = sorted([*field["choices"], *accepted])
