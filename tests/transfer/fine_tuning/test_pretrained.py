"""Where a pretrained network may come from: files, other libraries, modules."""

import sys
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as TheirMLP
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_deep import (
    CNNClassifier,
    FineTuned,
    InvalidParameterError,
    MissingDependencyError,
    MLPClassifier,
    MLPRegressor,
    ModelFileError,
    ModuleClassifier,
    ModuleRegressor,
    OnnxFileError,
    from_onnx,
    from_sklearn,
    save,
    to_onnx,
)

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(120, 6)).astype(np.float32)
Y = np.digitize(ROWS[:, 0] + ROWS[:, 1], [-1, 0, 1])
OLD, NEW = Y < 2, Y >= 1
IMAGES = RNG.normal(size=(60, 8, 8)).astype(np.float32)
TWO, THREE = np.arange(60) % 2, np.arange(60) % 3
FAST = {"max_epochs": 4, "random_state": 0, "early_stopping": False}


def scaled():
    network = MLPClassifier((8,), **FAST)
    return make_pipeline(StandardScaler(), network).fit(3 * ROWS[OLD] + 1, Y[OLD])


def theirs():
    network = TheirMLP((8,), max_iter=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return make_pipeline(StandardScaler(), network).fit(ROWS[OLD], Y[OLD])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of a chain of layers, of the same behind a scaler, and of convolutions."""
    folder = tmp_path_factory.mktemp("networks")
    plain = MLPClassifier((8,), **FAST).fit(ROWS[OLD], Y[OLD])
    images = CNNClassifier(conv_channels=(3, 4), **FAST).fit(IMAGES, TWO)
    for name, model, X in [
        ("plain", plain, ROWS),
        ("scaled", scaled(), ROWS),
        ("images", images, IMAGES),
    ]:
        to_onnx(model, X).save(folder / f"{name}.onnx")
        save(from_onnx(folder / f"{name}.onnx"), folder / f"{name}.skd")
    return folder


def tuned(pretrained, **params):
    network = MLPClassifier(**FAST)
    model = FineTuned(network, pretrained, on_worse="ignore", **params)
    return model.fit(ROWS[NEW], Y[NEW])


def body(model):
    network = model[-1] if hasattr(model, "steps") else model
    state = network.module_.state_dict()
    return {name: v for name, v in state.items() if not name.startswith("output")}


def assert_same_body(model, source):
    expected, found = body(source), body(model)
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize("name", ["plain", "scaled"])
@pytest.mark.parametrize("ending", ["onnx", "skd"])
@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_path_gives_what_the_network_in_it_gives(folder, name, ending, kind):
    network = from_onnx(folder / f"{name}.onnx")
    assert hasattr(network, "steps") == (name == "scaled")
    model = tuned(kind(folder / f"{name}.{ending}"))
    expected = tuned(FrozenEstimator(network))
    assert_array_equal(model.predict_proba(ROWS), expected.predict_proba(ROWS))
    assert_same_body(model.estimator_, network)
    assert model.classes_.tolist() == [1, 2, 3]


@pytest.mark.parametrize("freeze", ["auto", 1, None])
def test_a_network_of_operators_takes_other_classes(folder, freeze):
    source = from_onnx(folder / "images.onnx")
    assert type(source) is ModuleClassifier
    network = ModuleClassifier(None, **FAST)
    for pretrained in (folder / "images.onnx", folder / "images.skd", source):
        model = FineTuned(network, pretrained, freeze=freeze, on_worse="ignore")
        model.fit(IMAGES, THREE)
        assert model.module_.output.weight.shape == (
            3,
            source.module_.output.in_features,
        )
        layers = model.layers_.set_index("layer")["trainable"]
        assert layers.sum() == {"auto": 1, "1": 3, "None": 4}[str(freeze)]
        if freeze == "auto":
            assert_same_body(model, source)
    again = clone(model).set_params(pretrained=FrozenEstimator(source))
    assert_array_equal(again.fit(IMAGES, THREE).predict(IMAGES), model.predict(IMAGES))


def test_a_network_of_operators_has_a_new_head_for_as_many_classes(folder):
    source = from_onnx(folder / "images.onnx")
    still = ModuleClassifier(None, **{**FAST, "max_epochs": 1, "learning_rate": 1e-12})
    new = FineTuned(still, source, on_worse="ignore").fit(IMAGES, TWO)
    assert not np.allclose(new.predict_proba(IMAGES), source.predict_proba(IMAGES))
    kept = FineTuned(still, source, on_worse="ignore", reset="new_classes")
    kept.fit(IMAGES, TWO)
    assert_allclose(kept.predict_proba(IMAGES), source.predict_proba(IMAGES), rtol=1e-5)


def test_a_classifier_of_operators_becomes_a_regressor(folder):
    network = ModuleRegressor(None, **FAST)
    model = FineTuned(network, folder / "images.onnx", on_worse="ignore")
    assert model.fit(IMAGES, IMAGES[:, 0, 0]).predict(IMAGES).shape == (60,)


class Convolutions(nn.Sequential):
    """A network that ends in no linear layer."""

    def __init__(self, n_outputs):
        super().__init__(
            nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, n_outputs, 6), nn.Flatten()
        )


def test_a_network_without_a_linear_output_keeps_its_classes_only(tmp_path):
    images = IMAGES[:, None]
    source = ModuleClassifier(Convolutions, **FAST).fit(images, THREE)
    to_onnx(source, images).save(tmp_path / "net.onnx")
    network = ModuleClassifier(
        None, **{**FAST, "max_epochs": 1, "learning_rate": 1e-12}
    )
    model = FineTuned(network, tmp_path / "net.onnx", freeze=1, on_worse="ignore")
    with pytest.raises(ValueError, match=r"ends in .*reset='new_classes'"):
        model.fit(images, THREE)
    model.set_params(reset="new_classes").fit(images, THREE)
    assert_allclose(
        model.predict_proba(images), source.predict_proba(images), atol=1e-5
    )


@pytest.mark.parametrize("wrap", [FrozenEstimator, lambda network: network])
def test_scikit_learns_network_is_tuned_behind_its_scaler(wrap):
    pipe = theirs()
    for source in (from_sklearn(pipe), from_sklearn(pipe[-1])):
        model = tuned(wrap(source))
        assert_same_body(model.estimator_, source)


def test_a_network_of_keras_is_tuned():
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    from sklearn_deep import from_keras

    layers = [keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(2)]
    source = from_keras(keras.Sequential([keras.Input((6,)), *layers]))
    assert_same_body(tuned(FrozenEstimator(source)), source)


def test_candidates_of_a_search_begin_with_an_imported_network(folder):
    source = FrozenEstimator(from_onnx(folder / "images.onnx"))
    model = FineTuned(ModuleClassifier(None, **FAST), source, on_worse="ignore")
    grid = {"freeze": [1, "auto"], "estimator__learning_rate": [1e-3, 1e-2]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(IMAGES, THREE)
    to_onnx(search.best_estimator_, IMAGES)


class Deep(nn.Sequential):
    """Three linear layers."""

    def __init__(self, n_outputs):
        layers = [nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5), nn.Linear(5, n_outputs)]
        super().__init__(*layers)


@pytest.mark.parametrize(
    ("freeze", "kept"), [("auto", {"0", "2"}), (1, {"0"}), ("2", {"2"}), (None, set())]
)
def test_a_module_gives_its_weights_for_every_freeze(freeze, kept):
    module = Deep(2).requires_grad_(False)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    network = ModuleClassifier(Deep, **FAST)
    model = FineTuned(network, module, freeze=freeze, on_worse="ignore").fit(ROWS, Y)
    after = model.module_.state_dict()
    same = {name for name in before if torch.equal(after[name], before[name])}
    assert same == {f"{layer}.{kind}" for layer in kept for kind in ("weight", "bias")}
    assert all(torch.equal(v, before[n]) for n, v in module.state_dict().items())


ERRORS = {
    "another estimator": (
        lambda: LogisticRegression().fit(ROWS, Y),
        r"fitted network of sklearn_deep.*\.onnx file.*Got LogisticRegression instead\.$",
    ),
    "scikit-learn's network": (
        lambda: theirs()[-1],
        r"sklearn_deep\.from_sklearn first",
    ),
    "scikit-learn's network in a Pipeline": (
        theirs,
        r"sklearn_deep\.from_sklearn first",
    ),
    "bytes": (lambda: b"onnx", r"Got bytes instead.*from_onnx"),
    "a number": (lambda: 3, "Got int instead"),
    "weights": (lambda: nn.Linear(2, 2).state_dict(), "Got OrderedDict instead"),
    "a class": (lambda: MLPClassifier, "Got type instead|Got ABCMeta instead"),
    "nothing": (lambda: None, "'pretrained' parameter"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_anything_else_is_an_error_that_says_what_is_allowed(name):
    make, message = ERRORS[name]
    with pytest.raises(InvalidParameterError, match=message):
        tuned(make())


def test_errors_of_files_name_them(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.skd"):
        tuned(tmp_path / "none.skd")
    with pytest.raises(FileNotFoundError, match=r"none\.onnx"):
        tuned(tmp_path / "none.onnx")
    for name, error in [("a.onnx", OnnxFileError), ("a.pt", ModelFileError)]:
        (tmp_path / name).write_bytes(b"something else")
        with pytest.raises(error, match=name.replace(".", r"\.")):
            tuned(tmp_path / name)


def test_an_onnx_file_without_onnx_is_an_error_that_names_the_extra(
    folder, monkeypatch
):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(
        sys.modules, "sklearn_deep.transfer.conversion._from_onnx", raising=False
    )
    with pytest.raises(MissingDependencyError, match=r"needs onnx.*\[onnx\]"):
        tuned(folder / "plain.onnx")


def test_a_file_of_another_estimator_is_an_error(tmp_path):
    save(LogisticRegression().fit(ROWS, Y), tmp_path / "model.skd")
    with pytest.raises(InvalidParameterError, match="Got LogisticRegression"):
        tuned(tmp_path / "model.skd")


def test_a_pipeline_that_is_not_fitted_is_an_error_with_the_fix():
    pipe = make_pipeline(StandardScaler(), MLPRegressor())
    with pytest.raises(NotFittedError, match="FrozenEstimator"):
        tuned(pipe)
