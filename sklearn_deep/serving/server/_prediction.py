"""What a model says about rows, by the names that people know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sklearn_deep.serving._outputs import assemble_output, output_names
from sklearn_deep.serving._sequence_inputs import trim_padding
from sklearn_deep.serving._session import OnnxSession
from sklearn_deep.serving._tasks import metadata_of_task


@dataclass(frozen=True)
class Prediction:
    """The answer for n rows.

    Parameters
    ----------
    labels : ndarray of shape (n,) or (n, n_targets), optional
        Labels in the dtype of the fit; for models that predict steps an object array
        with the steps of each row.
    probabilities : dict of str to ndarray of shape (n,), or list of them, optional
        Probabilities by class name; a list has one dict per target.
    values : dict of str to ndarray of shape (n, ...)
        Numbers of a regression or transformation by name.
    tasks : dict of str to Prediction
        What each task of a file of several predicts.
    """

    labels: np.ndarray | None = None
    probabilities: Any = None
    values: Mapping[str, Any] = field(default_factory=dict)
    tasks: Mapping[str, "Prediction"] = field(default_factory=dict)


def predict(session: OnnxSession, X: Any) -> Prediction:
    """Predict rows with an exported file.

    Raises
    ------
    ValueError, TypeError
        For rows that the exported estimator refuses; the message says why.
    """
    return _ANSWERS[session.metadata["task"]](session, X)


def _of_classifier(session: OnnxSession, X: Any) -> Prediction:
    metadata = session.metadata
    roles = {
        name: metadata["outputs"][name]
        for name in ("predict", "predict_proba")
        if name in metadata["outputs"]
    }
    found, lengths = _run(session, X, roles)
    labels = trim_padding(_as_labels(found["predict"][0], metadata), lengths)
    if "predict_proba" not in found:
        return Prediction(labels)
    p = assemble_output("predict_proba", metadata, found["predict_proba"])
    if isinstance(p, list):
        pairs = zip(metadata["classes"], p, strict=True)
        return Prediction(labels, [_by_class(classes, q) for classes, q in pairs])
    return Prediction(labels, _by_class(metadata["classes"], p, lengths))


def _as_labels(labels: np.ndarray, metadata: dict[str, Any]) -> np.ndarray:
    """Labels of the dtype of the fit."""
    classes = metadata["classes"]
    if metadata["multilabel"]:
        return labels
    parts = classes if isinstance(classes, list) else [classes]
    return labels.astype(np.result_type(*(np.dtype(part["dtype"]) for part in parts)))


def _by_class(
    classes: dict[str, Any], p: np.ndarray, lengths: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    return {
        _class_name(label): trim_padding(p[..., k], lengths)
        for k, label in enumerate(classes["values"])
    }


def _class_name(label: Any) -> str:
    """A label as text, as JSON writes it: true, 1, 1.5."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def _of_regressor(session: OnnxSession, X: Any) -> Prediction:
    found, lengths = _run(session, X, session.metadata["outputs"])
    values: dict[str, np.ndarray] = {}
    for role, (y, *_) in found.items():
        values |= _by_target(role, y, session.metadata, lengths)
    return Prediction(values=values)


def _by_target(
    role: str, y: np.ndarray, metadata: dict[str, Any], lengths: np.ndarray | None
) -> dict[str, np.ndarray]:
    y = y.astype(metadata["target"]["dtype"], copy=False)
    if metadata["by_step"]:
        return {role: trim_padding(y, lengths)}
    y = y.reshape(len(y), -1)
    quantiles = metadata["target"].get("quantiles")
    names = [f"quantile {q:g}" for q in quantiles or ()]
    if len(names) != y.shape[1]:
        names = [""] if y.shape[1] == 1 else [str(k) for k in range(y.shape[1])]
    return {f"{role} {name}".strip(): y[:, k] for k, name in enumerate(names)}


def _of_transformer(session: OnnxSession, X: Any) -> Prediction:
    found, lengths = _run(session, X, session.metadata["outputs"])
    values = {role: trim_padding(one, lengths) for role, (one, *_) in found.items()}
    names = session.metadata["feature_names_out"]
    codes = values["transform"]
    if names is not None and codes.ndim == 2 and len(names) == codes.shape[1]:
        del values["transform"]
        values = {**{name: codes[:, k] for k, name in enumerate(names)}, **values}
    return Prediction(values=values)


def _of_tasks(session: OnnxSession, X: Any) -> Prediction:
    tasks = session.metadata["tasks"]
    roles = {
        (task["name"], method): {"name": task[method]}
        for task in tasks
        for method in ("predict", "predict_proba")
        if method in task
    }
    found, _ = _run(session, X, roles)
    return Prediction(
        tasks={
            task["name"]: _of_task(
                metadata_of_task(session.metadata, task["name"]),
                {
                    role: one
                    for (name, role), one in found.items()
                    if name == task["name"]
                },
            )
            for task in tasks
        }
    )


def _of_task(metadata: dict[str, Any], found: dict[str, list[Any]]) -> Prediction:
    y = found["predict"][0]
    if metadata["task"] == "regressor":
        return Prediction(values=_by_target("predict", y, metadata, None))
    p = found["predict_proba"][0] if "predict_proba" in found else None
    by_class = None if p is None else _by_class(metadata["classes"], p)
    return Prediction(_as_labels(y, metadata), by_class)


_ANSWERS = {
    "classifier": _of_classifier,
    "regressor": _of_regressor,
    "transformer": _of_transformer,
    "several": _of_tasks,
}


def _run(
    session: OnnxSession, X: Any, roles: Mapping[Any, dict[str, Any]]
) -> tuple[dict[Any, list[Any]], np.ndarray | None]:
    """Outputs of several roles from one run of the graph."""
    names = {role: output_names(given) for role, given in roles.items()}
    distinct = list(dict.fromkeys(name for some in names.values() for name in some))
    outputs, lengths = session.run({"names": distinct}, X)
    by_name = dict(zip(distinct, outputs, strict=True))
    return {role: [by_name[n] for n in some] for role, some in names.items()}, lengths
