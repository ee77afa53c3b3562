"""The rules as skl2onnx converters.

skl2onnx needs three functions for a class: a parser, which declares the outputs; a shape
calculator, which sets their types; and a converter, which writes the nodes. The same three
functions serve all classes; the rules contain the differences.
"""

from contextvars import ContextVar
from functools import partial
from typing import Any

import numpy as np
from onnx.numpy_helper import from_array
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    SequenceType,
    StringTensorType,
    UInt8TensorType,
)
from sklearn.base import is_classifier, is_regressor

from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.data._column_kinds import DURATION, TIME
from sklearn_deep.data._times import TIME_DTYPES
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import (
    BOOL,
    DOUBLE,
    FLOAT,
    INT,
    NO_INPUT,
    PIXEL,
    STRING,
    Graph,
    Value,
)
from sklearn_deep.export.graph._labels import stored_labels
from sklearn_deep.export.graph._old_opsets import check_opset
from sklearn_deep.export.graph._refusals import (
    joined_marks,
    mark_refused,
    refusal_marks,
)
from sklearn_deep.export.graph._registry import apply, find
from sklearn_deep.export.graph._scores import one_hot, stack_columns
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.networks._networks import has_several_quantiles, has_std
from sklearn_deep.export.networks._several import task_outputs
from sklearn_deep.export.skl2onnx._private import (
    apply_zipmap,
    get_model_alias,
    names_versions,
    operator_names,
)
from sklearn_deep.export.sklearn._composition import final_estimator, prediction_chain
from sklearn_deep.export.sklearn._unseen_missing import refuse_missing
from sklearn_deep.transfer.multi_task._multi_task import MultiTask


class UnreadableTensorType(Int64TensorType):
    """Type of a column that no ONNX input can hold; a step that reads it is an error."""

    def __init__(self, shape=None, refusal=""):
        super().__init__(shape)
        self.refusal = refusal


class DateTensorType(UnreadableTensorType):
    """Type of a column of dates, in microseconds, which networks for tables read."""


class DurationTensorType(UnreadableTensorType):
    """Type of a column of durations, in microseconds."""


TYPES: dict[np.dtype, Any] = {
    TIME_DTYPES[TIME]: DateTensorType,  # before their base class
    TIME_DTYPES[DURATION]: DurationTensorType,
    NO_INPUT: UnreadableTensorType,  # before its base class
    FLOAT: FloatTensorType,
    DOUBLE: DoubleTensorType,
    INT: Int64TensorType,
    BOOL: BooleanTensorType,
    STRING: StringTensorType,
    PIXEL: UInt8TensorType,
}

CLASSIFIER_OPTIONS: dict[str, list] = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
    "raw_scores": [True, False],
}
REGRESSOR_OPTIONS: dict[str, list] = {"return_std": [True, False]}
OPTIONS: dict[str, list] = {**CLASSIFIER_OPTIONS, **REGRESSOR_OPTIONS}
DEFAULTS: dict[str, Any] = {
    "zipmap": True,
    "nocl": False,
    "output_class_labels": False,
    "raw_scores": False,
    "return_std": True,
}

# Settings of sklearn_deep.to_onnx that skl2onnx has no arguments for; None in its own calls.
REQUEST: ContextVar[dict[str, Any] | None] = ContextVar("REQUEST", default=None)


def _request() -> dict[str, Any]:
    return REQUEST.get() or {}


def options_of(scope: Any, model: Any) -> dict[str, Any]:
    """Collect the options of a model, including those of the estimators inside it."""
    chosen = {**DEFAULTS, **_request().get("options", {})}
    user_options = scope.options or {}
    for layer in reversed(list(prediction_chain(model))):
        for key in (type(layer), id(layer)):
            chosen.update(user_options.get(key) or {})
    return chosen


def is_multi_output(model: Any) -> bool:
    """Tell whether a classifier has several targets, each with its classes."""
    return isinstance(getattr(model, "classes_", None), list)


@names_versions
def parse(scope, model, inputs, custom_parsers=None):
    """Declare the outputs of an operator."""
    operator = scope.declare_local_operator(_alias(model), model)
    operator.inputs = inputs
    declare = _declare_labels if is_classifier(model) else _declare_numbers
    declare = _declare_tasks if predicts_several(model) else declare
    return declare(scope, model, operator)


def _alias(model: Any) -> str:
    """Name of the converter; for subclasses of Pipeline, that of the base class."""
    classes = type(model).__mro__
    known = next((cls for cls in classes if cls in operator_names), classes[0])
    return get_model_alias(known)


# Methods of transformers to export, and the names of their outputs.
_ROW_METHODS = {
    "transform": "variable",
    "score_samples": "score_samples",
    "predict": "label",  # of clusterers
}


def row_methods(model: Any) -> list[str]:
    """Methods of a fitted transformer that ``to_onnx`` exports, ``transform`` first."""
    others = list(_ROW_METHODS)[1:]
    return ["transform", *(m for m in others if find(final_estimator(model), m))]


def _asked_row_methods(model: Any) -> list[str]:
    # skl2onnx passes all outputs of a step to the next one, so its calls get the first only.
    return row_methods(model) if REQUEST.get() is not None else ["transform"]


# Name of the output that is True for refused rows.
REFUSED = "refused"


def refusals_apart() -> bool:
    """Tell whether an export marks refused rows in an output of booleans only."""
    return bool(_request().get("refusals_apart"))


def marks_refusals(model: Any) -> bool:
    """Tell whether a separate output marks refused rows.

    Transformers have one, except networks, because NaN can be a valid output of theirs;
    with the setting ``"refusals_apart"`` all models have one.
    Models converted by skl2onnx's own functions do not have it.
    """
    if refusals_apart():
        return True
    predicts = is_classifier(model) or is_regressor(model)
    return (
        REQUEST.get() is not None
        and not predicts
        and not isinstance(final_estimator(model), TracksSubclasses)
    )


def _declare_numbers(scope, model, operator):
    names = ["variable"]
    if not is_regressor(model):
        names = [_ROW_METHODS[method] for method in _asked_row_methods(model)]
    elif has_std(final_estimator(model)):
        names += ["std"] if options_of(scope, model)["return_std"] else []
    if marks_refusals(model):
        names.append(REFUSED)
    for name in names:
        operator.outputs.append(scope.declare_local_variable(name, DoubleTensorType()))
    return operator.outputs


def predicts_several(model: Any) -> bool:
    """Tell whether an estimator predicts several tasks, each with outputs of its own."""
    return isinstance(final_estimator(model), MultiTask)


def _declare_tasks(scope, model, operator):
    for output in task_outputs(final_estimator(model)):
        variable = scope.declare_local_variable(output.name, DoubleTensorType())
        operator.outputs.append(variable)
    return operator.outputs


def _declare_labels(scope, model, operator):
    options = options_of(scope, model)
    if options["zipmap"] and options["output_class_labels"]:
        raise OnnxExportError(
            "The options zipmap and output_class_labels exclude each other, since a zipmap"
            " contains the class labels. Set zipmap=False."
        )
    scores: Any = DoubleTensorType()
    classes: Any = Int64TensorType()
    if is_multi_output(model):
        scores, classes = SequenceType(scores), SequenceType(classes)
        options["zipmap"] = False
    names = [("label", Int64TensorType()), ("probabilities", scores)]
    if options["output_class_labels"]:
        names.append(("class_labels", classes))
    if marks_refusals(model):
        names.append((REFUSED, DoubleTensorType()))
    for name, kind in names:
        operator.outputs.append(scope.declare_local_variable(name, kind))
    if not options["zipmap"]:
        return operator.outputs
    zipmap, nocl, kind = options["zipmap"], options["nocl"], operator.inputs[0].type
    # skl2onnx reads these options of the outer model. It cannot name columns by class
    # number, so columns keep the names of their labels.
    named = {"zipmap": zipmap, "nocl": nocl and zipmap != "columns"}
    scope.add_options(id(model), named)
    outputs = apply_zipmap(zipmap, scope, model, kind, operator.outputs)
    scope.add_options(id(model), {"nocl": nocl})
    return outputs


@names_versions
def shape(operator):
    """Set the types of the outputs, as the rules computed them."""
    for variable, value, dimensions in _operator_graph(operator).outputs:
        if isinstance(value, list):
            variable.set_type(SequenceType(TYPES[value[0].dtype](dimensions)))
        else:
            variable.set_type(TYPES[value.dtype](dimensions))
    for zipmap in _zipmaps(operator, "SklearnZipMapColumns"):
        kind = operator.outputs[1].type
        zipmap.outputs[0].set_type(operator.outputs[0].type)
        for column in zipmap.outputs[1:]:  # declared before the dtype is known
            column.set_type(kind.__class__(kind.shape[:1]))


@names_versions
def convert(scope, operator, container):
    """Add the nodes that the rules wrote to skl2onnx's container."""
    operator_graph = _operator_graph(operator)
    graph = operator_graph.graph
    for variable, value, _ in operator_graph.outputs:
        if isinstance(value, list):
            _name_node(graph, "SequenceConstruct", value, variable.full_name)
        else:
            _name_node(graph, "Identity", [value], variable.full_name)
    container.nodes.extend(graph.nodes)
    container.initializers.extend(graph.constants)
    if any("" in node.input for node in graph.nodes):
        _allow_absent_inputs(container)
    container.node_domain_version_pair_sets.update(graph.domains.items())


def _allow_absent_inputs(container: Any) -> None:
    """Let skl2onnx sort nodes with omitted optional inputs, whose name is empty.

    skl2onnx would look for a node that outputs the empty name. Nodes written by torch can
    have omitted inputs.
    """
    sort, stand_in = container.ensure_topological_order, "absent"

    def sort_with_absent() -> None:
        container.initializers.append(from_array(np.zeros(0), stand_in))
        _rename_inputs(container.nodes, "", stand_in)
        sort()
        _rename_inputs(container.nodes, stand_in, "")
        others = [t for t in container.initializers if t.name != stand_in]
        container.initializers[:] = others

    container.ensure_topological_order = sort_with_absent


def _rename_inputs(nodes: Any, old: str, new: str) -> None:
    for node in nodes:
        node.input[:] = [new if name == old else name for name in node.input]


# A value, or a list of values, with its dimensions.
_Output = tuple[Any, list[int | None]]


class _OperatorGraph:
    """The graph of an operator, and its outputs as (variable, value, dimensions)."""

    def __init__(self, operator: Any) -> None:
        scope, model = operator.scope_inst, operator.raw_operator
        opset = operator.target_opset
        self.graph = Graph(
            opset[""] if isinstance(opset, dict) else opset,
            prefix=scope.get_unique_operator_name("deep") + "/",
            settings={
                "options": scope.options,
                "dtype": _request().get("dtype"),
                "missing": _request().get("missing"),
            },
        )
        self.rows = operator.inputs[0].get_first_dimension()
        outputs = self._all(operator)
        self.outputs = [
            (variable, value, dimensions)
            for variable, (value, dimensions) in zip(
                operator.outputs, outputs, strict=True
            )
        ]
        inputs = _table(operator.inputs, model).inputs()
        check_opset(model, self.graph, inputs, partial(self._all_in, operator))

    def _all(self, operator: Any) -> list[_Output]:
        model = operator.raw_operator
        table = _table(operator.inputs, model)
        refuse_missing(self.graph, table, _request().get("refuse_missing", ()))
        write = self._labels if is_classifier(model) else self._numbers
        write = self._tasks if predicts_several(model) else write
        outputs = write(operator, table)
        n_by_row = 2 if is_classifier(model) else len(outputs)  # then class labels
        if not refusals_apart():
            outputs[:n_by_row] = mark_refused(self.graph, outputs[:n_by_row])
        if marks_refusals(model):
            write_marks = joined_marks if refusals_apart() else refusal_marks
            marks = write_marks(self.graph, table.blocks[0][0])
            outputs.append((marks, [self.rows]))
        return outputs

    def _all_in(self, operator: Any, graph: Graph) -> list[Value]:
        """Write the outputs to another graph, as a trial."""
        own, self.graph = self.graph, graph
        try:
            outputs = [value for value, _ in self._all(operator)]
        finally:
            self.graph = own
        return [v for o in outputs for v in (o if isinstance(o, list) else [o])]

    def _tasks(self, operator: Any, table: Table) -> list[_Output]:
        """Labels and numbers, (n,), and probabilities, (n, n_classes)."""
        model = operator.raw_operator
        values = apply(self.graph, model, "each_task", table)
        outputs = task_outputs(final_estimator(model))
        return [
            (value, [self.rows] if output.method == "predict" else [self.rows, None])
            for output, value in zip(outputs, values, strict=True)
        ]

    def _numbers(self, operator: Any, table: Table) -> list[_Output]:
        graph, model = self.graph, operator.raw_operator
        if not is_regressor(model):
            out = apply(graph, model, "transform", table)
            outputs: list[_Output] = [(out.matrix(graph), [self.rows, out.width])]
            for method in _asked_row_methods(model)[1:]:
                value = apply(graph, model, method, table)
                outputs.append((value, [self.rows]))
            return outputs
        methods = ["predict", "predict_std"][: len(_predictions(operator))]
        values = [apply(graph, model, method, table) for method in methods]
        predictor = final_estimator(model)
        if is_by_step(model):
            targets = [] if fitted_of(predictor).targets.flat else [None]
            targets += [None] if has_several_quantiles(predictor) else []
            return [(y, [self.rows, None, *targets]) for y in values]
        if has_several_quantiles(predictor) and not fitted_of(predictor).targets.flat:
            return [(y, [self.rows, None, None]) for y in values]
        # skl2onnx's regressors output (n, 1) for one target.
        return [(graph.reshape(y, (0, -1)), [self.rows, None]) for y in values]

    def _labels(self, operator: Any, table: Table) -> list[_Output]:
        graph, model = self.graph, operator.raw_operator
        options = options_of(operator.scope_inst, model)
        if is_multi_output(model):
            return self._labels_of_several(operator, table, options)
        label = apply(graph, model, "predict", table)
        classes = np.asarray(model.classes_)
        if options["nocl"] and not is_multilabel(model):
            label = _class_indices(graph, label, classes)
        scores = scores_of(graph, model, table, options["raw_scores"])
        if _zipmaps(operator, "SklearnZipMap"):
            scores = graph.cast(scores, FLOAT)  # the only type that ZipMap accepts
        columns = [len(classes)] if is_multilabel(model) else []
        rows: list[int | None] = [self.rows, *self._time(model)]
        out: list[_Output] = [
            (label, [*rows, *columns]),
            (scores, [*rows, len(classes)]),
        ]
        if len(_predictions(operator)) > 2:
            out.append((graph.constant(stored_labels(classes)), [len(classes)]))
        return out

    def _time(self, model: Any) -> list[None]:
        """The time axis, if every step has a prediction."""
        return [None] if is_by_step(model) else []

    def _labels_of_several(
        self, operator: Any, table: Table, options: dict[str, Any]
    ) -> list[_Output]:
        """Outputs of several targets: probabilities and classes are lists."""
        graph, model = self.graph, operator.raw_operator
        if options["raw_scores"]:
            raise _no_decision(model)
        label = apply(graph, model, "predict", table)
        kind = label.dtype
        if options["nocl"]:
            columns = [
                _class_indices(graph, graph.column(label, k), classes)
                for k, classes in enumerate(model.classes_)
            ]
            label = stack_columns(graph, columns)
        out: list[_Output] = [
            (label, [self.rows, len(model.classes_)]),
            (apply(graph, model, "predict_proba", table), [self.rows, None]),
        ]
        if len(_predictions(operator)) > 2:
            stored = [stored_labels(np.asarray(c)) for c in model.classes_]
            out.append(([graph.constant(c, kind) for c in stored], [None]))
        return out


def _predictions(operator: Any) -> list[Any]:
    """Outputs of an operator but the one that marks refused rows."""
    marks = marks_refusals(operator.raw_operator)
    return operator.outputs[:-1] if marks else operator.outputs


def _class_indices(graph: Graph, labels: Value, classes: Any) -> Value:
    """Indices of labels among their classes, (n,)."""
    return graph.argmax(one_hot(graph, labels, np.asarray(classes)))


def _no_decision(model: Any) -> OnnxExportError:
    return OnnxExportError(
        f"raw_scores=True needs a decision_function, which {type(model).__name__} does not"
        " have. Set raw_scores=False."
    )


def is_multilabel(model: Any) -> bool:
    """Tell whether a fitted classifier predicts several labels per row."""
    model = final_estimator(model)
    fitted = getattr(model, "_fitted", None)
    targets = getattr(fitted, "targets", None)
    return bool(
        getattr(targets or model, "multilabel" if targets else "multilabel_", False)
    )


def is_by_step(model: Any) -> bool:
    """Tell whether a fitted estimator predicts every step of sequences."""
    fitted = getattr(final_estimator(model), "_fitted", None)
    features = getattr(fitted, "features", None)
    return bool(getattr(features, "by_step", False))


def scores_of(graph: Graph, model: Any, table: Table, raw: bool) -> Value:
    """Scores of shape (n, n_classes): probabilities or raw scores, else one-hot labels."""
    if not raw and hasattr(model, "predict_proba"):
        return apply(graph, model, "predict_proba", table)
    if not hasattr(model, "decision_function"):
        if raw:
            raise _no_decision(model)
        labels = apply(graph, model, "predict", table)
        return one_hot(graph, labels, np.asarray(model.classes_))
    scores = apply(graph, model, "decision_function", table)
    if len(model.classes_) == 2 and not is_multilabel(model):
        if is_by_step(model):
            scores = graph.reshape(scores, (0, 0, 1))
            return graph.concat([graph.node("Neg", scores), scores], axis=2)
        return stack_columns(graph, [graph.node("Neg", scores), scores])
    return scores


def _operator_graph(operator: Any) -> _OperatorGraph:
    if not hasattr(operator, "graph_by_rules"):
        operator.graph_by_rules = _OperatorGraph(operator)
    return operator.graph_by_rules


def _table(variables: Any, model: Any) -> Table:
    """Make a table of the inputs of an operator."""
    first, last = variables[0], variables[-1]
    lengths = None
    if len(last.type.shape) == 1 and last is not first:
        lengths = Value(last.full_name, INT)
    if len(first.type.shape) != 2 or lengths is not None:
        dtype = _input_dtype(first, model)
        return Table.of_rows(
            Value(first.full_name, dtype), first.type.shape[1:], lengths
        )
    return Table(tuple(_input(variable, model) for variable in variables))


def _input_dtype(variable: Any, model: Any) -> np.dtype:
    dtype = next(
        (d for d, cls in TYPES.items() if isinstance(variable.type, cls)), None
    )
    if dtype is None:
        raise OnnxExportError(
            f"{type(model).__name__} does not accept the input {variable.raw_name!r} of type"
            f" {type(variable.type).__name__}."
        )
    return dtype


def _input(variable: Any, model: Any) -> tuple[Value, int]:
    width = variable.type.shape[1]
    dtype = _input_dtype(variable, model)
    refusal = getattr(variable.type, "refusal", "")
    return Value(variable.full_name, dtype, refusal), width or model.n_features_in_


def _zipmaps(operator: Any, kind: str) -> list[Any]:
    """ZipMap operators of an operator's scores."""
    return [
        other
        for other in operator.scope_inst.operators.values()
        if other.type == kind
        and any(variable is operator.outputs[1] for variable in other.inputs)
    ]


def _name_node(graph: Graph, op: str, values: list[Value], name: str) -> None:
    graph.node(op, *values)
    graph.nodes[-1].output[:] = [name]
