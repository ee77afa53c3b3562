"""Something to import once other modules are there: optional libraries meet.

The converters belong into skl2onnx as soon as both it and an estimator of ours are
imported, whichever comes first, and cost nothing until then. A finder at the head of
``sys.meta_path`` sees the last of them coming, and goes when it has done its work.
It waits for the modules of this package that are imported at the time, for their names
to be there.

Why not ``wrapt.register_post_import_hook``: it calls a hook right after the one module it
is for, also where that module is imported by one of ours that is not complete yet, so
that the converters could not import it; its finder stays on ``sys.meta_path`` for good;
and it would be a dependency of the core, as the hooks are set by ``import sklearn_deep``.
"""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def import_after(modules: Sequence[str], then: str) -> None:
    """Import the module ``then`` as soon as all ``modules`` have been imported."""
    finder = _Finder(modules, then)
    if finder.waiting:
        sys.meta_path.insert(0, finder)
    else:
        import_module(then)


def _is_loaded(name: str) -> bool:
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return spec is not None and not getattr(spec, "_initializing", False)


_OURS = f"{__package__}."


class _Finder(MetaPathFinder):
    """An import finder that only observes: the other finders answer."""

    def __init__(self, modules: Sequence[str], then: str) -> None:
        self.waiting = {name for name in modules if not _is_loaded(name)}
        self.then = then
        self._here = threading.local()

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """Wrap the loader of an awaited module, and of one of ours that may await it."""
        asking = getattr(self._here, "asking", None) == fullname
        if asking or not (fullname in self.waiting or fullname.startswith(_OURS)):
            return None
        self._here.asking = fullname  # ``find_spec`` below asks this finder too
        try:
            spec = find_spec(fullname)
        finally:
            self._here.asking = None
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self)
        return spec

    @contextmanager
    def loading(self, name: str) -> Iterator[None]:
        """Note a module; at the end of the outermost one, after the last, go on."""
        outer = getattr(self._here, "depth", 0)
        self._here.depth = outer + 1
        try:
            yield
        finally:
            self._here.depth = outer
        self.waiting.discard(name)
        if not (outer or self.waiting) and self in sys.meta_path:
            sys.meta_path.remove(self)
            import_module(self.then)


class _Loader(Loader):
    """Another loader, and a word to the finder when it is done."""

    def __init__(self, loader: Any, finder: _Finder) -> None:
        self.loader, self.finder = loader, finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to the other loader."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module; afterwards its own loader is the one it shows."""
        spec = module.__spec__
        assert spec is not None
        spec.loader = module.__loader__ = self.loader
        with self.finder.loading(spec.name):
            self.loader.exec_module(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)
