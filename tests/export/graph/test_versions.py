"""The names of the ONNX libraries in use are listed, with the tested versions."""

import ast
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from sklearn_deep.export.graph._versions import NAMES, TESTED

ROOT = Path(__file__).parents[3]
EXPORT = ROOT / "sklearn_deep" / "export"


def names_in(path):
    """Names of the ONNX libraries that a module uses, as (module, name)."""
    tree = ast.parse(path.read_text())
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update({a.name: a.name for a in node.names if a.name in NAMES})
        elif isinstance(node, ast.ImportFrom) and node.module in NAMES:
            for alias in node.names:
                if f"{node.module}.{alias.name}" in NAMES:
                    modules[alias.name] = f"{node.module}.{alias.name}"
                else:
                    yield node.module, alias.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            root, _, rest = owner.partition(".")
            module = f"{modules[root]}.{rest}".rstrip(".") if root in modules else None
            if module in NAMES and f"{module}.{node.attr}" not in NAMES:
                yield module, node.attr


def test_every_public_name_in_use_is_listed():
    used = {name for path in EXPORT.rglob("*.py") for name in names_in(path)}
    assert used == {(module, name) for module, names in NAMES.items() for name in names}


@pytest.mark.parametrize("library", TESTED)
def test_the_installed_version_is_a_tested_one(library):
    assert version(library) in SpecifierSet(TESTED[library])


@pytest.mark.parametrize("library", TESTED)
def test_the_extra_installs_tested_versions(library):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extra = project["project"]["optional-dependencies"]["onnx"]
    (wanted,) = [r for r in map(Requirement, extra) if r.name == library]
    lower = {str(s) for s in wanted.specifier if s.operator == ">="}
    assert lower == {
        str(s) for s in SpecifierSet(TESTED[library]) if s.operator == ">="
    }
