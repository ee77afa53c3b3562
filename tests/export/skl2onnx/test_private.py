"""A release of skl2onnx that renames what is private there breaks to_onnx, and no import."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from sklearn_deep.export.skl2onnx._private import TESTED

# Renames a private name as soon as skl2onnx is there, before anyone else sees it.
RENAMED = """
import sys, warnings
from importlib.machinery import PathFinder

class Renaming:
    @staticmethod
    def find_spec(fullname, path=None, target=None):
        if fullname != "skl2onnx":
            return None
        spec = PathFinder.find_spec(fullname, path)
        load = spec.loader.exec_module
        def load_and_rename(package):
            load(package)
            theirs = vars(sys.modules["skl2onnx.{module}"])
            theirs["renamed"] = theirs.pop({name!r})
        spec.loader.exec_module = load_and_rename
        return spec

sys.meta_path.insert(0, Renaming)
"""
USE = """
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    {imports}
    from sklearn_deep import MLPRegressor
    class Mine(MLPClassifier):
        pass
told = [str(w.message) for w in caught if w.category.__name__ == "SklearnDeepWarning"]
assert len(told) == 1, told
assert "converters could not be registered" in told[0], told
model = MLPClassifier((4,), max_epochs=2).fit([[0.0], [1.0]] * 9, [0, 1] * 9)
assert model.predict([[0.0]]).shape == (1,)
from sklearn_deep import OnnxExportError, to_onnx
try:
    to_onnx(model, [[0.0], [1.0]])
except OnnxExportError as error:
    print(error)
"""
OURS = "import sklearn_deep; from sklearn_deep import MLPClassifier"
CASES = {
    "ours first": ("_parse", "_parse_sklearn_simple_model", f"{OURS}; import skl2onnx"),
    "skl2onnx first": (
        "_supported_operators",
        "get_model_alias",
        f"import skl2onnx; {OURS}",
    ),
}


@pytest.mark.parametrize(("module", "name", "imports"), CASES.values(), ids=CASES)
def test_a_renamed_private_function_breaks_to_onnx_alone(module, name, imports):
    code = RENAMED.format(module=module, name=name) + USE.format(imports=imports)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"it has no skl2onnx.{module}.{name}" in done.stdout
    assert f"skl2onnx{TESTED}" in done.stdout


def test_the_extra_installs_the_versions_that_were_tested():
    project = Path(__file__).parents[3] / "pyproject.toml"
    extra = tomllib.loads(project.read_text())["project"]["optional-dependencies"]
    (wanted,) = [r for r in map(Requirement, extra["onnx"]) if r.name == "skl2onnx"]
    assert wanted.specifier == SpecifierSet(TESTED)
