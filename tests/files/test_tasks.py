"""A file of several tasks holds what reads the outputs of its network, or is refused."""

import copy
import dataclasses

import numpy as np
import pytest

from sklearn_deep import MLPRegressor, ModelFileError, MultiTask, load, save

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
Y = {"a": np.where(X[:, 0] > 0, "x", "y"), "b": X[:, 1], "c": X[:, 2]}


@pytest.fixture(scope="module")
def fitted():
    net = MLPRegressor((4,), max_epochs=1, random_state=0)
    return MultiTask(net, head_layer_sizes=2).fit(X, Y)


def changed_part(model, **changes):
    first, *rest = model._parts
    return (dataclasses.replace(first, **changes), *rest)


CHANGES = {
    "network_": lambda m: m.task("a"),
    "_parts": lambda m: changed_part(m, loss=m._parts[1].loss),
    "_columns": lambda m: m._columns[::-1],
    "_places": lambda m: (slice(0, 1), slice(0, 1), slice(2, 3)),
    "_fitted_heads": lambda m: (3,),
    "_settings": lambda m: m._settings[:-1],
    "_container": lambda m: "eval",
    "tasks_": lambda m: {**m.tasks_, "a": "regression"},
    "task_weights_": lambda m: [1.0],
}


def reloaded(model, path):
    save(model, path)
    return load(path)


@pytest.mark.parametrize("name", CHANGES)
def test_a_wrong_attribute_is_named(name, fitted, tmp_path):
    model = copy.copy(fitted)
    setattr(model, name, CHANGES[name](fitted))
    with pytest.raises(ModelFileError, match=f"a wrong '{name}'"):
        reloaded(model, tmp_path / "model")


@pytest.mark.parametrize("name", sorted(CHANGES.keys() - {"network_"}))
def test_a_missing_attribute_is_named(name, fitted, tmp_path):
    model = copy.copy(fitted)
    delattr(model, name)
    with pytest.raises(ModelFileError, match=f"no '{name}'"):
        reloaded(model, tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: {"_parts": changed_part(m, name=[1])}, "'name' of TaskPart"),
        (lambda m: {"_parts": changed_part(m, targets=1)}, "'targets' of TaskPart"),
        (
            lambda m: {
                "_columns": (
                    dataclasses.replace(m._columns[0], ordered="no"),
                    *m._columns[1:],
                )
            },
            "'ordered' of LearntTarget",
        ),
        (
            lambda m: {"_columns": (dataclasses.replace(m._columns[0], classes=np.array(["x", "z"])), *m._columns[1:])},
            "a wrong '_columns'",
        ),
    ],
    ids=["name", "targets", "ordered", "classes"],
)  # fmt: skip
def test_a_wrong_field_is_named(change, message, fitted, tmp_path):
    model = copy.copy(fitted)
    vars(model).update(change(fitted))
    with pytest.raises(ModelFileError, match=message):
        reloaded(model, tmp_path / "model")
