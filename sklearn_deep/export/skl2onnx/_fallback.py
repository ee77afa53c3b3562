"""Fallback for estimators without a rule: skl2onnx converts them, and the graph inlines it."""

import warnings
from typing import Any

import numpy as np
from onnx import ModelProto
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
from sklearn.base import is_classifier

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import (
    DOUBLE,
    FLOAT,
    INT,
    STRING,
    Graph,
    Value,
    real,
)
from sklearn_deep.export.graph._registry import FALLBACKS, has_rules
from sklearn_deep.export.graph._runtime import set_output_types
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.inputs._probe import predicts_one_axis
from sklearn_deep.export.skl2onnx._private import get_converter, operator_names

_TYPES = {
    FLOAT: FloatTensorType,
    DOUBLE: DoubleTensorType,
    INT: Int64TensorType,
    STRING: StringTensorType,
}


def _convert(graph: Graph, model: Any, table: Table, raw_scores: bool) -> list[Value]:
    """Write an estimator with skl2onnx's own converter, and return the outputs."""
    if has_rules(model):
        raise OnnxExportError(
            f"{type(model).__name__} has no ONNX form of the method that is needed here."
        )
    model = _of_known_class(model)
    wanted = STRING if table.dtype == STRING else real(table.dtype)
    # Some converters write nodes without a float64 kernel, or mix both types.
    for dtype in dict.fromkeys([wanted, FLOAT] if wanted == DOUBLE else [wanted]):
        inner = _convert_by_skl2onnx(graph, model, dtype, table.width, raw_scores)
        if set_output_types(inner):
            return graph.splice(inner, {"X": table.matrix(graph, dtype)})
    raise OnnxExportError(
        f"{type(model).__name__}: onnxruntime cannot run the graph that skl2onnx writes."
    )


def _of_known_class(model: Any) -> Any:
    """Return a model as an instance of its nearest base class that skl2onnx converts.

    skl2onnx looks up the exact class only. The copy shares all attributes.
    """
    if type(model) in operator_names or hasattr(model, "onnx_converter"):
        return model
    for cls in type(model).__mro__:
        if cls in operator_names:
            plain: Any = object.__new__(cls)
            vars(plain).update(vars(model))
            return plain
    raise _unknown(model)


def _convert_by_skl2onnx(
    graph: Graph, model: Any, dtype: np.dtype, width: int, raw_scores: bool
) -> ModelProto:
    user_options = graph.settings.get("options") or {}
    # Options keyed by a string are for the outermost model.
    options = {
        key: value for key, value in user_options.items() if not isinstance(key, str)
    }
    own = {"zipmap": False, "raw_scores": raw_scores}
    own = {name: own[name] for name in own if name in _allowed(model)}
    if own:
        options[id(model)] = {**(options.get(id(model)) or {}), **own}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return convert_sklearn(
                model,
                initial_types=[("X", _TYPES[dtype]([None, width]))],
                options=options or None,
                target_opset=graph.opset,
            )
    except (MissingConverter, MissingShapeCalculator) as error:
        raise _unknown(model) from error
    except Exception as error:  # converters raise errors of all kinds
        raise OnnxExportError(
            f"{type(model).__name__} has no ONNX form that skl2onnx can write: {error}"
        ) from error


def _unknown(model: Any) -> OnnxExportError:
    return OnnxExportError(
        f"{type(model).__name__} has no ONNX form: neither sklearn_deep nor skl2onnx has"
        " a converter for it. Register one with skl2onnx.update_registered_converter,"
        " or remove it from the pipeline."
    )


def _allowed(model: Any) -> Any:
    """Names of the options of an estimator's converter."""
    alias = operator_names.get(type(_of_known_class(model)))
    allowed = get_converter(alias).get_allowed_options() if alias else None
    return allowed if isinstance(allowed, dict) else ()


def _is_converted_by_skl2onnx(model: Any) -> bool:
    """Tell whether the converter is skl2onnx's own, and not a user's."""
    alias = operator_names.get(type(_of_known_class(model)))
    return bool(alias) and get_converter(alias).__module__.startswith("skl2onnx.")


def _outputs(
    graph: Graph, model: Any, table: Table, raw_scores: bool = False
) -> list[Value]:
    key = "foreign", id(model), table, raw_scores
    if key not in graph.memo:
        graph.memo[key] = _convert(graph, model, table, raw_scores)
    return graph.memo[key]


def _transform(graph: Graph, model: Any, table: Table) -> Table:
    if hasattr(model, "predict") and _is_converted_by_skl2onnx(model):
        raise OnnxExportError(
            f"{type(model).__name__} has no ONNX form of its transform: skl2onnx writes"
            " its predictions. Remove it from the pipeline, or make it the last step."
        )
    out = _outputs(graph, model, table)[0]
    return Table.of(out, _n_columns(model, table))


def _n_columns(model: Any, table: Table) -> int:
    try:
        return len(model.get_feature_names_out())
    except (AttributeError, ValueError):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.transform(np.zeros((1, table.width))).shape[1]


def _predict(graph: Graph, model: Any, table: Table) -> Value:
    out = _outputs(graph, model, table)[0]
    if is_classifier(model):
        return out
    flat = predicts_one_axis(model, table.width)
    return graph.reshape(out, (-1,)) if flat else out


def _predict_proba(graph: Graph, model: Any, table: Table) -> Value | list[Value]:
    out = _outputs(graph, model, table)[1]
    if not isinstance(model.classes_, list):
        return out
    indices = [graph.constant(np.int64(k)) for k in range(len(model.classes_))]
    return [graph.node("Gather", out, k, axis=0) for k in indices]


def _decision_function(graph: Graph, model: Any, table: Table) -> Value:
    if _is_converted_by_skl2onnx(model) and "raw_scores" not in _allowed(model):
        raise OnnxExportError(
            f"{type(model).__name__} has no ONNX form of its decision_function: skl2onnx"
            " writes only its probabilities."
        )
    scores = _outputs(graph, model, table, raw_scores=True)[1]
    return graph.column(scores, 1) if len(model.classes_) == 2 else scores


FALLBACKS.update(
    transform=_transform,
    predict=_predict,
    predict_proba=_predict_proba,
    decision_function=_decision_function,
)
