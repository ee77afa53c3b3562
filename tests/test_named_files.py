"""Files, folders, options and make targets that a page names exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sklearn_deep"
PAGES = sorted(
    page
    for folder in (".", "benchmarks", "docs", "docs/user_guide", "examples")
    for page in (ROOT / folder).glob("*")
    if page.suffix in (".md", ".rst")
)
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

# In backticks of either kind, or indented as a command.
QUOTED = re.compile(
    r"`+([^`\n]+)`+|^ {4,}((?:make|python) .+(?:\\\n.+)*)$", re.MULTILINE
)
FILE = re.compile(r"(?<![\w/.])(\.?[\w/-]+\.(?:py|md|rst|toml|txt)|\.ci/run)\b")
FOLDER = re.compile(r"^[\w./-]+/$")
MAKE = re.compile(r"\bmake ((?:[a-z][a-z-]*\b(?!=) ?)+)")
OPTION = re.compile(r"(?<![\w-])(--[a-z][\w-]*)")

# Written by a target or a sphinx extension, or of the reader's own project.
MADE = {"docs/_build/", "docs/_build/html", "dist/", "api.rst"}


def quoted(page):
    """What a page sets in backticks or indents as a command."""
    text = page.read_text(encoding="utf-8")
    return [inline or command for inline, command in QUOTED.findall(text)]


def found(name, page):
    """The file or folder of this name, from the page, the root or the package."""
    name = name.removeprefix("sphx_glr_auto_examples_")  # the gallery's label of it
    homes = (page.parent, ROOT, PACKAGE, ROOT / "examples")
    paths = [home / name for home in homes]
    if name.startswith("_"):  # a private module is named without its folder
        paths += PACKAGE.rglob(name)
    return next((path for path in paths if path.exists()), None)


def ids(page):
    return page.relative_to(ROOT).as_posix()


def test_all_pages_are_walked():
    names = {ids(page) for page in PAGES}
    assert {"README.md", "CONTRIBUTING.md", "benchmarks/README.md"} < names
    assert sum(len(FILE.findall(text)) for page in PAGES for text in quoted(page)) > 30


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_a_file_or_folder_that_a_page_names_exists(page):
    for text in quoted(page):
        names = FILE.findall(text) + FOLDER.findall(text)
        for name in set(names) - MADE:
            assert found(name, page), f"{ids(page)} names {name} in {text!r}"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_a_script_that_a_page_names_has_the_options_beside_it(page):
    for text in quoted(page):
        scripts = [found(name, page) for name in FILE.findall(text)]
        for script in (path for path in scripts if path and path.suffix == ".py"):
            code = script.read_text(encoding="utf-8")
            for option in OPTION.findall(text):
                assert f'"{option}"' in code, f"{ids(page)} names {text!r}"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_a_make_target_that_a_page_names_exists(page):
    for text in quoted(page):
        for targets in MAKE.findall(text.split("#")[0]):
            for target in targets.split():
                assert re.search(rf"^{target}:", MAKEFILE, re.M), (
                    f"{target} in {text!r}"
                )
