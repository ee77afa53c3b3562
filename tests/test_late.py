"""A module is imported as soon as others are there, and not before."""

import importlib
import sys

import pytest

import sklearn_deep
from sklearn_deep._late import _Finder, import_after


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Three small modules that can be imported once, and are forgotten after."""
    names = [f"late_{tmp_path.name}_{k}".replace("-", "_") for k in range(3)]
    for name in names:
        (tmp_path / f"{name}.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = list(sys.meta_path)
    yield names
    sys.meta_path[:] = before
    for name in names:
        sys.modules.pop(name, None)


def watching():
    return [finder for finder in sys.meta_path if isinstance(finder, _Finder)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_it_comes_after_the_last_of_them_in_any_order(modules, order):
    *awaited, then = modules
    import_after(awaited, then)
    importlib.import_module(awaited[order[0]])
    assert then not in sys.modules
    importlib.import_module(awaited[order[1]])
    assert then in sys.modules


def test_it_comes_at_once_where_they_are_there(modules):
    *awaited, then = modules
    for name in awaited:
        importlib.import_module(name)
    before = watching()
    import_after(awaited, then)
    assert then in sys.modules
    assert watching() == before


def test_nothing_is_left_behind(modules):
    *awaited, then = modules
    before = watching()
    import_after(awaited, then)
    for name in awaited:
        importlib.import_module(name)
        assert (
            type(sys.modules[name].__spec__.loader).__module__ != "sklearn_deep._late"
        )
        assert sys.modules[name].__loader__ is sys.modules[name].__spec__.loader
    assert watching() == before
    assert importlib.reload(sys.modules[awaited[0]]).value == 1


def test_a_module_that_fails_may_be_tried_again(modules, tmp_path):
    *awaited, then = modules
    import_after(awaited, then)
    broken = tmp_path / f"{awaited[0]}.py"
    broken.write_text("raise RuntimeError('not yet')\n")
    with pytest.raises(RuntimeError, match="not yet"):
        importlib.import_module(awaited[0])
    assert then not in sys.modules
    broken.write_text("value = 2\n")
    importlib.invalidate_caches()
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        for name in awaited:
            importlib.import_module(name)
    finally:
        sys.dont_write_bytecode = before
    assert then in sys.modules


def test_a_module_that_is_not_there_is_the_usual_error(modules):
    import_after(["there_is_no_such_module"], modules[0])
    with pytest.raises(ModuleNotFoundError, match="there_is_no_such_module"):
        importlib.import_module("there_is_no_such_module")
    assert modules[0] not in sys.modules


def test_it_waits_for_a_module_of_the_package_that_is_half_way(
    modules, tmp_path, monkeypatch
):
    """``then`` may import names that such a module has not got yet."""
    awaited, outer, then = modules
    monkeypatch.setattr(
        sklearn_deep, "__path__", [*sklearn_deep.__path__, str(tmp_path)]
    )
    (tmp_path / f"{outer}.py").write_text(f"import {awaited}\nlate = 3\n")
    (tmp_path / f"{then}.py").write_text(f"from sklearn_deep.{outer} import late\n")
    import_after([awaited], then)
    try:
        importlib.import_module(f"sklearn_deep.{outer}")
        assert sys.modules[then].late == 3
    finally:
        del sys.modules[f"sklearn_deep.{outer}"]
