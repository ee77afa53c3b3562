"""Rules of sequence estimators: tokens, and predictions for every step."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.estimators.families._sequence_tasks import (
    SequenceClassifier,
    SequenceRegressor,
)
from sklearn_deep.estimators.families._sequences import SequenceEstimator
from sklearn_deep.export.graph._graph import INT, STRING, Graph, Value
from sklearn_deep.export.graph._registry import RULES, rule
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.layers._recurrent import BY_STEP
from sklearn_deep.export.networks._networks import (
    NetworkRows,
    has_several_quantiles,
    rows_of_columns,
)
from sklearn_deep.serving._sequence_inputs import WHITE_SPACE

# Padding token of texts: it is neither a character nor a word.
_FILLER = "  "
# Separators: none for characters; for words, the characters of ``str.split``.
_SEPARATORS = {"char": [""], "word": list(WHITE_SPACE)}


@rule("rows", SequenceEstimator)
def _rows(graph: Graph, model: SequenceEstimator, table: Table) -> NetworkRows:
    """Make the input of a network over sequences: numbers, or token codes."""
    if not fitted_of(model).features.of_tokens:
        return rows_of_columns(graph, model, table)
    steps, lengths = table.blocks[0][0], table.lengths
    if table.row_shape == ():
        return _codes_of_texts(graph, model, steps)
    return NetworkRows(_codes(graph, model, steps), (None,), lengths)


def _codes(graph: Graph, model: SequenceEstimator, tokens: Value, **more: int) -> Value:
    """Look up the codes of tokens; ``more`` maps further strings to codes."""
    kind = "strings" if tokens.dtype == STRING else "int64s"
    keys = [*model.vocabulary_.tolist(), *more]
    codes = [*range(1, len(model.vocabulary_) + 1), *more.values()]
    attributes = {f"keys_{kind}": keys, "values_int64s": codes, "default_int64": 0}
    return graph.ml_node("LabelEncoder", tokens, dtype=INT, **attributes)


def _codes_of_texts(
    graph: Graph, model: SequenceEstimator, texts: Value
) -> NetworkRows:
    tokens = graph.node(
        "Tokenizer",
        texts,
        domain="com.microsoft",
        separators=_SEPARATORS[fitted_of(model).features.analyzer],
        mark=0,
        mincharnum=1,
        pad_value=_FILLER,
    )
    codes = _codes(graph, model, tokens, **{_FILLER: -1})
    true = graph.cast(graph.compare("GreaterOrEqual", codes, 0), INT)
    return NetworkRows(graph.math("Max", codes, 0), (None,), graph.sum(true, 1))


# Predictions: with return_sequences one per step, (n, time, ...).


def _for_steps(
    write: Callable[..., Value], axes: Callable[[Any], list[int]]
) -> Callable[[Graph, Any, Table], Value]:
    def write_for_steps(graph: Graph, model: Any, table: Table) -> Value:
        value = write(graph, model, table)
        if not fitted_of(model).features.by_step:
            return value
        shape = graph.memo[BY_STEP]
        if behind := axes(model):
            width = (
                graph.node("Shape", value, dtype=INT, start=1, end=2)
                if behind == [-1]
                else graph.constant(np.array(behind))
            )
            shape = graph.concat([shape, width], axis=0)
        # If no row has a step, 0 is a length: it must not mean "copy from the input".
        return graph.node("Reshape", value, shape, allowzero=1)

    return write_for_steps


def _axes_of_targets(model: Any) -> list[int]:
    return [] if fitted_of(model).targets.flat else [fitted_of(model).targets.n_outputs]


def _axes_of_numbers(model: Any) -> list[int]:
    several = has_several_quantiles(model)
    quantiles = [len(fitted_of(model).loss.params["quantile"])] if several else []
    return _axes_of_targets(model) + quantiles


def _axes_of_scores(model: Any) -> list[int]:
    one_logit = (
        not fitted_of(model).targets.multilabel
        and fitted_of(model).targets.kind == "sigmoid"
    )
    return [] if one_logit else [-1]


# Functions that give the axes of the prediction for one step, by class and method.
_AXES: dict[tuple[type, str], Callable[[Any], list[int]]] = {
    (SequenceClassifier, "predict"): lambda m: (
        [-1] if fitted_of(m).targets.multilabel else []
    ),
    (SequenceClassifier, "predict_proba"): lambda m: [-1],
    (SequenceClassifier, "decision_function"): _axes_of_scores,
    (SequenceRegressor, "predict"): _axes_of_numbers,
    (SequenceRegressor, "predict_std"): _axes_of_targets,
}

for (_cls, _method), _axes in _AXES.items():
    _base = next(RULES[c, _method] for c in _cls.__mro__ if (c, _method) in RULES)
    rule(_method, _cls)(_for_steps(_base, _axes))
