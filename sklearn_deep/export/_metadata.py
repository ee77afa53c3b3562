"""The metadata of an export, which the readers need in addition to the graph."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor

from sklearn_deep._version import __version__
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.inputs._declared import (
    Input,
    fitted_columns,
    is_frame,
    is_pixels,
    optional_columns,
    sequence_form,
)
from sklearn_deep.export.networks._networks import has_several_quantiles, has_std
from sklearn_deep.export.networks._several import task_outputs
from sklearn_deep.export.skl2onnx._converters import (
    is_by_step,
    is_multi_output,
    is_multilabel,
    predicts_several,
    row_methods,
)
from sklearn_deep.export.sklearn._composition import final_estimator
from sklearn_deep.serving._metadata import FORMAT, METADATA_KEY
from sklearn_deep.serving._metadata_fields import find_invalid_field
from sklearn_deep.serving._sequence_inputs import flat_steps, is_sequence_array


def make_metadata(
    model: Any, X: Any, inputs: list[Input], outputs: list[str], options: dict[str, Any]
) -> dict[str, Any]:
    """Describe a model's inputs and outputs.

    Parameters
    ----------
    model : fitted estimator
    X : array or frame
        Rows like those that the inputs were declared for.
    inputs : list of Input
        Inputs that the graph uses.
    outputs : list of str
        Names of the outputs of the graph.
    options : dict
        Options that determine the outputs.
    """
    names = fitted_columns(model, X) if is_frame(X) else None
    task = task_of(model)
    classifies = task == "classifier"
    sequences = sequence_form(model, X) if is_sequence_array(X) else None
    return {
        "format": FORMAT,
        "package_version": __version__,
        "estimator": type(model).__name__,
        "task": task,
        "n_features_in": None if sequences else _width(X, names),
        "feature_names_in": names,
        "optional_columns": optional_columns(model, X, inputs),
        "sequences": sequences,
        "pixels": is_pixels(model, X),
        "by_step": is_by_step(model),
        "inputs": [
            {
                "name": i.name,
                "columns": list(i.columns),
                "dtype": "string" if i.dtype.kind == "U" else i.dtype.name,
                **({} if i.columns else {"row_shape": list(i.row_shape)}),
            }
            for i in inputs
        ],
        "classes": _classes(model, options) if classifies else None,
        "class_numbers": classifies and options["nocl"] and not is_multilabel(model),
        "multilabel": classifies and is_multilabel(model),
        "outputs": OUTPUTS[task](model, outputs, options),
        **({"tasks": _tasks(model, outputs)} if task == "several" else {}),
        "refusals": refusals_role(model, outputs, options),
        "target": _target(model, X) if task == "regressor" else None,
        "feature_names_out": _names_out(model) if task == "transformer" else None,
    }


def _width(X: Any, names: list[str] | None) -> int:
    return X.shape[1] if names is None else len(names)


def task_of(model: Any) -> str:
    """Return the task of a fitted estimator."""
    if predicts_several(model):
        return "several"
    if is_classifier(model):
        return "classifier"
    return "regressor" if is_regressor(model) else "transformer"


def _classes(model: Any, options: dict[str, Any]) -> Any:
    if is_multi_output(model):
        return [_listed(part, options["nocl"]) for part in model.classes_]
    return _listed(model.classes_, options["nocl"])


def _listed(classes: Any, by_number: bool) -> dict[str, Any]:
    classes = np.arange(len(classes)) if by_number else np.asarray(classes)
    dtype = classes.dtype.str if classes.dtype.kind == "U" else classes.dtype.name
    return {"dtype": dtype, "values": classes.tolist()}


def _label_outputs(
    model: Any, outputs: list[str], options: dict[str, Any]
) -> dict[str, Any]:
    roles = {"predict": {"name": outputs[0]}}
    method = "decision_function" if options["raw_scores"] else "predict_proba"
    if not options["raw_scores"] and not hasattr(model, "predict_proba"):
        if not hasattr(model, "decision_function"):
            return roles
        method = "decision_function"
    form: dict[str, Any] = {"name": outputs[1], "form": "tensor"}
    if is_multi_output(model):
        form["form"] = "sequence"
    elif options["zipmap"] == "columns":
        form = {"name": outputs[1], "form": "columns", "names": outputs[1:]}
    elif options["zipmap"]:
        form["form"] = "zipmap"
    return {**roles, method: form}


def _number_outputs(
    model: Any, outputs: list[str], options: dict[str, Any]
) -> dict[str, Any]:
    roles = {"predict": {"name": outputs[0], "form": "tensor"}}
    if has_std(final_estimator(model)) and len(outputs) > 1:
        roles["std"] = {"name": outputs[1], "form": "tensor"}
    return roles


def _row_outputs(
    model: Any, outputs: list[str], options: dict[str, Any]
) -> dict[str, Any]:
    return {
        method: {"name": name, "form": "tensor"}
        for method, name in zip(row_methods(model), outputs, strict=False)
    }


def refusals_role(
    model: Any, outputs: list[str], options: dict[str, Any]
) -> dict[str, Any]:
    """Describe the output that shows refused rows."""
    if predicts_several(model):
        return {"name": _first_floats(model, outputs), "form": "tensor"}
    if not is_classifier(model):
        marked = not is_regressor(model) and len(outputs) > len(row_methods(model))
        return {"name": outputs[-1 if marked else 0], "form": "tensor"}
    if is_multi_output(model):
        return {"name": outputs[1], "form": "sequence"}
    # With one output per class, the first is enough.
    form = "zipmap" if options["zipmap"] is True else "tensor"
    return {"name": outputs[1], "form": form}


OUTPUTS: dict[str, Callable[[Any, list[str], dict[str, Any]], dict[str, Any]]] = {
    "classifier": _label_outputs,
    "regressor": _number_outputs,
    "transformer": _row_outputs,
    "several": lambda model, outputs, options: {},
}


def _tasks(model: Any, outputs: list[str]) -> list[dict[str, Any]]:
    """What each task predicts, and in which outputs."""
    several = final_estimator(model)
    found: dict[Any, dict[str, str]] = {}
    for output, name in zip(task_outputs(several), outputs, strict=True):
        found.setdefault(output.task, {})[output.method] = name
    return [
        {
            "name": str(task),
            **_target_of_task(several.task(task), "predict_proba" in roles),
            **roles,
        }
        for task, roles in found.items()
    ]


def _target_of_task(network: Any, labels: bool) -> dict[str, Any]:
    if labels:
        return {"classes": _listed(network.classes_, by_number=False)}
    return {"classes": None, "dtype": fitted_of(network).targets.dtype}


def _first_floats(model: Any, outputs: list[str]) -> str:
    """The first output that shows refused rows as NaN: labels cannot."""
    several = final_estimator(model)
    return next(
        name
        for output, name in zip(task_outputs(several), outputs, strict=True)
        if output.method == "predict_proba"
        or several.tasks_[output.task] == "regression"
    )


def _names_out(model: Any) -> list[str] | None:
    try:
        return [str(name) for name in model.get_feature_names_out()]
    except (AttributeError, ValueError):  # a step has no names, or needs input names
        return None


def _target(model: Any, X: Any) -> dict[str, Any]:
    y = np.asarray(model.predict(X[:1]))
    if is_by_step(model):
        y = flat_steps(y)
    last = final_estimator(model)
    several = has_several_quantiles(last)
    quantiles = list(fitted_of(last).loss.params["quantile"]) if several else None
    return {"ndim": y.ndim, "dtype": y.dtype.name, "quantiles": quantiles}


def write_metadata(proto: Any, metadata: dict[str, Any]) -> None:
    """Store the metadata in a model, and feature names and classes for other readers.

    Raises
    ------
    OnnxExportError
        If the readers would not accept the metadata.
    """
    content = json.dumps(metadata)
    invalid = find_invalid_field(json.loads(content))
    if invalid is not None:
        raise OnnxExportError(f"The readers would not accept the file: {invalid}.")
    entries = {
        METADATA_KEY: content,
        "feature_names": json.dumps(metadata["feature_names_in"]),
        "classes": json.dumps(_plain(metadata["classes"])),
    }
    del proto.metadata_props[:]
    for key, value in entries.items():
        proto.metadata_props.add(key=key, value=value)


def _plain(classes: Any) -> Any:
    if isinstance(classes, list):
        return [part["values"] for part in classes]
    return classes and classes["values"]
