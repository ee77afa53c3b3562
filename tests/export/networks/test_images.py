"""Export of networks over images and series, alone and inside meta-estimators."""

import itertools
import math

import numpy as np
import onnxruntime
import pytest
import skl2onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import nn

from sklearn_deep import (
    CNNClassifier,
    CNNRegressor,
    ModuleClassifier,
    NetworkFeatures,
    OnnxClassifier,
    OnnxExportError,
    OnnxParityError,
    OnnxRegressor,
    ValidationHoldout,
    to_onnx,
)
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._cnn import ARCHITECTURES
from sklearn_deep.nn._mlp import NORMALIZATIONS

SMALL = {"conv_channels": (3, 4), "max_epochs": 1, "random_state": 0}
SHAPES = {1: (12, 2), 2: (7, 6, 2)}


def rows(shape=SHAPES[2], dtype=np.float64, seed=0):
    drawn = np.random.default_rng(seed).uniform(0, 1, (30, *shape))
    return (255 * drawn).astype(dtype) if dtype == np.uint8 else drawn.astype(dtype)


Y = np.arange(30) % 3


def worst(export):
    differences = export.receipt["differences"].values()
    return max(difference["relative"] for difference in differences)


@pytest.mark.oldest
@pytest.mark.parametrize("n_dims", [1, 2])
@pytest.mark.parametrize("normalization", [None, *NORMALIZATIONS])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture(architecture, normalization, n_dims, same):
    X = rows(SHAPES[n_dims])
    model = CNNClassifier(
        architecture=architecture,
        normalization=normalization,
        spatial_dims=n_dims,
        **SMALL,
    ).fit(X, Y)
    export = to_onnx(model, X)
    assert worst(export) < 5e-6
    assert "torch" not in {node.domain for node in export.model.graph.node}
    same(model, export, rows(SHAPES[n_dims], seed=1))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation):
    X = rows()
    model = CNNClassifier(activation=activation, **SMALL).fit(X, Y)
    assert worst(to_onnx(model, X)) < 5e-6


POOLS = [None, "max", "average"]


@pytest.mark.parametrize(
    ("stride", "pooling", "global_pooling"),
    list(itertools.product([1, (1, 3)], POOLS, POOLS)),
    ids=str,
)
def test_every_pooling_and_stride(stride, pooling, global_pooling):
    X = rows()
    model = CNNClassifier(
        stride=stride,
        pooling=pooling,
        global_pooling=global_pooling,
        kernel_size=4,
        residual=True,
        **SMALL,
    )
    assert worst(to_onnx(model.fit(X, Y), X)) < 5e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("channels", ["last", "first"])
@pytest.mark.parametrize("shape", [(8, 7), (8, 7, 3), (8, 7, 1)])
def test_every_layout_of_images(shape, channels, dtype, same):
    X = rows(shape, dtype)
    model = CNNClassifier(channels=channels, **SMALL).fit(X, Y)
    export = to_onnx(model, X)
    (given,) = onnxruntime.InferenceSession(export.to_bytes()).get_inputs()
    assert given.shape[1:] == list(shape)
    assert (
        given.type
        == {4: "tensor(float)", 8: "tensor(double)", 1: "tensor(uint8)"}[X.itemsize]
    )
    same(model, export, rows(shape, dtype, seed=1))
    reader = OnnxClassifier(export.to_bytes())
    np.testing.assert_array_equal(reader.predict(X), model.predict(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("channels", ["last", "first"])
@pytest.mark.parametrize("shape", [(12,), (12, 3), (12, 1)])
def test_every_layout_of_series(shape, channels, dtype, same):
    shape = shape if channels == "last" else shape[::-1]
    X = rows(shape, dtype)
    model = CNNClassifier(channels=channels, spatial_dims=1, **SMALL).fit(X, Y)
    export = to_onnx(model, X)
    (given,) = onnxruntime.InferenceSession(export.to_bytes()).get_inputs()
    assert given.shape[1:] == list(shape)
    same(model, export, rows(shape, dtype, seed=1))


@pytest.mark.parametrize(
    "y", [Y % 2, np.array(["a", "b", "c"])[Y], np.c_[Y == 0, Y == 1].astype(int)]
)
def test_every_kind_of_label(y, same):
    X = rows()
    model = CNNClassifier(**SMALL).fit(X, y)
    same(model, to_onnx(model, X), rows(seed=1))


@pytest.mark.parametrize("loss", ["squared_error", "gaussian", "poisson"])
def test_regressors(loss, same):
    X = rows()
    y = X.sum((1, 2, 3))
    model = CNNRegressor(loss=loss, **SMALL).fit(X, y)
    export = to_onnx(model, X)
    same(model, export, rows(seed=1))
    assert OnnxRegressor(export.to_bytes()).predict(X).shape == (30,)


def test_dtype_float64_is_kept_between_convolutions():
    X = rows()
    model = CNNClassifier(**SMALL).fit(X, Y)
    single, double = (to_onnx(model, X, dtype=d) for d in (None, "float64"))
    assert len(double.to_bytes()) > 1.3 * len(single.to_bytes())
    assert worst(double) < 1e-6


INSIDE = {
    "search": lambda net: GridSearchCV(net, {"dropout": [0.0, 0.3]}, cv=2),
    "voting": lambda net: VotingClassifier([("a", net), ("b", net)], voting="soft"),
    "stacking": lambda net: StackingClassifier([("a", net)], RidgeClassifier(), cv=2),
    "calibrated": lambda net: CalibratedClassifierCV(net, cv=2),
    "held out": lambda net: ValidationHoldout(net),
    "features": lambda net: make_pipeline(NetworkFeatures(net), RidgeClassifier()),
    "features of two layers": lambda net: make_pipeline(
        make_union(NetworkFeatures(net, layer=0), NetworkFeatures(net, layer=-1)),
        RidgeClassifier(),
    ),
    "function": lambda net: make_pipeline(FunctionTransformer(np.sqrt), net),
    "inner features": lambda net: make_pipeline(
        NetworkFeatures(net, layer="blocks.0"), RidgeClassifier()
    ),
}


@pytest.mark.parametrize("name", INSIDE)
def test_images_go_through_meta_estimators(name, same):
    X = rows()
    model = INSIDE[name](CNNClassifier(**SMALL)).fit(X, Y)
    same(model, to_onnx(model, X), rows(seed=1))


def test_flat_rows_become_images_after_a_scaler(same):
    X = rows().reshape(30, -1)
    net = CNNClassifier(input_shape=SHAPES[2], **SMALL)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), net), {"cnnclassifier__dropout": [0, 0.2]}, cv=2
    ).fit(X, Y)
    same(search, to_onnx(search, X), rows(seed=1).reshape(30, -1))


def test_skl2onnx_converts_images():
    X = rows(dtype=np.float32)
    model = CNNClassifier(**SMALL).fit(X, Y)
    proto = skl2onnx.convert_sklearn(
        model,
        initial_types=[("X", FloatTensorType([None, *SHAPES[2]]))],
        options={"zipmap": False},
    )
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    p = session.run(None, {"X": X})[1]
    np.testing.assert_allclose(p, model.predict_proba(X), atol=2e-6)


class Net(nn.Module):
    """A user's network of layers with rules and one without."""

    def __init__(self, input_shape, n_outputs, resize=False):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(input_shape[0], 3, 3, padding="same"),
            nn.BatchNorm2d(3),
            nn.PReLU(3),
            nn.Upsample(scale_factor=2) if resize else nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(3, n_outputs),
        )

    def forward(self, x):
        return self.layers(x)


@pytest.mark.slow
@pytest.mark.parametrize("resize", [False, True])
def test_a_users_convolutional_module(resize, same):
    X = rows((2, 7, 6))
    model = ModuleClassifier(Net, module__resize=resize, max_epochs=1, random_state=0)
    same(model.fit(X, Y), to_onnx(model, X), rows((2, 7, 6), seed=1))


def test_a_network_of_usual_size_is_exported_quickly():
    X = rows((28, 28), np.uint8)
    model = CNNClassifier(max_epochs=1, random_state=0).fit(X, Y)
    export = to_onnx(model, X)
    n_values = sum(p.numel() for p in model.module_.parameters())
    assert len(export.to_bytes()) < 4 * n_values + 20_000


def test_rows_of_another_shape_or_kind_are_refused_by_name():
    X = rows()
    model = CNNClassifier(**SMALL).fit(X, Y)
    for strange in (X[:, :5], X[:, :, :5], X.reshape(30, -1), X.astype(np.uint8)):
        with pytest.raises(OnnxExportError, match="like those of the fit"):
            to_onnx(model, strange)
    with pytest.raises(OnnxExportError, match=r"\(n_samples, 7, 6, 2\)"):
        to_onnx(model, X[:, :, :5])
    reader = OnnxClassifier(to_onnx(model, X).to_bytes())
    with pytest.raises(ValueError, match=r"\(30, 7, 5, 2\).*\(n_samples, 7, 6, 2\)"):
        reader.predict(X[:, :, :5])
    with pytest.raises(ValueError, match=r"uint8.*float64 at the export"):
        reader.predict(rows(dtype=np.uint8))
    with pytest.raises(ValueError, match="0 sample"):
        reader.predict(X[:0])


def test_flat_rows_of_pixels_stay_uint8_and_differ_from_numbers():
    X = rows(dtype=np.uint8).reshape(30, -1)
    model = CNNClassifier(input_shape=SHAPES[2], **SMALL).fit(X, Y)
    reader = OnnxClassifier(to_onnx(model, X).to_bytes())
    np.testing.assert_array_equal(reader.predict(X), model.predict(X))
    with pytest.raises(ValueError, match=r"float64, and had uint8 at the export"):
        reader.predict(X / 255)


def test_bytes_are_numbers_if_the_network_has_no_pixels():
    X = rows(SHAPES[1], np.uint8)
    model = CNNClassifier(spatial_dims=1, **SMALL).fit(X, Y)
    reader = OnnxClassifier(to_onnx(model, X).to_bytes())
    p = model.predict_proba(X)
    for same_numbers in (X, X.astype(float), X.astype(np.int16)):
        np.testing.assert_allclose(reader.predict_proba(same_numbers), p, atol=1e-5)


def test_the_file_of_features_has_no_later_layer():
    X = rows()
    net = CNNClassifier((3, 40), max_epochs=1, random_state=0)
    inner, last = (
        to_onnx(NetworkFeatures(net, layer=layer).fit(X, Y), X)
        for layer in ("blocks.0.0", -1)
    )
    weights = sum(math.prod(t.dims) for t in inner.model.graph.initializer)
    assert weights < 3 * 2 * 9 + 30
    assert len(inner.to_bytes()) < len(last.to_bytes()) / 2


def test_a_difference_after_a_function_of_images_names_the_network():
    X = rows()
    model = make_pipeline(FunctionTransformer(np.sqrt), CNNClassifier(**SMALL))
    with pytest.raises(OnnxParityError, match="differs is cnnclassifier"):
        to_onnx(model.fit(X, Y), X, tolerance=0)


def test_the_error_names_a_step_that_needs_columns():
    X = rows()
    features = NetworkFeatures(CNNClassifier(**SMALL))
    model = make_pipeline(features, StandardScaler(), RidgeClassifier()).fit(X, Y)
    model.steps.insert(0, ("flat", StandardScaler().fit(X.reshape(30, -1))))
    with pytest.raises(OnnxExportError):
        to_onnx(model, X)
