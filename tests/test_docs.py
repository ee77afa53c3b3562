"""The documentation and the package name the same things, and its snippets run."""

import re
import runpy
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import sklearn_deep

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = DOCS.parent / "examples"
PAGES = sorted((DOCS / "user_guide").glob("*.rst"))


def entries(page):
    """Indented words of an rst page: what its autosummary or toctree lists."""
    return re.findall(r"^ {3}(\w+)$", page, re.MULTILINE)


def snippets(page):
    """The blocks of code of an rst page: after ``::`` or ``code-block:: python``."""
    opening = r"^(?:\.\. code-block:: python|(?!\.\.).*::)\n\n"
    blocks = re.findall(opening + r"((?: {4}.*\n|\n)+)", page, re.MULTILINE)
    return [re.sub("^ {4}", "", block, flags=re.MULTILINE) for block in blocks]


def test_the_api_page_lists_exactly_all_public_names(monkeypatch):
    monkeypatch.setattr("sys.path", [*sys.path])  # the file puts folders in front
    conf = runpy.run_path(str(DOCS / "conf.py"))
    assert sorted(entries(conf["api_page"]())) == sorted(sklearn_deep.__all__)


def test_the_user_guide_lists_all_its_pages():
    index = (DOCS / "user_guide" / "index.rst").read_text(encoding="utf-8")
    assert sorted([*entries(index), "index"]) == [page.stem for page in PAGES]


@pytest.mark.parametrize("page", [DOCS / "index.rst", *PAGES], ids=lambda p: p.stem)
def test_an_example_that_a_page_names_exists(page):
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"sphx_glr(?:_auto_examples)?_(plot_[a-z_]*[a-z])", text):
        assert (EXAMPLES / f"{name}.py").exists()


@pytest.mark.slow
@pytest.mark.parametrize("page", [DOCS / "index.rst", *PAGES], ids=lambda p: p.stem)
def test_the_snippets_of_a_page_run(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": page.stem}
    for code in snippets(page.read_text(encoding="utf-8")):
        if "sklearn.callback" in code:
            pytest.importorskip("sklearn.callback")
        exec(compile(code, page.name, "exec"), namespace)
    plt.close("all")
