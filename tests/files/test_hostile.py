"""Files with right sums and hostile content: only ModelFileError, and no code runs."""

import random
import runpy
import sys
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from sklearn_deep import MLPClassifier, ModelFileError, Quantized, load, save
from sklearn_deep.files import _archive
from sklearn_deep.files._container import Container
from sklearn_deep.files._load import model_in

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def survival():
    """The functions of the benchmark."""
    return runpy.run_path(str(BENCHMARKS / "_survival_files.py"))


@pytest.fixture(scope="module")
def contents(survival):
    return survival["_contents"]()


@pytest.fixture(scope="module")
def parts(survival, contents):
    return survival["taken_apart"](contents["mlp"])


KINDS = [
    "replace_scalar", "replace_node", "drop_key", "drop_part", "rename_key", "foreign",
    "other_loader", "longer", "shorter", "cycle", "deep", "array", "fitting_array",
    "swap_arrays", "share_member", "bomb",
]  # fmt: skip


def test_every_kind_of_attack_is_tried(survival):
    assert list(survival["HOSTILE"]) == KINDS


@pytest.fixture(scope="module")
def watch(survival):
    """The one watch: an audit hook cannot be taken away."""
    return survival["Watch"]()


@pytest.fixture(scope="module")
def run(survival, contents, watch):
    """Try attacks of a kind; what is imported lazily is there by then."""
    fitted = survival["models"]()
    for name, data in contents.items():
        repr(fitted[name][0])
        survival["tried"](Container.parse("", data), fitted[name][1], watch)
    return lambda kind, n: attacked(survival, contents, fitted, watch, kind, n)


def attacked(survival, contents, fitted, watch, kind, n):
    rng, seen = random.Random(1), Counter()
    watch.seen.clear()
    for _ in range(n):
        name = rng.choice(sorted(contents))
        try:
            file = survival["attack"](contents[name], kind, rng)
        except (ValueError, TypeError, KeyError, IndexError, RecursionError):
            continue
        seen[survival["tried"](file, fitted[name][1], watch)] += 1
    assert set(seen) <= {"refused", "loaded, predicts", "loaded, refuses X"}
    assert watch.seen == []
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_file_is_refused_or_is_a_model(kind, run):
    assert run(kind, 15)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_hostile_files_are_refused_or_are_models(kind, run):
    assert run(kind, 300)


FOREIGN = [
    ("os", "system"),
    ("builtins", "eval"),
    ("torch", "load"),
    ("pickle", "loads"),
]


@pytest.mark.parametrize(("module", "name"), FOREIGN)
@pytest.mark.parametrize(
    "loader", ["TypeNode", "FunctionNode", "ConstructorFromReduceNode"]
)
def test_a_foreign_callable_is_named_in_the_error(
    module, name, loader, survival, parts
):
    manifest, schema, members = survival["taken_apart"](
        survival["put_together"]("", *parts).data
    )
    content = schema["content"]["content"]
    content["verbose"] = {
        "__class__": name,
        "__module__": module,
        "__loader__": loader,
        "content": {**content["max_epochs"]},
    }
    file = survival["put_together"]("", manifest, schema, members)
    with pytest.raises(
        ModelFileError, match=f"not trusted by default: {module}.{name}"
    ):
        model_in(file, ())


def test_our_own_class_is_not_called_as_a_list(survival, parts):
    manifest, schema, members = parts
    schema = {**schema, "__loader__": "ListNode", "content": []}
    with pytest.raises(ModelFileError, match="MLPClassifier"):
        model_in(survival["put_together"]("", manifest, schema, members), ())


def test_a_bomb_is_refused_before_it_is_unpacked(survival, parts):
    manifest, schema, members = parts
    members = {**members, "bomb.npy": bytes(10**7)}
    file = survival["put_together"]("", manifest, schema, members, zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelFileError, match="compressed members"):
        model_in(file, ())


def test_many_members_are_refused_before_they_are_listed(survival, parts, monkeypatch):
    monkeypatch.setattr(_archive, "ALLOWANCE", 0)
    manifest, schema, members = parts
    members = {**members, **{str(i): b"" for i in range(1000)}}
    with pytest.raises(ModelFileError, match="more members than its size allows"):
        model_in(survival["put_together"]("", manifest, schema, members), ())


def test_many_objects_are_refused_before_they_are_parsed(survival, parts, monkeypatch):
    monkeypatch.setattr(_archive, "ALLOWANCE", 1 << 16)
    with pytest.raises(ModelFileError, match="more objects than its size allows"):
        model_in(survival["put_together"]("", *parts), ())


def test_a_model_of_very_many_objects_is_filled_up_and_loads(tmp_path, monkeypatch):
    monkeypatch.setattr(_archive, "ALLOWANCE", 0)
    X, y = np.random.default_rng(0).normal(size=(24, 6)), np.arange(24) % 2
    model = MLPClassifier((4,), max_epochs=2, random_state=0).fit(X, y)
    save(model, tmp_path / "model.skd")
    loaded = load(tmp_path / "model.skd")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("field", ["manifest", "length"])
def test_a_hostile_manifest_is_refused(field, survival, parts, tmp_path):
    manifest, schema, members = parts
    manifest = b"[" * 10**5 if field == "manifest" else bytes(1 << 20)
    file = survival["put_together"](tmp_path / "model.skd", manifest, schema, members)
    file.write()
    with pytest.raises(ModelFileError, match="manifest"):
        load(tmp_path / "model.skd")


def test_nothing_is_imported_for_a_refused_type(survival, parts):
    manifest, schema, members = parts
    schema = {**schema, "__module__": "antigravity", "__class__": "fly"}
    with pytest.raises(ModelFileError, match=r"antigravity\.fly"):
        model_in(survival["put_together"]("", manifest, schema, members), ())
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("left_out", ["estimator", "steps"])
def test_an_estimator_around_nothing_is_refused(left_out, tmp_path, survival):
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 2
    network = MLPClassifier((3,), max_epochs=1, random_state=0)
    around = {"estimator": Quantized(network), "steps": make_pipeline(network)}
    save(around[left_out].fit(X, y), tmp_path / "whole")
    data = (tmp_path / "whole").read_bytes()
    for change in ("drop", "none"):
        manifest, schema, members = survival["taken_apart"](data)
        content = schema["content"]["content"]
        if change == "drop":
            del content[left_out]
        elif left_out == "estimator":
            content[left_out] = survival["scalar"](None)
        file = survival["put_together"]("", manifest, schema, members)
        if change == "drop" or left_out == "estimator":
            with pytest.raises(ModelFileError, match=left_out):
                model_in(file, ())
