"""What a packed network may be, before a module is built of it."""

import inspect
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from sklearn.base import is_classifier, is_regressor

from sklearn_deep._params import (
    BOOLEAN,
    MAPPING,
    NONE,
    Number,
    OneOf,
    Rules,
    Satisfies,
    SequenceOf,
)
from sklearn_deep.augmentation._base import Augmentation
from sklearn_deep.data._features import Features, ReconstructedTable, TableFeatures
from sklearn_deep.data._frame_features import FrameFeatures
from sklearn_deep.data._sequence_features import SequenceFeatures
from sklearn_deep.data._series_features import SeriesFeatures
from sklearn_deep.data._spatial_features import ReconstructedSpatial
from sklearn_deep.data._targets import ClassTargets, RealTargets
from sklearn_deep.estimators.core._networks import without_values
from sklearn_deep.files._values import (
    COUNT,
    FINITE,
    INTEGER,
    NUMBERS,
    SIZE,
    SIZES,
    TEXT,
    a,
)
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._autoencoder import Autoencoder
from sklearn_deep.nn._cnn import ARCHITECTURES, CNN
from sklearn_deep.nn._columns import NUMERIC_EMBEDDINGS
from sklearn_deep.nn._conv_autoencoder import ConvAutoencoder
from sklearn_deep.nn._losses import Loss
from sklearn_deep.nn._mlp import MLP, NORMALIZATIONS
from sklearn_deep.nn._quantization import LIMITS
from sklearn_deep.nn._rnn import CELLS, READOUTS, RNN
from sklearn_deep.nn._tabular import AVERAGES, Ensemble, TabularNetwork
from sklearn_deep.training.job._job import NetSettings
from sklearn_deep.training.job._optimizers import OPTIMIZERS


def _are_arrays(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str)
        and type(array) is np.ndarray
        and array.dtype.kind in "biuf"
        for name, array in value.items()
    )


def _is_history(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, dict)
        and all(isinstance(name, str) for name in row)
        and {"epoch", "train_loss"} <= row.keys()
        and all(isinstance(v, (int, float, type(None))) for v in row.values())
        for row in value
    )


def _is_state(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() != _STATE:
        return False
    slots, weights = value["slots"], value["weights"]
    arrays = [*slots, *([] if weights is None else [weights])]
    return (
        isinstance(slots, list)
        and all(COUNT.allows(value[name]) for name in ("step", "epoch"))
        and _are_arrays({str(i): array for i, array in enumerate(arrays)})
        and all(array.dtype.kind == "f" for array in arrays)
    )


def _are_importances(value: Any) -> bool:
    return (
        isinstance(value, tuple) and len(value) == 2 and all(map(NUMBERS.allows, value))
    )


_STATE = {"slots", "step", "epoch", "weights"}


def _are(cls: type) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, tuple) and all(isinstance(item, cls) for item in value)
    )


_ARRAYS = Satisfies(_are_arrays, "a dict of arrays")
_AUGMENTATIONS = Satisfies(_are(Augmentation), "a tuple of augmentations")

FITTED: Rules = {
    "module": (_ARRAYS,),
    "architecture": (MAPPING,),
    "features": (a(Features),),
    "targets": (a(ClassTargets), a(RealTargets)),
    "loss": (a(Loss),),
    "seed": (INTEGER,),
    "dtype": (OneOf("float32", "float64"),),
    "history": (Satisfies(_is_history, "a list of one row per epoch"),),
    "best_epoch": (COUNT,),
    "stop_reason": (TEXT,),
    "learning_rate": (FINITE,),
    "augmentation": (_AUGMENTATIONS,),
    "policy": (NONE, _AUGMENTATIONS),
    "net_settings": (NONE, a(NetSettings)),
    "optimizer": (NONE, OneOf(*OPTIMIZERS)),
    "optimizer_state": (NONE, Satisfies(_is_state, "the state of an optimizer")),
    "weight_mask": (NONE, _ARRAYS),
    "bits": (NONE, OneOf(*LIMITS)),
    "frozen": (Satisfies(_are(str), "a tuple of names"),),
    "importances": (NONE, Satisfies(_are_importances, "two arrays of numbers")),
}

_POOLING = NONE, OneOf("max", "average")
_RATES = SequenceOf(Number(low=0, high=1))

# By the names of the arguments of the modules in ``nn/``. A number of layers is at most the
# number of arrays, which is checked beside.
ARCHITECTURE: Rules = {
    "activation": (OneOf(*ACTIVATIONS),),
    "activation_params": (MAPPING,),
    "architecture": (OneOf(*ARCHITECTURES),),
    "bidirectional": (BOOLEAN,),
    "cardinalities": (SIZES,),
    "category_embedding": (SIZE,),
    "cell": (OneOf(*CELLS),),
    "channels_first": (BOOLEAN,),
    "code_size": (SIZE,),
    "conv_channels": (SIZES,),
    "dropout": (_RATES,),
    "embedding_dim": (NONE, SIZE),
    "global_pooling": _POOLING,
    "hidden_layer_sizes": (SIZES,),
    "hidden_size": (SIZE,),
    "kernel_size": (SIZES,),
    "kind": (OneOf(*AVERAGES),),
    "layout": (MAPPING,),
    "n_channels": (SIZE,),
    "n_features": (SIZE,),
    "n_networks": (SIZE,),
    "n_numeric": (COUNT,),
    "n_outputs": (SIZE,),
    "n_plain": (COUNT,),
    "normalization": (NONE, OneOf(*NORMALIZATIONS)),
    "num_layers": (SIZE,),
    "numeric_embedding": (NONE, OneOf(*NUMERIC_EMBEDDINGS)),
    "pool_size": (SIZE,),
    "pooling": _POOLING,
    "readout": (OneOf(*READOUTS),),
    "residual": (BOOLEAN,),
    "return_sequences": (BOOLEAN,),
    "stride": (SIZES,),
}
_NUMBERS_OF_LAYERS = ("n_networks", "num_layers")

# The features of each module, and what they say of its arguments.
_FEATURES: Mapping[Any, tuple[type[Features], Callable[[Any], dict[str, Any]]]] = {
    MLP: (TableFeatures, lambda f: {"n_features": f.n_features_in}),
    Autoencoder: (ReconstructedTable, lambda f: {"n_features": f.n_features_in}),
    CNN: (SeriesFeatures, lambda f: {"layout": f.seen.plain()}),
    ConvAutoencoder: (ReconstructedSpatial, lambda f: {"layout": f.seen.plain()}),
    RNN: (SequenceFeatures, lambda f: _of_sequences(f)),
    Ensemble: (FrameFeatures, lambda f: f.encoding.layout.plain()),
}


def _of_sequences(features: SequenceFeatures) -> dict[str, Any]:
    n = len(features.vocabulary) + 1 if features.of_tokens else features.n_channels
    return {"n_channels": n, "return_sequences": features.by_step}


def problems_of_parts(estimator: Any, fields: dict[str, Any]) -> list[str]:
    """What is wrong between the fields, whose types are right, one by one."""
    checks = _targets_fit, _outputs_fit, _masks_fit
    found = [text for check in checks for text in check(estimator, fields)]
    network = getattr(type(estimator), "_network", None)
    if network is None or network not in _FEATURES:  # a module of the user
        return found
    return found or _architecture_fits(network, fields) or _values_fit(network, fields)


def _targets_fit(estimator: Any, fields: dict[str, Any]) -> list[str]:
    targets, loss = fields["targets"], fields["loss"]
    classes = isinstance(targets, ClassTargets)
    kinds = (is_classifier(estimator) and not classes) or (
        is_regressor(estimator) and classes
    )
    wrong = ["targets of another task"] if kinds else []
    return wrong + ([] if loss.kind == targets.kind else ["a loss of other targets"])


def _outputs_fit(estimator: Any, fields: dict[str, Any]) -> list[str]:
    """Outputs of the network, and corrections of the loss, are as many as the targets."""
    loss, n_targets = fields["loss"], fields["targets"].n_outputs
    n_outputs = fields["architecture"].get("n_outputs", None)
    found = []
    if n_outputs is not None and n_outputs != n_targets * loss.raw_per_target:
        found.append(f"{n_outputs} outputs for {n_targets} targets")
    if loss.calibration is not None:
        several = (loss.raw_per_target,) if loss.has_several_quantiles else ()
        if loss.row.calibration is None or loss.calibration.shape != (
            n_targets,
            *several,
        ):
            found.append("a calibration of another shape")
    return found


def _masks_fit(estimator: Any, fields: dict[str, Any]) -> list[str]:
    mask, module = fields.get("weight_mask") or {}, fields["module"]
    wrong = [
        name
        for name, kept in mask.items()
        if name not in module or kept.dtype != bool or kept.shape != module[name].shape
    ]
    return [f"a mask of other weights: {name!r}" for name in wrong[:1]]


def _architecture_fits(network: Any, fields: dict[str, Any]) -> list[str]:
    """The arguments are those of the module, allowed, and those that the features say."""
    given, (kind, say) = fields["architecture"], _FEATURES[network]
    if set(given) != _arguments(network):
        return ["arguments of another architecture"]
    wrong = [
        name
        for name, value in given.items()
        if not any(rule.allows(value) for rule in ARCHITECTURE[name])
    ]
    if wrong or not _are_params(given):
        return [f"a wrong {(wrong or ['activation_params'])[0]!r} of its architecture"]
    n_arrays = len(fields["module"])
    lengths = [
        len(v) for v in given.values() if isinstance(v, (list, tuple, np.ndarray))
    ]
    numbers = [given[name] for name in _NUMBERS_OF_LAYERS if name in given]
    if max([*lengths, *numbers], default=0) > n_arrays + 1:
        return ["more layers than arrays"]
    if type(fields["features"]) is not kind:
        return [f"features of class {type(fields['features']).__name__}"]
    said = say(fields["features"])
    other = [
        name for name, value in said.items() if _plain(given[name]) != _plain(value)
    ]
    return [f"another {other[0]!r} than its features"] if other else []


def _are_params(architecture: Mapping[str, Any]) -> bool:
    """Whether an activation has the parameters of its row, each allowed."""
    rules, given = (
        ACTIVATIONS[architecture["activation"]].rules
        if "activation" in architecture
        else {},
        architecture.get("activation_params", {}),
    )
    return given.keys() == rules.keys() and all(
        any(rule.allows(given[name]) for rule in rules[name]) for name in rules
    )


def _plain(value: Any) -> Any:
    """Tuples as lists, which compare as equal."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, (list, tuple)) else value


def _arguments(network: Any) -> set[str]:
    """Names of the arguments that build a module, through ``**`` to the classes inside."""
    names: set[str] = set()
    for cls in _INSIDE.get(network, (network,)):
        parameters = inspect.signature(cls).parameters.values()
        names |= {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
    return names - _MADE_INSIDE if network in _INSIDE else names


_INSIDE: Mapping[Any, tuple[Any, ...]] = {Ensemble: (Ensemble, TabularNetwork, MLP)}
_MADE_INSIDE = {"n_features"}


def _values_fit(network: Any, fields: dict[str, Any]) -> list[str]:
    """Arrays have the names, shapes and dtypes of the module."""
    like: Any = SimpleNamespace(
        bits=fields.get("bits"), architecture=fields["architecture"]
    )
    expected = without_values(network, like).state_dict()
    given = fields["module"]
    if expected.keys() != given.keys():
        return ["arrays of another architecture"]
    dtype = getattr(torch, fields["dtype"])
    for name, tensor in expected.items():
        wanted = dtype if tensor.is_floating_point() else tensor.dtype
        array = given[name]
        if array.shape != tuple(tensor.shape) or _torch_dtype(array) != wanted:
            return [f"an array {name!r} of another shape or dtype"]
    return []


def _torch_dtype(array: np.ndarray) -> torch.dtype | None:
    return getattr(torch, array.dtype.name, None)
