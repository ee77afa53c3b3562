"""Pages of all pipelines, made once for the tests of this folder."""

import warnings

import pytest

from sklearn_deep import to_web
from web_pipelines import PIPELINES


@pytest.fixture(scope="session")
def pages(tmp_path_factory, runtime):
    """Folder with a page per pipeline; the pages share one copy of the runtime."""
    root = tmp_path_factory.mktemp("pages")
    for name, make in PIPELINES.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of short trainings
            model, X = make()
        folder = to_web(model, X, root / name, title=name)
        link_runtime(folder, runtime)
    return root


def link_runtime(folder, runtime):
    """Put the runtime into a folder as a link."""
    (folder / "onnxruntime").symlink_to(runtime / "dist")
