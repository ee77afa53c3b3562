"""The versions that private names were tested with are those that can be installed."""

import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import sklearn_deep
from sklearn_deep.private._library import Library

PROJECT = Path(sklearn_deep.__file__).parents[1] / "pyproject.toml"
LISTS = {
    "joblib": "sklearn_deep.private._joblib",
    "scikit-learn": "sklearn_deep.private._sklearn",
    "torch": "sklearn_deep.private._torch",
}


def libraries_of(name):
    home = import_module(LISTS[name])
    return [value for value in vars(home).values() if isinstance(value, Library)]


@pytest.mark.oldest
@pytest.mark.parametrize("name", LISTS)
def test_the_installed_version_is_one_of_them(name):
    for library in libraries_of(name):
        assert library.name == name
        assert version(name) in SpecifierSet(library.tested)


@pytest.mark.parametrize("name", LISTS)
def test_the_lowest_version_that_can_be_installed_is_one_of_them(name):
    project = tomllib.loads(PROJECT.read_text())["project"]
    for requirement in map(Requirement, project["dependencies"]):
        if requirement.name == name:
            (lowest,) = [s.version for s in requirement.specifier if s.operator == ">="]
            assert lowest in SpecifierSet(import_module(LISTS[name]).TESTED)


@pytest.mark.parametrize("name", LISTS)
def test_every_name_is_there_in_the_newest_version(name):
    libraries = libraries_of(name)
    assert libraries
    assert [library.absent for library in libraries] == [[] for _ in libraries]
