"""A release of an ONNX library that lacks a name breaks to_onnx, and no import."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
import skl2onnx

from sklearn_deep import MLPClassifier, UnsupportedVersionError
from sklearn_deep.export.graph._versions import TESTED
from sklearn_deep.export.skl2onnx import _converters
from sklearn_deep.export.skl2onnx._private import ATTRIBUTES

# Removes a module or a name as soon as another module is loaded, before anyone sees it.
REMOVED = """
import sys, warnings
from importlib.machinery import PathFinder

class Removing:
    @staticmethod
    def find_spec(fullname, path=None, target=None):
        if fullname in moved:
            raise ModuleNotFoundError(f"No module named {{fullname!r}}", name=fullname)
        if fullname != {trigger!r}:
            return None
        spec = PathFinder.find_spec(fullname, path)
        load = spec.loader.exec_module
        def load_and_remove(package):
            load(package)
            if {name!r}:
                del vars(sys.modules[{module!r}])[{name!r}]
            else:
                moved.add({module!r})
                del sys.modules[{module!r}]
        spec.loader.exec_module = load_and_remove
        return spec

moved = set()
sys.meta_path.insert(0, Removing)
"""
USE = """
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    {imports}
    from sklearn_deep import MLPRegressor
    class Mine(MLPClassifier):
        pass
messages = [str(w.message) for w in caught if w.category.__name__ == "SklearnDeepWarning"]
assert len(messages) == 1, messages
assert "converters could not be registered" in messages[0], messages
model = MLPClassifier((4,), max_epochs=2).fit([[0.0], [1.0]] * 9, [0, 1] * 9)
assert model.predict([[0.0]]).shape == (1,)
from sklearn_deep import OnnxExportError
try:
    from sklearn_deep import to_onnx
    to_onnx(model, [[0.0], [1.0]])
except OnnxExportError as error:
    print(error)
"""
OURS = "import sklearn_deep; from sklearn_deep import MLPClassifier"
# The module after which a name is removed, the module and the name; none for a module.
CASES = {
    "private": (
        "skl2onnx",
        "skl2onnx._parse",
        "_parse_sklearn_simple_model",
        f"{OURS}; import skl2onnx",
    ),
    "public, skl2onnx first": (
        "skl2onnx",
        "skl2onnx",
        "update_registered_converter",
        f"import skl2onnx; {OURS}",
    ),
}
MORE_CASES = {
    "public module": (
        "skl2onnx",
        "skl2onnx.proto",
        "",
        f"{OURS}; import skl2onnx",
    ),
    "public of onnx": (
        "onnx.inliner",
        "onnx.inliner",
        "inline_local_functions",
        f"{OURS}; import skl2onnx",
    ),
}


@pytest.mark.parametrize(
    ("trigger", "module", "name", "imports"),
    [
        *(pytest.param(*case, id=key) for key, case in CASES.items()),
        *(
            pytest.param(*case, id=key, marks=pytest.mark.slow)
            for key, case in MORE_CASES.items()
        ),
    ],
)
def test_a_missing_name_breaks_to_onnx_alone(trigger, module, name, imports):
    removed = REMOVED.format(trigger=trigger, module=module, name=name)
    code = removed + USE.format(imports=imports)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    library = module.partition(".")[0]
    assert f"{library}{TESTED[library]}" in done.stdout
    assert (name or module) in done.stdout


def test_a_missing_attribute_of_an_object_of_skl2onnx_names_the_versions(monkeypatch):
    model = MLPClassifier((4,), max_epochs=2).fit([[0.0], [1.0]] * 9, [0, 1] * 9)
    variable = import_module("skl2onnx.common._topology").Variable
    monkeypatch.delattr(variable, "get_first_dimension")
    with pytest.raises(
        UnsupportedVersionError, match=r"get_first_dimension.*skl2onnx>="
    ):
        skl2onnx.to_onnx(model, np.zeros((1, 1)))


def attributes_read(names):
    """Attributes that the converters read from values of some names, ``[]`` for items."""
    for node in ast.walk(ast.parse(inspect.getsource(_converters))):
        if isinstance(node, ast.Attribute):
            is_item = isinstance(node.value, ast.Subscript)
            owner = node.value.value if is_item else node.value
            name = getattr(owner, "id", getattr(owner, "attr", ""))
            if name + "[]" * is_item in names and not isinstance(owner, ast.Call):
                yield node.attr


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        ("_container.ModelComponentContainer", {"container"}),
        ("_topology.Operator", {"operator", "other"}),
        ("_topology.Scope", {"scope", "scope_inst"}),
        (
            "_topology.Variable",
            {"variable", "first", "last", "column", "inputs[]", "outputs[]"},
        ),
    ],
)
def test_attributes_of_the_objects_of_skl2onnx_are_listed(owner, names):
    ours = {"graph_by_rules", "refusal"}
    listed = set(ATTRIBUTES[f"skl2onnx.common.{owner}"])
    assert set(attributes_read(names)) - ours == listed
