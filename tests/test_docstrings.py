"""Docstrings tell the truth: their examples run, and they list what there is."""

import ast
import doctest
import inspect
import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from sklearn.datasets import load_iris

import sklearn_deep
from sklearn_deep.estimators.core._base import DeepEstimator

NAMES = {name: getattr(sklearn_deep, name) for name in sorted(sklearn_deep.__all__)}
CONSTANTS = {name for name, value in NAMES.items() if not callable(value)}
PUBLIC = [value for name, value in NAMES.items() if name not in CONSTANTS]
CLASSES = [value for value in PUBLIC if isinstance(value, type)]
NETWORKS = [cls for cls in CLASSES if issubclass(cls, DeepEstimator)]
FUNCTIONS = [value for value in PUBLIC if not isinstance(value, type)]
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)
ENTRY = re.compile(r"^(\*{0,2}\w+(?:, \w+)*) :((?:.*\\\n)*.*)$", re.MULTILINE)


def sections(doc):
    """Title to text, of a numpydoc docstring."""
    parts = SECTION.split(inspect.cleandoc(doc))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def entries(doc, title):
    """Name to what stands behind its colon, of one section."""
    return {
        name: kind.strip()
        for names, kind in ENTRY.findall(sections(doc).get(title, ""))
        for name in names.split(", ")
    }


def parameters(function):
    """The parameters that a user passes, with the stars of ``**params``."""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return {
        stars.get(parameter.kind, "") + name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in ("self", "cls")
    }


@pytest.fixture(scope="module")
def generator():
    """What ``make docstrings`` runs."""
    docs = Path(__file__).parents[1] / "docs"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(docs)
        return runpy.run_path(str(docs / "_write_docstrings.py"))


@pytest.mark.parametrize("cls", NETWORKS)
def test_a_network_has_the_shared_entries_as_make_docstrings_writes_them(
    cls, generator
):
    source = Path(inspect.getsourcefile(cls)).read_text(encoding="utf-8")
    assert generator["with_shared_entries"](cls, source) == source


def is_ours(cls):
    return cls.__module__.startswith("sklearn_deep.")


def public_members(cls):
    """Methods and properties that a class has from us, not from scikit-learn."""
    members = {
        name: value
        for base in reversed(cls.__mro__)
        if is_ours(base)
        for name, value in vars(base).items()
        if not name.startswith("_")
    }
    return {
        name: value
        for name, value in members.items()
        if isinstance(value, property) or callable(getattr(cls, name))
    }


METHODS = [
    pytest.param(getattr(cls, name), id=f"{cls.__name__}.{name}")
    for cls in CLASSES
    for name, member in public_members(cls).items()
    if not isinstance(member, property)
]
WITH_INIT = [cls for cls in CLASSES if "__init__" in vars(cls)]


# examples train for a few epochs, so that they run quickly: NotConvergedWarning stays off
@pytest.mark.filterwarnings(
    "error::sklearn_deep.exceptions.DeadUnitsWarning",
    "error::sklearn_deep.exceptions.SmallValidationWarning",
    "error::sklearn_deep.exceptions.UnscaledFeaturesWarning",
)
@pytest.mark.parametrize("value", PUBLIC)
def test_the_examples_run(value):
    module = inspect.getmodule(value)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(optionflags=flags)
    for test in doctest.DocTestFinder().find(value, module=module, globs={}):
        runner.run(test)
    plt.close("all")
    assert runner.failures == 0


@pytest.mark.parametrize(
    "value", [*FUNCTIONS, *(cls for cls in CLASSES if not issubclass(cls, Exception))]
)
def test_there_is_an_example(value):
    assert ">>> " in sections(value.__doc__)["Examples"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_lists_its_parameters_in_order(function):
    assert list(entries(function.__doc__, "Parameters")) == list(parameters(function))


@pytest.mark.parametrize("cls", WITH_INIT)
def test_the_class_lists_its_parameters_in_order(cls):
    assert list(entries(cls.__doc__, "Parameters")) == list(parameters(cls.__init__))


@pytest.mark.parametrize("cls", WITH_INIT)
def test_the_defaults_it_names_are_the_defaults(cls):
    named = {
        name: ast.literal_eval(match[1])
        for name, kind in entries(cls.__doc__, "Parameters").items()
        if (match := re.search(r"default=(.+)$", kind))
    }
    actual = {
        name: default
        for name, default in parameters(cls.__init__).items()
        if default is not inspect.Parameter.empty
    }
    assert named == actual


@pytest.mark.parametrize("method", METHODS)
def test_a_method_lists_its_parameters_and_what_it_returns(method):
    doc = inspect.getdoc(method)
    assert doc
    assert list(entries(doc, "Parameters")) == list(parameters(method))
    assert "Returns" in sections(doc)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_name_has_a_summary_of_its_own(cls):
    assert vars(cls).get("__doc__")
    for name, member in public_members(cls).items():
        summary = inspect.getdoc(getattr(cls, name))
        assert summary, f"{name} has no docstring"
        assert summary[0].isupper(), f"{name}: {summary!r}"
        assert inspect.getdoc(member), name


@pytest.mark.parametrize("value", PUBLIC)
def test_a_summary_has_no_citation_and_no_address(value):
    """Tables of the API page show it, far from the references."""
    members = public_members(value) if isinstance(value, type) else {}
    for member in (value, *members.values()):
        summary, *_ = inspect.getdoc(member).split("\n\n")
        assert not re.search(r"\[\w+\]_|arXiv|https?:", summary), summary


@pytest.mark.parametrize(
    "cls",
    [
        sklearn_deep.MLPClassifier,
        sklearn_deep.MLPRegressor,
        sklearn_deep.RNNClassifier,
        sklearn_deep.RNNRegressor,
    ],
)
def test_the_attributes_it_lists_are_those_of_a_fit(cls):
    X, y = load_iris(return_X_y=True, as_frame=True)
    assert_lists_its_attributes(cls(max_epochs=1, random_state=0).fit(X, y))


def test_the_meta_estimators_list_the_attributes_of_a_fit():
    X, y = load_iris(return_X_y=True, as_frame=True)
    network = sklearn_deep.MLPClassifier(max_epochs=1, random_state=0)
    assert_lists_its_attributes(sklearn_deep.LearningRateFinder(network).fit(X, y))
    assert_lists_its_attributes(
        sklearn_deep.ValidationHoldout(network, random_state=0).fit(X, y)
    )


def assert_lists_its_attributes(fitted):
    properties = [
        name
        for name, member in public_members(type(fitted)).items()
        if isinstance(member, property)
    ]
    there = {n for n in [*vars(fitted), *properties] if re.match(r"[a-z]\w*_$", n)}
    assert set(entries(type(fitted).__doc__, "Attributes")) == there


@pytest.mark.parametrize("value", PUBLIC)
def test_a_section_heading_stands_on_a_line_of_its_own(value):
    members = public_members(value) if isinstance(value, type) else {}
    for member in (value, *members.values()):
        assert not re.search(r"\S -{3,}(\s|$)", inspect.getdoc(member))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_what_a_docstring_cites_is_among_its_references(cls):
    text = inspect.getdoc(cls) or ""
    cited = set(re.findall(r"(\[\d+\])_", text))
    assert cited == set(re.findall(r"^\.\. (\[\d+\]) ", text, re.M))
