"""Imports run one way, and each foreign library stays in its place."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import sklearn_deep

PACKAGE = Path(sklearn_deep.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
ORDER = [
    "",
    "data",
    "augmentation",
    "nn",
    "training/job",
    "training/step",
    "training/loop",
    "training/stacking",
    "training",
    "estimators/core",
    "estimators/tasks",
    "estimators/families",
    "estimators/meta",
    "estimators",
    "compression",
    "transfer",
    "serving",
    "export/graph",
    "export/inputs",
    "export/layers",
    "export/networks",
    "export/sklearn",
    "export/skl2onnx",
    "export/parity",
    "export",
    "inspection",
]

# Imported where they are used: they are optional, slow to load, or skorch's.
LAZY = {
    "_plotting.py": {"matplotlib"},
    "augmentation/_kornia.py": {"kornia"},
    "estimators/core/_base.py": {"pandas", "sklearn_deep.training.loop._skorch"},
    "estimators/core/_watching.py": {"sklearn_deep.training.loop._skorch_callbacks"},
    "serving/_session.py": {"onnxruntime"},
    "inspection/_compression_report.py": {
        "pandas",
        "sklearn_deep.serving._feeds",
        "sklearn_deep.serving._session",
        "sklearn_deep.export._to_onnx",
    },
    "training/stacking/_registration.py": {"sklearn_deep.training.stacking._backend"},
}

# The only files that import a library.
HOMES = {
    "joblib": {"training/stacking/_backend.py", "training/stacking/_registration.py"},
    "kornia": {"augmentation/_kornia.py"},
    "skorch": {"training/loop/_skorch.py"},
}


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def place_of(path):
    """Number in ORDER of a folder, or of the one that "training/loop/_run" is in."""
    folders = [path.rsplit("/", n)[0] for n in range(path.count("/") + 1)] + [""]
    return next(ORDER.index(folder) for folder in folders if folder in ORDER)


def path_of(module):
    """``sklearn_deep.data._rows`` as "data/_rows"."""
    return module.removeprefix("sklearn_deep").lstrip(".").replace(".", "/")


@cache
def tree_of(path):
    return ast.parse(path.read_text())


@cache
def imports_in(path):
    """Where an import stands ("top", "inside" or "types"), its module and its names."""
    found = []

    def visit(node, where):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            where = "types"
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: relative import"
            found.append((where, node.module, [a.name for a in node.names]))
        elif isinstance(node, ast.Import):
            found.extend((where, a.name, []) for a in node.names)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            where = "inside"
        for child in ast.iter_child_nodes(node):
            visit(child, where)

    visit(tree_of(path), "top")
    return found


def imports_of(path, *, top_level):
    """Modules that a file imports, at its top or inside functions; none for types only."""
    wanted = "top" if top_level else "inside"
    return [(m, names) for where, m, names in imports_in(path) if where == wanted]


def edges():
    """Files of the package, and what each imports from it at its top or for types."""
    return {
        name_of(path)[:-3]: [
            path_of(module)
            for where, module, _ in imports_in(path)
            if module.startswith("sklearn_deep.")
            and (where == "top" or (where == "types" and is_arrow(path, module)))
        ]
        for path in MODULES
    }


def is_arrow(path, module):
    """Whether an import counts: the list of the lazy public names does not."""
    return name_of(path) != "__init__.py"


def every_import(*, top_level=None):
    """File, module and names of every import of the package."""
    levels = (True, False) if top_level is None else (top_level,)
    for path in MODULES:
        for level in levels:
            for module, names in imports_of(path, top_level=level):
                yield name_of(path), module, names


def test_imports_come_from_earlier_folders_only():
    backwards = [
        f"{name} imports {module}"
        for name, modules in edges().items()
        for module in modules
        if place_of(module) > place_of(name)
    ]
    assert backwards == []


def test_imports_stand_at_the_top_but_for_the_listed_ones():
    unlisted = [
        f"{name} imports {module} inside a function"
        for name, module, _ in every_import(top_level=False)
        if (module if module.startswith("sk") else module.split(".")[0])
        not in LAZY.get(name, set())
    ]
    assert unlisted == []


def test_no_module_imports_in_a_circle():
    graph = edges()
    done = set()

    def walk(module, path):
        assert module not in path, " -> ".join([*path, module])
        if module in done:
            return
        for target in graph.get(module, []):
            walk(target, [*path, module])
        done.add(module)

    for module in graph:
        walk(module, [])


@pytest.mark.parametrize(("library", "files"), HOMES.items())
def test_a_library_is_imported_in_its_own_files_only(library, files):
    users = {
        name for name, module, _ in every_import() if module.split(".")[0] == library
    }
    assert users == files


@pytest.mark.parametrize(
    ("library", "folders"),
    {
        "onnx": ("export/",),
        "onnxruntime": ("export/", "serving/"),
        "skl2onnx": ("export/skl2onnx/",),
    }.items(),
)
def test_an_onnx_library_is_imported_in_its_own_folders_only(library, folders):
    users = {
        name for name, module, _ in every_import() if module.split(".")[0] == library
    }
    assert users
    assert {name for name in users if not name.startswith(folders)} == set()


def reached_from(folder):
    """Files that those of a folder import, directly or not; in the folder for types too."""
    everything = {
        name_of(path)[:-3]: {
            module
            for where, module, _ in imports_in(path)
            if where != "types" or name_of(path).startswith(folder)
        }
        for path in MODULES
    }
    found, waiting = set(), [n for n in everything if n.startswith(folder)]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += [path_of(m) for m in everything[name] if path_of(m) in everything]
    return {name: everything[name] for name in found}


def test_serving_reaches_neither_torch_nor_what_only_an_export_needs():
    files = reached_from("serving/")
    assert {name.split("/")[0] for name in files if "/" in name} == {"data", "serving"}
    heavy = {"torch", "skorch", "onnx", "skl2onnx"}
    users = [
        f"{name} imports {module}"
        for name, modules in files.items()
        for module in modules
        if module.split(".")[0] in heavy
    ]
    assert users == []


def test_only_public_names_of_scikit_learn_are_imported():
    # scikit-learn lists _safe_indexing in sklearn.utils.__all__ and documents it.
    private = [
        f"{name} imports {part} of {module}"
        for name, module, names in every_import()
        if module.split(".")[0] == "sklearn"
        for part in [*module.split("."), *names]
        if part.startswith("_") and part != "_safe_indexing"
    ]
    assert private == []


def test_no_module_imports_the_package_itself():
    importers = {name for name, module, _ in every_import() if module == "sklearn_deep"}
    assert importers == set()


def test_all_names_every_lazy_export():
    assert sorted(sklearn_deep.__all__) == sorted(sklearn_deep._HOMES)
    assert set(sklearn_deep.__all__) <= set(dir(sklearn_deep))
    for name in sklearn_deep.__all__:
        value = getattr(sklearn_deep, name)
        assert getattr(value, "__name__", name) == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'MLPClusterer'"):
        _ = sklearn_deep.MLPClusterer


def test_neither_the_import_nor_a_plain_fit_loads_more_than_it_needs():
    code = (
        "import sys, sklearn_deep\n"
        "loaded = lambda names: [m for m in names.split() if m in sys.modules]\n"
        "print(loaded('torch sklearn skorch numpy'))\n"
        "import numpy as np\n"
        "X = np.random.default_rng(0).normal(size=(20, 2))\n"
        "sklearn_deep.MLPClassifier((4,), max_epochs=2).fit(X, X[:, 0] > 0)\n"
        "print(loaded('skorch torch._dynamo'))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == ["[]", "[]"]
