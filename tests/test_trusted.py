"""skops loads what this package makes with one list of types, which runs no code."""

import dataclasses
import io
import json
import subprocess
import sys
import zipfile
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
import skops.io
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.model_selection import (
    BaseCrossValidator,
    GridSearchCV,
    RandomizedSearchCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops.io.exceptions import UntrustedTypesFoundException
from torch import nn

import sklearn_deep
from sklearn_deep import (
    SKOPS_TRUSTED_TYPES,
    Augmentation,
    Checkpoint,
    CNNAutoencoder,
    CNNClassifier,
    LabelledOnly,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    MultiTask,
    OnnxClassifier,
    OnnxMultiTask,
    OnnxRegressor,
    OnnxTransformer,
    RNNClassifier,
    TabularClassifier,
    from_onnx,
    to_onnx,
)
from sklearn_deep.data._features import Features

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(24, 6))
IMAGES = RNG.integers(0, 256, size=(24, 3, 8, 8)).astype(np.uint8)
SERIES = RNG.normal(size=(24, 2, 8))
LABELS = np.arange(24) % 2
FRAME = pd.DataFrame(
    {
        "town": ["A", "B", None] * 8,
        "size": ROWS[:, 1],
        "day": pd.date_range("2024-01-01", periods=24, freq="9h"),
        "open": ROWS[:, 0] > 0,
    }
)
QUICK = {"max_epochs": 2, "random_state": 0}


def mlp(**params):
    return MLPClassifier((4,), **QUICK, **params)


def path_of(cls):
    return f"{cls.__module__}.{cls.__qualname__}"


PUBLIC = [
    value
    for value in (getattr(sklearn_deep, name) for name in sklearn_deep.__all__)
    if isinstance(value, type) and issubclass(value, BaseEstimator)
]
AUGMENTATIONS = [
    cls for cls in PUBLIC if issubclass(cls, Augmentation) and cls is not Augmentation
]
SEARCHES = {
    "grid": GridSearchCV(mlp(), {"dropout": [0.0, 0.1]}, cv=2),
    "pipeline": GridSearchCV(
        make_pipeline(StandardScaler(), mlp()),
        {"mlpclassifier__dropout": [0.0, 0.1]},
        cv=2,
    ),
    "random": RandomizedSearchCV(
        MLPRegressor((4,), **QUICK), {"dropout": [0.0, 0.1]}, n_iter=2, cv=2
    ),
}


def found_types(file):
    return set(skops.io.get_untrusted_types(data=file))


def through_skops(model):
    file = skops.io.dumps(model)
    assert found_types(file) <= set(SKOPS_TRUSTED_TYPES)
    return skops.io.loads(file, trusted=SKOPS_TRUSTED_TYPES)


def augmented(cls):
    """An estimator that can take this augmentation, and rows for it."""
    given = cls([[("rotation", 0.5, 0.5)]]) if cls.__name__ == "Policy" else cls()
    if cls.__module__.endswith(("_image", "_geometry", "_colour", "_policies")):
        return CNNClassifier(
            (2,), channels="first", augmentation=given, **QUICK
        ), IMAGES
    if cls.__module__.endswith("_series"):
        params = {"channels": "first", "spatial_dims": 1, "augmentation": given}
        return CNNClassifier((2,), **params, **QUICK), SERIES
    return mlp(augmentation=given), ROWS


@pytest.mark.parametrize("cls", AUGMENTATIONS)
def test_an_augmented_network_predicts_the_same_bits_after_loading(cls):
    model, X = augmented(cls)
    model.fit(X, LABELS)
    loaded = through_skops(model)
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert type(loaded.augmentation) is cls


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_predicts_the_same_bits_after_loading(name):
    search = SEARCHES[name].fit(ROWS, LABELS)
    loaded = through_skops(search)
    assert_array_equal(loaded.predict(ROWS), search.predict(ROWS))
    assert loaded.best_params_ == search.best_params_


def test_a_pipeline_predicts_the_same_bits_after_loading():
    pipe = make_pipeline(StandardScaler(), mlp()).fit(ROWS, LABELS)
    assert_array_equal(
        through_skops(pipe).predict_proba(ROWS), pipe.predict_proba(ROWS)
    )


def test_a_loaded_network_goes_on_training_as_the_one_it_was():
    model = mlp().partial_fit(ROWS, LABELS)
    loaded = through_skops(model)
    for network in (model, loaded):
        network.partial_fit(ROWS, LABELS)
    assert_array_equal(loaded.predict_proba(ROWS), model.predict_proba(ROWS))


@pytest.mark.parametrize(
    ("reader", "model", "method"),
    [
        (OnnxClassifier, mlp(), "predict_proba"),
        (OnnxRegressor, MLPRegressor((4,), **QUICK), "predict"),
        (OnnxTransformer, MLPAutoencoder((4,), code_size=2, **QUICK), "transform"),
    ],
)
def test_a_reader_predicts_the_same_bits_after_loading(reader, model, method):
    opened = reader(to_onnx(model.fit(ROWS, LABELS), ROWS).to_bytes())
    assert_array_equal(
        getattr(through_skops(opened), method)(ROWS), getattr(opened, method)(ROWS)
    )


def test_a_reader_of_several_tasks_predicts_the_same_after_loading():
    model = MultiTask(mlp()).fit(ROWS, {"class": LABELS > 0, "number": ROWS[:, 0]})
    opened = OnnxMultiTask(to_onnx(model, ROWS).to_bytes())
    loaded = through_skops(opened).predict(ROWS)
    for task, values in opened.predict(ROWS).items():
        assert_array_equal(loaded[task], values)


def test_the_list_names_every_public_estimator_and_what_fitted_ones_hold(tmp_path):
    held = set()
    for model, X in [
        (mlp(), ROWS),
        (mlp().set_params(checkpoint=Checkpoint(str(tmp_path)), random_state=0), ROWS),
        (MLPRegressor((4,), **QUICK), ROWS),
        (MLPAutoencoder((4,), **QUICK), ROWS),
        (CNNClassifier((2,), channels="first", **QUICK), IMAGES),
        (
            CNNClassifier((2,), **QUICK),
            [SERIES[0].T, *SERIES[1:, :, :5].swapaxes(1, 2)],
        ),
        (CNNAutoencoder((2,), channels="first", **QUICK), IMAGES),
        (RNNClassifier(4, **QUICK), ROWS),
        (TabularClassifier((4,), n_networks=2, **QUICK), FRAME),
    ]:
        held |= found_types(skops.io.dumps(model.fit(X, LABELS)))
    several = MultiTask(mlp()).fit(ROWS, {"class": LABELS > 0, "number": ROWS[:, 0]})
    held |= found_types(skops.io.dumps(several))
    module = ModuleClassifier(nn.Linear, module__in_features=6, module__out_features=1)
    file = skops.io.dumps(module.set_params(**QUICK).fit(ROWS, LABELS))
    held |= {name for name in found_types(file) if name.startswith("sklearn_deep.")}
    series = SERIES.swapaxes(1, 2).astype("float32")
    network = RNNClassifier(4, **QUICK).fit(series, LABELS)
    imported = from_onnx(to_onnx(network, series).to_bytes(), X_check=series)
    held |= found_types(skops.io.dumps(imported))
    for search in SEARCHES.values():
        held |= found_types(skops.io.dumps(search.fit(ROWS, LABELS)))
    regression = GridSearchCV(MLPRegressor((4,), **QUICK), {}, cv=2)
    held |= found_types(skops.io.dumps(regression.fit(ROWS, ROWS[:, 0])))
    splitter = GridSearchCV(mlp(), {}, cv=LabelledOnly(2))
    held |= found_types(skops.io.dumps(splitter.fit(ROWS, LABELS)))
    assert held <= set(SKOPS_TRUSTED_TYPES)
    ours = [name for name in SKOPS_TRUSTED_TYPES if name.startswith("sklearn_deep.")]
    expected = {path_of(cls) for cls in PUBLIC} | held
    assert sorted(ours) == sorted(n for n in expected if n.startswith("sklearn_deep."))


@pytest.mark.parametrize("name", SKOPS_TRUSTED_TYPES)
def test_a_listed_type_holds_data_and_is_restored_without_its_own_code(name):
    module, _, attribute = name.rpartition(".")
    cls = getattr(import_module(module), attribute)
    assert isinstance(cls, type)
    assert not issubclass(cls, nn.Module)
    assert cls.__reduce__ is object.__reduce__
    if module.startswith("sklearn_deep."):
        plain = (BaseEstimator, BaseCrossValidator, Features)
        assert issubclass(cls, plain) or dataclasses.is_dataclass(cls)
        assert not issubclass(cls, Features) or "__setstate__" not in vars(cls)


@pytest.mark.parametrize(
    "foreign",
    [
        {"__class__": "eval", "__module__": "builtins", "__loader__": "TypeNode"},
        {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"},
        {"__class__": "load", "__module__": "torch", "__loader__": "FunctionNode"},
        {"__class__": "Sequential", "__module__": "torch.nn", "__loader__": "TypeNode"},
    ],
)
def test_a_foreign_callable_in_the_place_of_the_network_is_refused(foreign):
    file = skops.io.dumps(mlp().fit(ROWS, LABELS))
    forged = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(file)) as old, zipfile.ZipFile(forged, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                schema["content"]["content"]["_network"] = {**foreign, "__id__": 1}
                content = json.dumps(schema).encode()
            new.writestr(name, content)
    with pytest.raises(UntrustedTypesFoundException, match=foreign["__class__"]):
        skops.io.loads(forged.getvalue(), trusted=SKOPS_TRUSTED_TYPES)


LOADS_UNDER_WATCH = """
import sys, warnings
import numpy as np
import skops.io
from sklearn_deep import SKOPS_TRUSTED_TYPES, Quantized, MLPClassifier, RNNClassifier

X, y = np.random.default_rng(0).normal(size=(24, 6)), np.arange(24) % 2
quick = {"max_epochs": 1, "random_state": 0}
models = [
    MLPClassifier((4,), **quick).fit(X, y),
    Quantized(MLPClassifier((4,), **quick)).fit(X, y),
    RNNClassifier(4, analyzer="char", **quick).fit(["ab", "b"] * 12, y),
]
files = [skops.io.dumps(model) for model in models]
for file in files:  # what is imported lazily is there afterwards
    skops.io.loads(file, trusted=SKOPS_TRUSTED_TYPES)
events = []
sys.addaudithook(lambda event, args: events.append(event))
for file in files:
    skops.io.loads(file, trusted=SKOPS_TRUSTED_TYPES)
print(*sorted(set(events)))
"""


def test_loading_neither_unpickles_nor_executes_nor_opens_anything():
    """Python's audit events of such loading; the header of an array is compiled only."""
    done = subprocess.run(
        [sys.executable, "-c", LOADS_UNDER_WATCH], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    events = set(done.stdout.split())
    assert events <= {"builtins.id", "compile"}


def test_the_list_is_read_without_torch():
    code = (
        "import sys; from sklearn_deep import SKOPS_TRUSTED_TYPES;"
        " assert 'torch' not in sys.modules; assert 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
