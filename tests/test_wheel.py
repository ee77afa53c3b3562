"""The wheel holds the package, all of it and nothing else, and works without the clone."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sklearn_deep"

pytestmark = pytest.mark.slow


def pip(*args):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *args]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy of the clone, where nothing of a former build is left."""
    pytest.importorskip("setuptools", minversion="77")
    folder = tmp_path_factory.mktemp("wheel")
    clone = folder / "clone"
    leave = shutil.ignore_patterns(".*", "build", "dist", "docs", "*.egg-info")
    shutil.copytree(ROOT, clone, ignore=leave)
    pip("wheel", "--no-deps", "--no-build-isolation", "-w", folder, clone)
    (built,) = folder.glob("sklearn_deep-*-py3-none-any.whl")
    return built


def test_the_wheel_has_every_module_and_the_type_marker_and_no_tests(wheel):
    files = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.suffix in (".py", ".typed", ".css", ".js", ".html")
    }
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if ".dist-info/" not in name} == files
    assert any(name.endswith("LICENSE") for name in names)


def test_the_installed_wheel_fits_and_predicts_outside_of_the_clone(wheel, tmp_path):
    pip("install", "--no-deps", "--no-index", "--target", tmp_path / "site", wheel)
    code = (
        "import sklearn_deep\n"
        "print(sklearn_deep.__file__)\n"
        "for name in sklearn_deep.__all__:\n    getattr(sklearn_deep, name)\n"
        "net = sklearn_deep.MLPClassifier(max_epochs=20, random_state=0)\n"
        "X, y = [[-1.0], [1.0]] * 20, ['low', 'high'] * 20\n"
        "print(*net.fit(X, y).predict([[-2.0], [2.0]]))"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=env,
    ).stdout.split()
    assert Path(out[0]).is_relative_to(tmp_path)
    assert out[1:] == ["low", "high"]
