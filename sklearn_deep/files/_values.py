"""What the fields of fitted values may be: one table per class, one row per field.

Rules are those of parameters. A field that a table lacks is refused, and one that an object
lacks, unless its class has a default.
"""

import datetime
import math
from collections.abc import Mapping
from numbers import Integral
from numbers import Number as AnyNumber
from typing import Any

import numpy as np

from sklearn_deep._params import (
    BOOLEAN,
    MAPPING,
    NONE,
    InstanceOf,
    Number,
    OneOf,
    Rules,
    Satisfies,
    SequenceOf,
)
from sklearn_deep.data._calendar import CALENDAR
from sklearn_deep.data._column_codes import Categories
from sklearn_deep.data._column_kinds import BOOLEAN as BOOLEAN_KIND
from sklearn_deep.data._column_kinds import CATEGORY, DURATION, NUMBER, TIME
from sklearn_deep.data._features import (
    Features,
    ModuleFeatures,
    ReconstructedTable,
    TableFeatures,
)
from sklearn_deep.data._frame_encoding import FrameEncoding
from sklearn_deep.data._frame_features import FrameFeatures
from sklearn_deep.data._layout import Layout, TabularLayout
from sklearn_deep.data._learnt_columns import (
    BooleanColumn,
    CategoryColumn,
    LearntColumn,
    NumberColumn,
    TimeColumn,
)
from sklearn_deep.data._ragged import _SeriesLayout
from sklearn_deep.data._reconstruction import Reconstruction
from sklearn_deep.data._scaling import Scaling
from sklearn_deep.data._sequence_features import SequenceFeatures
from sklearn_deep.data._series_features import SeriesFeatures
from sklearn_deep.data._spatial_features import ReconstructedSpatial
from sklearn_deep.data._targets import ClassTargets, RealTargets
from sklearn_deep.data._vocabulary import ANALYZERS
from sklearn_deep.estimators.tasks._several import TaskPart
from sklearn_deep.nn._losses import LOSSES, Loss
from sklearn_deep.training.job._job import NetSettings, OptimizerSpec
from sklearn_deep.training.job._layer_rates import LAYER_RATES
from sklearn_deep.training.job._optimizers import OPTIMIZERS
from sklearn_deep.transfer.conversion._graph import OnnxGraph, Step
from sklearn_deep.transfer.conversion._network import NetworkMaker
from sklearn_deep.transfer.conversion._operators import OPERATORS
from sklearn_deep.transfer.multi_task._declared import LearntTarget

TEXT = InstanceOf((str,), "a string")
# torch and NumPy count in 64 bits; a product of two such sizes still fits.
SIZE = Number(Integral, 1, 2**31)
COUNT = Number(Integral, 0)
INTEGER = Number(Integral)
FINITE = Number()
SIZES = SequenceOf(SIZE)
SHAPE = InstanceOf((tuple,), "a tuple"), SIZES
CHANNELS = OneOf("last", "first")
SPATIAL_DIMS = OneOf("auto", 1, 2)


def an_array(kinds: str, n_dims: int, noun: str) -> Satisfies:
    """An array of some dtype kinds and of a number of axes."""

    def test(value: Any) -> bool:
        return (
            type(value) is np.ndarray
            and value.ndim == n_dims
            and value.dtype.kind in kinds
            and (value.dtype.kind != "O" or all(map(_is_scalar, value.tolist())))
        )

    return Satisfies(test, noun)


def a(cls: type) -> InstanceOf:
    """An instance of one of our classes."""
    return InstanceOf((cls,), f"of class {cls.__name__}")


_SCALARS = (str, bytes, AnyNumber, np.generic, datetime.date, datetime.timedelta)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, _SCALARS) or value is None


def _are_tokens(value: Any) -> bool:
    if type(value) is not np.ndarray or value.ndim != 1:
        return False
    texts = value.dtype.kind == "O" and all(isinstance(t, str) for t in value.tolist())
    return texts or value.dtype == np.int64


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and 0 < len(value) <= 3 and SIZES.allows(value)


def _are_finite(value: Any) -> bool:
    return (
        type(value) is np.ndarray
        and value.ndim == 1
        and value.dtype == np.float64
        and len(value) > 0
        and bool(np.isfinite(value).all())
    )


def _is_attribute(value: Any) -> bool:
    """Whether an operator may be told so: numbers, a text, or several."""
    if isinstance(value, (list, tuple)):
        return all(type(item) in _PLAIN for item in value)
    return type(value) in _PLAIN or _is_numeric(value)


_PLAIN = (bool, int, float, str)


def _is_numeric(value: Any) -> bool:
    return type(value) is np.ndarray and value.dtype.kind in "biuf"


def _are_attributes(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and _is_attribute(item) for name, item in value.items()
    )


def _are_arrays(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and _is_numeric(array) for name, array in value.items()
    )


_SHAPE = Satisfies(_is_shape, "a shape of one to three axes")
NUMBERS = Satisfies(_are_finite, "an array of finite numbers")
_FLAGS = an_array("b", 1, "an array of booleans")
_NAMES = an_array("OU", 1, "an array of names")
_TOKENS = Satisfies(_are_tokens, "an array of tokens")
_LABELS = an_array("biufOUSmM", 1, "an array of labels")
_ANYTHING = Satisfies(lambda value: True, "anything")


_ATTRIBUTES = Satisfies(_are_attributes, "a dict of numbers and texts")
_ARRAYS = Satisfies(_are_arrays, "a dict of arrays of numbers")


def _tuple_of(test: Any, noun: str) -> Satisfies:
    return Satisfies(lambda v: isinstance(v, tuple) and all(map(test, v)), noun)


_FEATURES: Rules = {
    "owner": (TEXT,),
    "n_features_in": (NONE, SIZE),
    "feature_names_in": (NONE, _NAMES),
}
_LENGTHS: Rules = {"channels": (CHANNELS,), "n_channels": (SIZE,)}
_SPATIAL: Rules = {
    **_FEATURES,
    "input_shape": (NONE, SIZES),
    "spatial_dims": (SPATIAL_DIMS,),
    "channels": (CHANNELS,),
    "seen": (a(Layout),),
}
_COLUMN: Rules = {"name": (NONE, TEXT), "place": (COUNT,), "kind": (TEXT,)}
_NUMBER_COLUMN: Rules = {
    **_COLUMN,
    "kind": (OneOf(NUMBER, DURATION, TIME),),
    "scaling": (a(Scaling),),
}
_LAYOUT: Rules = {
    "row_shape": (_SHAPE,),
    "arranged": (_SHAPE,),
    "channels_last": (BOOLEAN,),
    "pixels": (BOOLEAN,),
}
_REAL: Rules = {
    "center": (NUMBERS,),
    "scale": (NUMBERS,),
    "flat": (BOOLEAN,),
    "dtype": (OneOf("float16", "float32", "float64", "longdouble"),),
    "scaling": (OneOf("standard", "mean", None),),
}
_COLUMN_NAME = (Satisfies(_is_scalar, "a name"),)
_TEXTS = _tuple_of(lambda v: isinstance(v, str), "a tuple of names")

FIELDS: Mapping[type, Rules] = {
    TableFeatures: _FEATURES,
    ReconstructedTable: _FEATURES,
    ModuleFeatures: {
        **_FEATURES,
        "_row_shape": (Satisfies(lambda v: SIZES.allows(list(v)), "a shape"),),
    },
    SeriesFeatures: {
        **_SPATIAL,
        **_LENGTHS,
        "pools_all": (BOOLEAN,),
        "any_length": (BOOLEAN,),
    },
    ReconstructedSpatial: _SPATIAL,
    SequenceFeatures: {
        **_FEATURES,
        **_LENGTHS,
        "tokens": (OneOf("auto"), BOOLEAN),
        "analyzer": (OneOf(*ANALYZERS),),
        "given_vocabulary": (NONE,),
        "max_vocabulary": (NONE, SIZE),
        "by_step": (BOOLEAN,),
        "of_tokens": (BOOLEAN,),
        "n_columns": (NONE, SIZE),
        "vocabulary": (NONE, _TOKENS),
    },
    FrameFeatures: {
        **_FEATURES,
        "categorical_features": (_ANYTHING,),  # read by a fit only
        "max_one_hot": (COUNT,),
        "clip": (Number(low=0, open_low=True),),
        "kinds": (_TEXTS,),
        "is_categorical": (_FLAGS,),
        "encoding": (a(FrameEncoding),),
    },
    FrameEncoding: {
        "columns": (
            _tuple_of(lambda v: isinstance(v, LearntColumn), "a tuple of columns"),
        ),
        "clip": (Number(low=0, open_low=True),),
    },
    NumberColumn: _NUMBER_COLUMN,
    TimeColumn: {
        **_NUMBER_COLUMN,
        "cycles": (_tuple_of(OneOf(*CALENDAR).allows, "a tuple of cycles"),),
    },
    BooleanColumn: {
        **_COLUMN,
        "kind": (OneOf(BOOLEAN_KIND),),
        "constant": (BOOLEAN,),
    },
    CategoryColumn: {
        **_COLUMN,
        "kind": (OneOf(CATEGORY),),
        "categories": (a(Categories),),
        "one_hot": (BOOLEAN,),
        "constant": (BOOLEAN,),
    },
    Categories: {"values": (_tuple_of(_is_scalar, "a tuple of values"),)},
    Scaling: {
        "center": (FINITE,),
        "scale": (Number(low=0, open_low=True),),
        "median": (FINITE,),
        "has_indicator": (BOOLEAN,),
        "constant": (BOOLEAN,),
    },
    Layout: _LAYOUT,
    _SeriesLayout: _LAYOUT,
    TabularLayout: {
        **_LAYOUT,
        "n_numeric": (COUNT,),
        "n_plain": (COUNT,),
        "cardinalities": (SIZES,),
    },
    ClassTargets: {"classes": (_LABELS,), "multilabel": (BOOLEAN,)},
    RealTargets: _REAL,
    TaskPart: {
        "name": _COLUMN_NAME,
        "targets": (a(ClassTargets), a(RealTargets)),
        "loss": (a(Loss),),
    },
    LearntTarget: {
        "name": _COLUMN_NAME,
        "dtype": (TEXT,),
        "categories": (NONE, _tuple_of(_is_scalar, "a tuple of values")),
        "ordered": (BOOLEAN,),
        "classes": (NONE, _LABELS),
    },
    Reconstruction: _REAL,
    Loss: {
        "name": (TEXT,),
        "kind": (TEXT,),
        "params": (MAPPING,),
        "smoothing": (Number(low=0, high=1, open_high=True),),
        "calibrate": (BOOLEAN,),
        "calibration": (
            NONE,
            an_array("f", 1, "an array of factors"),
            an_array("f", 2, "an array of factors"),
        ),
    },
    NetSettings: {
        "owner": (TEXT,),
        "optimizer": (a(OptimizerSpec),),
        "max_epochs": (COUNT,),
        "batch_size": (SIZE,),
        "n_outputs": (SIZE,),
        "valid_batch_size": (NONE, COUNT),
        "verbose": (_ANYTHING,),
        "warm_start": (_ANYTHING,),
    },
    OptimizerSpec: {
        "name": (OneOf(*OPTIMIZERS),),
        "learning_rate": (FINITE,),
        "momentum": (FINITE,),
        "betas": (SequenceOf(FINITE, 2, 2),),
        "weight_decay": (FINITE,),
        "gradient_clip": (NONE, FINITE),
        "layer_rates": (OneOf(*LAYER_RATES),),
        "averaging": (FINITE,),
    },
    NetworkMaker: {
        "graph": (a(OnnxGraph),),
        "n_outputs": (SIZE,),
        "new_head": (BOOLEAN,),
    },
    OnnxGraph: {
        "steps": (_tuple_of(lambda v: isinstance(v, Step), "a tuple of steps"),),
        "input": (TEXT,),
        "output": (TEXT,),
        "arrays": (_ARRAYS,),
        "trainable": (_TEXTS,),
        "of_integers": (BOOLEAN,),
    },
    Step: {
        "op": (OneOf(*OPERATORS),),
        "inputs": (_TEXTS,),
        "outputs": (_TEXTS,),
        "attributes": (_ATTRIBUTES,),
    },
}


def _is_row(loss: Loss) -> bool:
    return (loss.name, loss.kind) in LOSSES


def _has_params(loss: Loss) -> bool:
    """Whether a loss has the parameters of its row, each allowed."""
    row = LOSSES[loss.name, loss.kind]
    names = set(row.rules) - {"calibrate"}
    return set(loss.params) == names and all(
        any(rule.allows(loss.params[name]) for rule in row.rules[name])
        and not isinstance(loss.params[name], (list, np.ndarray))
        for name in names
    )


def _arranged(layout: Layout) -> bool:
    return math.prod(layout.arranged) == math.prod(layout.row_shape)


def _same_length(targets: RealTargets) -> bool:
    n = len(targets.center)
    return len(targets.scale) == n and (n == 1 or not targets.flat)


def _are_distinct(targets: ClassTargets) -> bool:
    labels = targets.classes.tolist()
    return len(set(labels)) == len(labels) > 0


def _of_columns(features: Features) -> bool:
    names = features.feature_names_in
    return names is None or len(names) == features.n_features_in


def _in_order(features: FrameFeatures) -> bool:
    """Whether each column is at its place, of its kind."""
    assert features.encoding is not None
    columns = features.encoding.columns
    return (
        [c.place for c in columns] == list(range(features.n_features_in or 0))
        and tuple(c.kind for c in columns) == features.kinds
        and len(features.is_categorical) == len(columns)
    )


def _is_computed(graph: OnnxGraph) -> bool:
    """Whether each step reads what is known by then, and gives what is not."""
    known = {graph.input, *graph.arrays}
    for step in graph.steps:
        made = set(filter(None, step.outputs))
        if not known.issuperset(filter(None, step.inputs)) or made & known:
            return False
        known |= made
    return graph.output in known - {graph.input, *graph.arrays}


def _are_weights(graph: OnnxGraph) -> bool:
    arrays = [graph.arrays.get(name) for name in graph.trainable]
    return bool(arrays) and all(a is not None and a.dtype.kind == "f" for a in arrays)


# What fields of one value have to be to one another.
RELATIONS: Mapping[type, tuple[Satisfies, ...]] = {
    Features: (Satisfies(_of_columns, "as many names as columns"),),
    FrameFeatures: (Satisfies(_in_order, "one learnt column per column"),),
    Layout: (Satisfies(_arranged, "as many arranged values as values"),),
    RealTargets: (
        Satisfies(_same_length, "one centre and one scale per target"),
        Satisfies(lambda t: bool((t.scale != 0).all()), "scales that are not 0"),
    ),
    ClassTargets: (Satisfies(_are_distinct, "distinct labels"),),
    OnnxGraph: (
        Satisfies(_are_weights, "weights among its arrays"),
        Satisfies(_is_computed, "steps that follow from one another"),
    ),
    Loss: (
        Satisfies(_is_row, "a name and a kind of the table of losses"),
        Satisfies(_has_params, "the parameters of its loss"),
    ),
}
