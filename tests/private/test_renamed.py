"""A release that renames what is private of a library breaks one feature, and no import."""

import contextlib
import io
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.impute import KNNImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler

from sklearn_deep import (
    MLPClassifier,
    MLPRegressor,
    OnnxExportError,
    to_onnx,
)
from sklearn_deep.export.sklearn import _distributions, _multiclass, _neighbours
from sklearn_deep.private import _sklearn
from sklearn_deep.private._sklearn import HAS_CALLBACKS

# Renames what the lists of this package name, before anyone else has looked it up.
RENAMED = """
import sys
import torch
import torch.utils._python_dispatch as dispatch
from sklearn.model_selection import _validation

hidden = {"_fused_adamw_"}
class Operators(type(torch.ops.aten)):
    def __getattr__(self, name):
        if name.endswith("_backward") or name in hidden:
            raise AttributeError(name)
        return super().__getattr__(name)

torch.ops.aten.__class__ = Operators
del torch.native_batch_norm, torch.native_layer_norm
del dispatch.TorchDispatchMode
_validation._fit_and_score.__name__ = "_fit_one"
try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:
    pass
else:
    CallbackSupportMixin._begin = CallbackSupportMixin._init_callback_context
    del CallbackSupportMixin._init_callback_context
"""
FITS = """
import joblib
import numpy as np
from sklearn.model_selection import cross_val_score
import sklearn_deep
from sklearn_deep import MLPClassifier

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 5))
y = X[:, 0] * X[:, 1] > 0
ONE = {"max_epochs": 4, "random_state": 0, "dtype": "float64"}
PARAMS = [
    dict(hidden_layer_sizes=(16, 16), dropout=0.2),
    dict(hidden_layer_sizes=(16,), normalization="batch", activation="silu"),
    dict(hidden_layer_sizes=(16,), normalization="layer", activation="gelu"),
    dict(hidden_layer_sizes=(400, 400), optimizer="adamw"),  # large enough to be fused
]
for params in PARAMS:
    model = MLPClassifier(**params, **ONE).fit(X, y)
    print(*model.predict_proba(X[:5])[:, 1])
with joblib.parallel_config(backend="stacked"):
    print(*cross_val_score(MLPClassifier((4,), **ONE), X, y, cv=3))
"""
REFUSES = """
from sklearn_deep import ModuleClassifier
from torch import nn

print(hasattr(MLPClassifier(), "set_callbacks"))
try:
    ModuleClassifier(nn.Linear, module__in_features=5, module__out_features=1).fit(X, y)
except ImportError as error:
    print(error)
"""


def output(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def output_here(code):
    """What code prints that may run in this interpreter: another one starts slowly."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {"__name__": "fits"})
    return printed.getvalue().splitlines()


def test_networks_learn_the_same_without_any_private_name():
    *fits, has_callbacks, message = output(RENAMED + FITS + REFUSES)
    for got, expected in zip(fits, output_here(FITS), strict=True):
        got, expected = (np.array(line.split(), float) for line in (got, expected))
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert has_callbacks == "False"
    assert "A network of your own does not work with torch 2" in message
    assert "it has no torch.utils._python_dispatch.TorchDispatchMode" in message
    assert "pip install 'torch>=" in message


@pytest.mark.skipif(not HAS_CALLBACKS, reason="scikit-learn 1.9 has callbacks")
def test_callbacks_are_there_with_their_names():
    assert hasattr(MLPClassifier(), "set_callbacks")


NETWORK = MLPRegressor((4,), max_epochs=2, random_state=0)
EXPORTS = {
    "_fit_X": (_neighbours, "imputer_rows", make_pipeline(KNNImputer(), NETWORK)),
    "_scaler": (
        _distributions,
        "box_cox_scaler",
        make_pipeline(PowerTransformer(), NETWORK),
    ),
    "_training_dim": (
        _multiclass,
        "n_target_axes",
        TransformedTargetRegressor(NETWORK, transformer=StandardScaler()),
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_names_what_is_missing_and_the_versions_that_work(name, monkeypatch):
    rules, reader, model = EXPORTS[name]
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    model = clone(model).fit(X, y)
    renamed = _sklearn._export.attribute(f"{name}_renamed")
    monkeypatch.setattr(rules, reader, renamed)
    with pytest.raises(OnnxExportError) as caught:
        to_onnx(model, X)
    assert f" has no {name}_renamed" in str(caught.value)
    assert f"pip install 'scikit-learn{_sklearn.TESTED}'" in str(caught.value)
    to_onnx(make_pipeline(StandardScaler(), NETWORK).fit(X, y), X)
