"""Parameter rules shared by all families of networks."""

from numbers import Integral
from os import PathLike

from sklearn.metrics import get_scorer_names

from sklearn_deep._params import (
    BOOLEAN,
    INITIAL_VALUE,
    MAPPING,
    NONE,
    SEED,
    InstanceOf,
    Number,
    OneOf,
    Rules,
    Satisfies,
    SequenceOf,
)
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._initializers import INITIALIZERS
from sklearn_deep.nn._mlp import NORMALIZATIONS
from sklearn_deep.training.job._checkpoint import Checkpoint
from sklearn_deep.training.job._devices import DEVICES, SEVERAL, is_several
from sklearn_deep.training.job._optimizers import OPTIMIZERS
from sklearn_deep.training.job._schedules import SCHEDULES

_NON_NEGATIVE = Number(low=0)
_POSITIVE = Number(low=0, open_low=True)
_POSITIVE_INT = Number(Integral, 1)
_RATE = Number(low=0, high=1, open_high=True)
_SHARE = Number(low=0, high=1, open_low=True, open_high=True)


def _is_scorer(value: object) -> bool:
    if isinstance(value, str):
        return value in get_scorer_names()
    return callable(value) and not isinstance(value, type)


def _is_augmentation(value: object) -> bool:
    items = value if isinstance(value, (list, tuple)) else [value]
    return all(
        callable(getattr(item, "augment", None)) and not isinstance(item, type)
        for item in items
    )


NETWORK_RULES: Rules = {
    "activation": (OneOf(*ACTIVATIONS),),
    "activation_params": (NONE, MAPPING),
    "dropout": (_RATE, SequenceOf(_RATE)),
    "normalization": (NONE, OneOf(*NORMALIZATIONS)),
    "residual": (BOOLEAN,),
    "weight_init": (OneOf("auto", *INITIALIZERS),),
    "weight_init_params": (NONE, MAPPING),
    "bias_init": (OneOf("zeros", "uniform", "prior"), INITIAL_VALUE),
}

TRAINING_RULES: Rules = {
    "loss_params": (NONE, MAPPING),
    "weight_decay": (OneOf("auto"), _NON_NEGATIVE),
    "l2": (_NON_NEGATIVE,),
    "l1": (_NON_NEGATIVE,),
    "gradient_clip": (NONE, _POSITIVE),
    "augmentation": (
        NONE,
        Satisfies(
            _is_augmentation,
            "an augmentation, such as GaussianNoise(), or a list of augmentations",
        ),
    ),
    "optimizer": (OneOf(*OPTIMIZERS),),
    "learning_rate": (OneOf("auto"), _POSITIVE),
    "learning_rate_scaling": (NONE, OneOf("linear", "sqrt")),
    "momentum": (Number(low=0, high=1, open_high=True),),
    "betas": (SequenceOf(Number(low=0, high=1, open_high=True), 2, 2),),
    "batch_size": (OneOf("auto"), _POSITIVE_INT),
    "max_epochs": (OneOf("auto"), _POSITIVE_INT),
    "learning_rate_schedule": (OneOf(*SCHEDULES),),
    "schedule_params": (NONE, MAPPING),
    "warmup": (_NON_NEGATIVE,),
    "early_stopping": (OneOf("auto"), BOOLEAN),
    "validation_fraction": (_SHARE,),
    "n_iter_no_change": (NONE, _POSITIVE_INT),
    "tol": (_NON_NEGATIVE,),
    "restore_best": (BOOLEAN,),
    "monitor": (
        OneOf("loss"),
        Satisfies(
            _is_scorer,
            "a scorer name of sklearn.metrics.get_scorer_names(), or a callable"
            " (estimator, X, y) -> float",
        ),
    ),
    "time_limit": (NONE, _POSITIVE),
    "warm_start": (BOOLEAN,),
    "callbacks": (NONE, InstanceOf((list, tuple), "a list of skorch callbacks")),
    "checkpoint": (
        NONE,
        InstanceOf(
            (str, PathLike, Checkpoint), "a folder (a str or a path), a Checkpoint"
        ),
    ),
    "device": (OneOf(*DEVICES), Satisfies(is_several, SEVERAL)),
    "dtype": (OneOf("auto", "float32", "float64"),),
    "verbose": (Number(Integral, 0), BOOLEAN),
    "random_state": SEED,
}

CLASSIFIER_RULES: Rules = {
    "label_smoothing": (_RATE,),
    "class_weight": (NONE, OneOf("balanced"), MAPPING),
}

HIDDEN_LAYER_SIZES = (
    _POSITIVE_INT,
    SequenceOf(_POSITIVE_INT),
)
