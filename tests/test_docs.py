"""The documentation and the package name the same things, and its snippets run."""

import inspect
import re
import runpy
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import skorch
from sklearn import neural_network

import sklearn_deep
from sklearn_deep import MLPClassifier, MLPRegressor, ModuleClassifier, ModuleRegressor

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


def test_a_public_name_without_a_group_is_an_error_of_the_api_page(monkeypatch):
    monkeypatch.setattr("sys.path", [*sys.path])
    api_page = runpy.run_path(str(DOCS / "conf.py"))["api_page"]
    names = [*sklearn_deep.__all__, "NewEstimator"]
    monkeypatch.setattr(sklearn_deep, "__all__", names)
    with pytest.raises(ValueError, match=r"lacks \['NewEstimator'\]"):
        api_page()


def test_an_inventory_that_cannot_be_had_is_left_out(tmp_path, monkeypatch):
    mapping = runpy.run_path(str(DOCS / "_inventories.py"))["mapping"]
    for name, content in [
        ("good", b"# Sphinx inventory version 2"),
        ("bad", b"<html>"),
    ]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "objects.inv").write_bytes(content)
    projects = {
        name: f"{(tmp_path / name).as_uri()}/" for name in ("good", "bad", "absent")
    }
    found = mapping(tmp_path / "kept", {**projects, "nobody": "http://127.0.0.1:9/"})
    kept = tmp_path / "kept" / "good.inv"
    assert found == {"good": (projects["good"], str(kept))}
    (tmp_path / "good" / "objects.inv").unlink()  # it was fetched by an earlier build
    assert mapping(tmp_path / "kept", projects) == found


def table_rows(page, name):
    """Cells of the rst list-table of this name, without its head."""
    text = (DOCS / "user_guide" / f"{page}.rst").read_text(encoding="utf-8")
    table = text.partition(f":name: {name}\n")[2]
    table = re.split(r"\n\n(?=\S)", table)[0]
    rows = re.split(r"^ {3}\* - ", table, flags=re.MULTILINE)[1:]
    return [re.split(r"\n {5}- ", row.strip()) for row in rows][1:]


def defaults(*classes):
    """Every parameter of the constructors to its default, except ``*args``."""
    return {
        name: parameter.default
        for cls in classes
        for name, parameter in inspect.signature(cls.__init__).parameters.items()
        if name != "self" and parameter.kind is not parameter.VAR_POSITIONAL
        if parameter.kind is not parameter.VAR_KEYWORD
    }


MIGRATIONS = {
    "from-mlp": (
        (neural_network.MLPRegressor, neural_network.MLPClassifier),
        (MLPRegressor, MLPClassifier),
    ),
    "from-skorch": (
        (skorch.NeuralNet, skorch.NeuralNetClassifier, skorch.NeuralNetRegressor),
        (ModuleRegressor, ModuleClassifier),
    ),
}


@pytest.mark.parametrize("table", MIGRATIONS)
def test_a_migration_table_has_every_parameter_of_theirs_and_names_ours(table):
    theirs, ours = (defaults(*classes) for classes in MIGRATIONS[table])
    rows = table_rows("migration", table)
    assert sorted(row[0].strip("`") for row in rows) == sorted(theirs)
    for their_name, our_names, differs in rows:
        names = re.findall("``(.+?)``", our_names)
        assert set(names) <= set(ours), our_names
        assert names or our_names == "no parameter"
        name = their_name.strip("`")
        if names == [name] and name in theirs and theirs[name] != ours[name]:
            assert re.search("ours|number|class|more losses", differs), their_name


def test_the_user_guide_lists_all_its_pages():
    index = (DOCS / "user_guide" / "index.rst").read_text(encoding="utf-8")
    assert sorted([*entries(index), "index"]) == [page.stem for page in PAGES]


@pytest.mark.parametrize("page", [DOCS / "index.rst", *PAGES], ids=lambda p: p.stem)
def test_an_example_that_a_page_names_exists(page):
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"sphx_glr(?:_auto_examples)?_(plot_[a-z_]*[a-z])", text):
        assert (EXAMPLES / f"{name}.py").exists()


# Pages that start workers of a cluster, or need what make test does not install.
CLUSTERS = {"dask": "distributed", "ray": "ray", "optuna": "optuna"}


# examples train for a few epochs, so that they run quickly: NotConvergedWarning stays off
@pytest.mark.filterwarnings(
    "error::sklearn_deep.exceptions.DeadUnitsWarning",
    "error::sklearn_deep.exceptions.SmallValidationWarning",
    "error::sklearn_deep.exceptions.UnscaledFeaturesWarning",
)
@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page, marks=[pytest.mark.clusters] if page.stem in CLUSTERS else []
        )
        for page in (DOCS / "index.rst", *PAGES)
    ],
    ids=lambda p: p.stem,
)
def test_the_snippets_of_a_page_run(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    pytest.importorskip(CLUSTERS.get(page.stem, "sklearn_deep"))
    if page.stem == "ray":
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # else it writes into the home
    namespace = {"__name__": page.stem}
    for code in snippets(page.read_text(encoding="utf-8")):
        if "sklearn.callback" in code:
            pytest.importorskip("sklearn.callback")
        exec(compile(code, page.name, "exec"), namespace)
    plt.close("all")
