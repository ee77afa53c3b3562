"""Imports run one way, and each foreign library stays in its place."""

import ast
import subprocess
import sys
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
    "training",
    "estimators",
    "compression",
    "transfer",
    "export",
    "inspection",
]

# Imported where they are used: they are optional, slow to load, or skorch's.
LAZY = {
    "_plotting.py": {"matplotlib"},
    "augmentation/_kornia.py": {"kornia"},
    "estimators/_base.py": {"pandas", "sklearn_deep.training._net"},
    "estimators/_watching.py": {"sklearn_deep.training._net_callbacks"},
    "export/_opened.py": {"onnxruntime"},
    "inspection/_compression_report.py": {
        "pandas",
        "sklearn_deep.export._feeds",
        "sklearn_deep.export._opened",
        "sklearn_deep.export._to_onnx",
    },
    "training/_registration.py": {"sklearn_deep.training._backend"},
}


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def folder_of(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 2 else ""


def imports_of(path, *, top_level):
    """Modules that a file imports, at its top or inside functions; none for types only."""
    tree = ast.parse(path.read_text())
    found = []

    def visit(node, inside):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, (ast.Import, ast.ImportFrom)) and inside != top_level:
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name_of(path)}: relative import"
                found.append((node.module, [a.name for a in node.names]))
            else:
                found.extend((a.name, []) for a in node.names)
        deeper = inside or isinstance(node, (ast.FunctionDef, ast.ClassDef))
        for child in ast.iter_child_nodes(node):
            visit(child, deeper)

    visit(tree, False)
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_come_from_earlier_folders_only(path):
    here = ORDER.index(
        folder_of("sklearn_deep." + name_of(path).replace("/", ".")[:-3])
    )
    for module, _ in imports_of(path, top_level=True):
        if module.startswith("sklearn_deep."):
            assert ORDER.index(folder_of(module)) <= here, module


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_stand_at_the_top_but_for_the_listed_ones(path):
    late = {module for module, _ in imports_of(path, top_level=False)}
    late = {m.split(".")[0] if not m.startswith("sk") else m for m in late}
    assert late <= LAZY.get(name_of(path), set())


def test_no_module_imports_in_a_circle():
    edges = {
        f"sklearn_deep.{name_of(p)[:-3].replace('/', '.')}": [
            m for m, _ in imports_of(p, top_level=True) if m.startswith("sklearn_deep.")
        ]
        for p in MODULES
    }
    done = set()

    def walk(module, path):
        assert module not in path, " -> ".join([*path, module])
        if module in done:
            return
        for target in edges.get(module, []):
            walk(target, [*path, module])
        done.add(module)

    for module in edges:
        walk(module, [])


def test_skorch_is_imported_in_one_file():
    users = {
        name_of(p)
        for p in MODULES
        for late in (True, False)
        for module, _ in imports_of(p, top_level=late)
        if module.split(".")[0] == "skorch"
    }
    assert users == {"training/_net.py"}


def test_kornia_is_imported_in_one_file():
    users = {
        name_of(p)
        for p in MODULES
        for late in (True, False)
        for module, _ in imports_of(p, top_level=late)
        if module.split(".")[0] == "kornia"
    }
    assert users == {"augmentation/_kornia.py"}


def test_joblib_is_imported_in_two_files():
    users = {
        name_of(p)
        for p in MODULES
        for late in (True, False)
        for module, _ in imports_of(p, top_level=late)
        if module.split(".")[0] == "joblib"
    }
    assert users == {"training/_backend.py", "training/_registration.py"}


def test_onnx_libraries_are_imported_in_one_folder():
    users = {
        name_of(p).split("/")[0]
        for p in MODULES
        for late in (True, False)
        for module, _ in imports_of(p, top_level=late)
        if module.split(".")[0] in ("onnx", "onnxruntime", "skl2onnx")
    }
    assert users == {"export"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_public_names_of_scikit_learn_are_imported(path):
    # scikit-learn lists _safe_indexing in sklearn.utils.__all__ and documents it.
    for late in (True, False):
        for module, names in imports_of(path, top_level=late):
            if module.split(".")[0] == "sklearn":
                private = [p for p in [*module.split("."), *names] if p.startswith("_")]
                assert set(private) <= {"_safe_indexing"}


def test_all_names_every_lazy_export():
    assert sorted(sklearn_deep.__all__) == sorted(sklearn_deep._HOMES)
    assert set(sklearn_deep.__all__) <= set(dir(sklearn_deep))
    for name in sklearn_deep.__all__:
        value = getattr(sklearn_deep, name)
        assert getattr(value, "__name__", name) == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'MLPClusterer'"):
        _ = sklearn_deep.MLPClusterer


def test_importing_the_package_loads_neither_torch_nor_scikit_learn():
    code = (
        "import sys, sklearn_deep;"
        "print([m for m in ('torch', 'sklearn', 'skorch', 'numpy') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"


def test_a_fit_without_callbacks_does_not_load_skorch():
    code = (
        "import sys, numpy as np\n"
        "from sklearn_deep import MLPClassifier\n"
        "X = np.random.default_rng(0).normal(size=(20, 2))\n"
        "MLPClassifier((4,), max_epochs=2).fit(X, X[:, 0] > 0)\n"
        "print('skorch' in sys.modules, 'torch._dynamo' in sys.modules)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == ["False", "False"]
