"""Files of networks from ONNX files hold plain data, which is checked."""

import dataclasses
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    CNNClassifier,
    FineTuned,
    MLPRegressor,
    ModelFileError,
    ModuleClassifier,
    Pruned,
    RNNClassifier,
    from_onnx,
    load,
    save,
    to_onnx,
)
from sklearn_deep.estimators.core._fitted import fitted_of, with_fitted
from sklearn_deep.files._skops import dump, untrusted

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(40, 5, 2)).astype(np.float32)
IMAGES = RNG.normal(size=(40, 6, 6)).astype(np.float32)
ROWS = RNG.normal(size=(40, 5)).astype(np.float32)
CLASSES = np.arange(40) % 3
QUICK = {"max_epochs": 2, "random_state": 0}


def imported(network, X, y=CLASSES):
    return from_onnx(to_onnx(network.fit(X, y), X).to_bytes(), X_check=X)


@pytest.fixture(scope="module")
def network():
    return imported(RNNClassifier(hidden_size=3, **QUICK), SERIES)


def test_a_network_of_an_onnx_file_is_loaded_without_naming_types(network, tmp_path):
    assert type(network) is ModuleClassifier
    save(network, tmp_path / "model.skd")
    loaded = load(tmp_path / "model.skd")
    assert_array_equal(loaded.predict_proba(SERIES), network.predict_proba(SERIES))
    assert loaded.receipt_ == network.receipt_
    assert loaded.module == network.module


def test_a_loaded_network_begins_again_with_the_weights_of_its_file(network, tmp_path):
    save(network, tmp_path / "model.skd")
    for model in (load(tmp_path / "model.skd"), pickle.loads(pickle.dumps(network))):
        again = clone(model).set_params(max_epochs=1, random_state=0)
        expected = clone(network).set_params(max_epochs=1, random_state=0)
        assert_array_equal(
            again.fit(SERIES, CLASSES).predict_proba(SERIES),
            expected.fit(SERIES, CLASSES).predict_proba(SERIES),
        )


def test_pipelines_prunings_and_fine_tunings_of_it_are_loaded(tmp_path):
    cnn = imported(CNNClassifier(conv_channels=(3,), **QUICK), IMAGES)
    pipe = make_pipeline(StandardScaler(), MLPRegressor((4,), **QUICK))
    models = [
        (Pruned(cnn, prefit=True, fine_tune_epochs=0).fit(IMAGES, CLASSES), IMAGES),
        (imported(pipe, ROWS, ROWS[:, 0]), ROWS),
        (FineTuned(clone(cnn), cnn, on_worse="ignore").fit(IMAGES, CLASSES), IMAGES),
    ]
    for model, X in models:
        save(model, tmp_path / "model.skd")
        assert_array_equal(load(tmp_path / "model.skd").predict(X), model.predict(X))


def test_the_class_of_the_module_is_in_no_file(network):
    assert untrusted(dump(network)) == []
    assert b"ImportedNetwork" not in dump(network)


def with_graph(network, **changes):
    """The network with a changed graph, in its fitted state and in its parameter."""
    graph = network.module.graph
    maker = dataclasses.replace(
        network.module, graph=dataclasses.replace(graph, **changes)
    )
    fitted = fitted_of(network)
    fitted = dataclasses.replace(
        fitted, architecture={**fitted.architecture, "module": maker}
    )
    return with_fitted(network, fitted, module=maker)


def step(**changes):
    """A change of the first step."""
    return lambda graph: {
        "steps": (dataclasses.replace(graph.steps[0], **changes), *graph.steps[1:])
    }


HOSTILE = {
    "an operator that is none": (step(op="Eval"), "'op' of Step"),
    "code as an attribute": (step(attributes={"f": [len]}), "'attributes' of Step"),
    "objects as an attribute": (step(attributes={"f": {}}), "'attributes' of Step"),
    "an input from nowhere": (step(inputs=("nowhere",)), "follow from one another"),
    "an output from nowhere": (lambda g: {"output": "y"}, "follow from one another"),
    "rows as the output": (lambda g: {"output": g.input}, "follow from one another"),
    "steps against their order": (
        lambda g: {"steps": g.steps[::-1]},
        "follow from one another",
    ),
    "a weight that is none": (lambda g: {"trainable": ("none",)}, "weights among"),
    "nothing to train": (lambda g: {"trainable": ()}, "weights among"),
    "text in an array": (
        lambda g: {"arrays": {**g.arrays, "a": np.array(["x"])}},
        "'arrays' of OnnxGraph",
    ),
    "a step that is none": (lambda g: {"steps": (*g.steps, "x")}, "tuple of steps"),
    "a number as the input": (lambda g: {"input": 3}, "'input' of OnnxGraph"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_graph_that_cannot_be_is_refused_before_a_module_is_made(
    name, network, tmp_path, monkeypatch
):
    change, message = HOSTILE[name]
    broken = with_graph(network, **change(network.module.graph))
    made = []
    monkeypatch.setattr(ModuleClassifier, "_make_module", made.append)
    with pytest.raises(ModelFileError, match=message):
        save(broken, tmp_path / "model.skd")  # it is read back
    assert not made


def test_a_parameter_is_checked_as_the_fitted_network_is(network, tmp_path):
    graph = dataclasses.replace(network.module.graph, output="y")
    maker = dataclasses.replace(network.module, graph=graph)
    with pytest.raises(ModelFileError, match="follow from one another"):
        save(with_fitted(network, fitted_of(network), module=maker), tmp_path / "m.skd")


def test_values_of_another_shape_are_refused(network, tmp_path):
    graph = network.module.graph
    name = graph.trainable[0]
    arrays = {**graph.arrays, name: graph.arrays[name][..., :1]}
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        save(with_graph(network, arrays=arrays), tmp_path / "model.skd")


def test_attributes_that_an_operator_cannot_take_are_an_error_of_values(network):
    steps = [
        dataclasses.replace(step, attributes={**step.attributes, "perm": ["a"]})
        for step in network.module.graph.steps
    ]
    broken = pickle.loads(pickle.dumps(with_graph(network, steps=tuple(steps))))
    with pytest.raises(ValueError, match=r"Transpose .* fails on shapes"):
        broken.predict(SERIES)
