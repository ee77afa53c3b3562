"""What can be used where no optional library is installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_deep

ROOT = Path(__file__).parents[1]

# Libraries that an extra installs; some come with the tests, so all are hidden.
OPTIONAL = [
    "cryptography",
    "distributed",
    "fastapi",
    "kornia",
    "keras",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "pandas",
    "polars",
    "ray",
    "skl2onnx",
    "skops",
    "uvicorn",
]

# Public names that cannot be imported without an extra, and the extra.
NEED_AN_EXTRA = {
    "OnnxExport": "onnx",
    "from_keras": "keras",
    "from_onnx": "onnx",
    "register_onnx_layer": "onnx",
    "split": "onnx",
    "split_report": "onnx",
    "to_onnx": "onnx",
    "to_web": "onnx",
    "variants": "onnx",
}

HIDE = """
import sys
for library in {libraries!r}:
    sys.modules[library] = None
import sklearn_deep
"""


def run_without(libraries, code):
    done = subprocess.run(
        [sys.executable, "-c", HIDE.format(libraries=libraries) + code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_public_name_is_there_or_names_the_extra_that_it_needs():
    out = run_without(
        OPTIONAL,
        "for name in sklearn_deep.__all__:\n"
        "    try:\n        getattr(sklearn_deep, name)\n"
        "    except sklearn_deep.MissingDependencyError as error:\n"
        "        assert f\"'.[{error.extra}]'\" in str(error)\n"
        "        print(name, error.extra)",
    )
    assert dict(line.split() for line in out.splitlines()) == NEED_AN_EXTRA


# What lacks a library where it is used, the library and its extra.
FEATURES = {
    "save(model, path + '2')": ("skops", "files"),
    "load(path)": ("skops", "files"),
    "sign(path, 'key.pem')": ("cryptography", "sign"),
    "stacked_over('dask')": ("distributed", "dask"),
    "stacked_over('ray')": ("ray", "ray"),
    "FitCurveDisplay.from_estimator(model)": ("matplotlib", "plot"),
}


def test_what_lacks_a_library_names_it_and_its_extra(tmp_path):
    pytest.importorskip("skops")
    model = sklearn_deep.MLPClassifier((4,), max_epochs=2, early_stopping=False)
    sklearn_deep.save(model.fit([[0.0], [1.0]] * 9, [0, 1] * 9), tmp_path / "model.skd")
    out = run_without(
        OPTIONAL,
        "from sklearn_deep import FitCurveDisplay, MLPClassifier, load, save, sign\n"
        f"path = {str(tmp_path / 'model.skd')!r}\n"
        "import joblib\n"
        "def stacked_over(name): joblib.parallel_config(backend='stacked', over=name)\n"
        "model = MLPClassifier((4,), max_epochs=2, early_stopping=False)\n"
        "model.fit([[0.0], [1.0]] * 9, [0, 1] * 9)\n"
        f"for feature in {list(FEATURES)}:\n"
        "    try:\n        eval(feature)\n"
        "    except sklearn_deep.MissingDependencyError as error:\n"
        "        print(error.library, error.extra)",
    )
    assert [tuple(line.split()) for line in out.splitlines()] == [*FEATURES.values()]


def test_the_extras_that_errors_name_are_those_of_the_project():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {*NEED_AN_EXTRA.values(), "files", "image", "plot", "serve", "sign"}
    assert named <= set(project["optional-dependencies"])
    assert set(NEED_AN_EXTRA) <= set(sklearn_deep.__all__)


def test_the_command_that_serves_names_its_extra():
    out = run_without(
        OPTIONAL,
        "from sklearn_deep.__main__ import main\n"
        "import sys\nsys.stderr = sys.stdout\nassert main(['serve', 'model.onnx']) == 1",
    )
    assert "'.[serve]'" in out
