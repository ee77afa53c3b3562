"""Imports run one way; foreign libraries and what is private of them have their places."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import joblib.parallel
import pytest
import skorch
import torch
from sklearn.base import BaseEstimator, TransformerMixin

import sklearn_deep
from sklearn_deep.private._sklearn import CallbackSupportMixin

PACKAGE = Path(sklearn_deep.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
ORDER = [
    "",
    "private",
    "data",
    "data/chunks",
    "augmentation",
    "nn",
    "training/job",
    "training/ranks",
    "training/checkpoints",
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
    "transfer/conversion",
    "transfer/multi_task",
    "files",
    "transfer/fine_tuning",
    "transfer/semi_supervised",
    "scale",
    "scale/chunked",
    "scale/federated",
    "serving",
    "serving/fields",
    "serving/page",
    "serving/server",
    "export/graph",
    "export/inputs",
    "export/layers",
    "export/networks",
    "export/sklearn",
    "export/skl2onnx",
    "export/parity",
    "export/halves",
    "export",
    "inspection",
    "deployment/web",
    "deployment/variants",
    "deployment/split",
    "deployment",
]

# Imported where they are used: they are optional, slow to load, or skorch's.
LAZY = {
    "_plotting.py": {"matplotlib"},
    "augmentation/_kornia.py": {"kornia"},
    "data/_target_columns.py": {"pandas", "polars"},
    "data/chunks/_arrow.py": {"pandas", "polars", "pyarrow"},
    "data/chunks/_containers.py": {"pandas", "polars"},
    "data/chunks/_polars.py": {"polars"},
    "estimators/core/_base.py": {"sklearn_deep.training.loop._skorch"},
    "estimators/core/_layers.py": {"pandas"},
    "estimators/core/_watching.py": {"sklearn_deep.training.loop._skorch_callbacks"},
    "files/_signature.py": {"cryptography"},
    "files/_skops.py": {"skops.io"},
    "scale/federated/_apps.py": {"sklearn_deep.scale.federated"},
    "scale/federated/_schema.py": {"pandas"},
    "serving/_session.py": {"onnxruntime"},
    "serving/fields/_images.py": {"PIL"},
    "serving/server/_command.py": {"sklearn_deep.serving.server"},
    "inspection/_compression_report.py": {
        "pandas",
        "sklearn_deep.serving._feeds",
        "sklearn_deep.serving._session",
        "sklearn_deep.export._to_onnx",
    },
    "inspection/data_checks/_report.py": {"pandas"},
    "training/checkpoints/_report.py": {"pandas"},
    "transfer/conversion/_from_keras.py": {"keras"},
    "transfer/fine_tuning/_source.py": {"sklearn_deep.transfer.conversion._from_onnx"},
    "training/stacking/_engines.py": {"cloudpickle", "distributed", "ray"},
    "training/stacking/_registration.py": {
        "sklearn_deep.training.stacking._backend",
        "sklearn_deep.training.stacking._over",
    },
}

# The only files that import a library.
HOMES = {
    "cryptography": {"files/_signature.py"},
    "distributed": {"training/stacking/_engines.py"},
    "cloudpickle": {"training/ranks/_parcel.py", "training/stacking/_engines.py"},
    "joblib": {
        "training/ranks/_parcel.py",
        "training/stacking/_backend.py",
        "training/stacking/_group_run.py",
        "training/stacking/_over.py",
        "training/stacking/_registration.py",
    },
    "flwr": {
        "scale/federated/_flower.py",
        "scale/federated/_flower_strategy.py",
    },
    "keras": {"transfer/conversion/_from_keras.py"},
    "kornia": {"augmentation/_kornia.py"},
    "pyarrow": {"data/chunks/_arrow.py"},
    "grpc": {"serving/server/_grpc.py"},
    "ray": {"training/stacking/_engines.py"},
    "prometheus_client": {"serving/server/_metrics.py"},
    "uvicorn": {"serving/server/_protocol.py", "serving/server/_run.py"},
    "PIL": {"serving/fields/_images.py"},
    "skops": {"files/_skops.py"},
    "skorch": {"training/loop/_skorch.py"},
}


# The file of each library; what it has is looked up there and nowhere else.
FILES = {
    "joblib": "private/_joblib.py",
    "scikit-learn": "private/_sklearn.py",
    "skl2onnx": "export/skl2onnx/_private.py",
    "torch": "private/_torch.py",
}
LIBRARIES = {"joblib", "skl2onnx", "sklearn", "skorch", "torch"}

# Functions that take names, most of them methods of ``Library``.
LOOKUPS = {"_find", "attribute", "find", "find_class", "recognizer"}

# Names with an underscore that are public all the same.
PUBLIC = {
    "_replace": "a method of named tuples",
    "_initializing": "an attribute of module specs, as importlib documents it",
    "_safe_indexing": "in the __all__ of sklearn.utils",
}

# Names that a library looks up in our classes, by a documented protocol.
PROTOCOLS = {
    "_repr_html_": "IPython",
    "_repr_mimebundle_": "IPython",
}

# Classes that ours derive from, or whose objects ours hold.
FOREIGN = (
    BaseEstimator,
    CallbackSupportMixin,
    TransformerMixin,
    joblib.parallel.ParallelBackendBase,
    skorch.NeuralNet,
    torch.Tensor,
    torch.nn.BatchNorm1d,
    torch.nn.Conv2d,
    torch.nn.Module,
    torch.nn.RNNBase,
    torch.optim.Optimizer,
)

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


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
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
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
        "onnx": ("export/", "transfer/conversion/", "deployment/split/"),
        "onnxruntime": ("export/", "serving/", "transfer/conversion/"),
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


def is_private(name):
    return name.startswith("_") and not name.endswith("__") and name.strip("_") != ""


@cache
def every_node():
    """File and node of every node of the package."""
    return [
        (name_of(path), node) for path in MODULES for node in ast.walk(tree_of(path))
    ]


def nodes(kind):
    """Those of a kind."""
    return [(file, node) for file, node in every_node() if isinstance(node, kind)]


def attributes_of(definition):
    """Names of attributes that a class defines, in its body and by ``self``."""
    for node in definition.body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (t.id for t in targets if isinstance(t, ast.Name))
    for node in ast.walk(definition):
        stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if stored and getattr(node.value, "id", "") in ("self", "cls"):
            yield node.attr


@cache
def own_attributes():
    return frozenset(
        name
        for _, definition in nodes(ast.ClassDef)
        for name in attributes_of(definition)
        if is_private(name)
    )


def private_accesses():
    """File, line and name of each access to a private attribute, by dot or by string."""
    for file, node in nodes(ast.Attribute):
        if is_private(node.attr):
            yield file, node.lineno, node.attr
    for file, node in nodes(ast.Call):
        if called(node) in ("getattr", "hasattr", "setattr", "attrgetter"):
            yield from private_strings(file, node.args)
    for file, node in nodes(ast.Subscript):
        of_vars = isinstance(node.value, ast.Call) and called(node.value) == "vars"
        if of_vars or getattr(node.value, "attr", "") == "__dict__":
            yield from private_strings(file, [node.slice])


def called(call):
    """Name of the function or method that is called."""
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def private_strings(file, constants):
    for node in constants:
        value = getattr(node, "value", None)
        if isinstance(value, str) and is_private(value):
            yield file, node.lineno, value


def lookups(file):
    """Calls in a library's file that list a name: ``library.find(...)`` and the like."""
    for node in ast.walk(tree_of(PACKAGE / file)):
        if isinstance(node, ast.Call) and called(node) in LOOKUPS:
            yield node


def listed(file):
    """Private names that a library's file lists."""
    return {
        part
        for call in lookups(file)
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
        for part in argument.value.split(".")
        if is_private(part)
    }


def test_private_attributes_of_others_are_read_in_the_files_that_list_them_only():
    unlisted = [
        f"{file}:{line} {name}"
        for file, line, name in private_accesses()
        if file not in FILES.values()
        and name not in own_attributes()
        and name not in PUBLIC
    ]
    assert unlisted == []


def test_private_names_of_others_are_imported_in_the_files_that_list_them_only():
    unlisted = []
    for file, node in nodes((ast.Import, ast.ImportFrom)):
        modules = [getattr(node, "module", None) or a.name for a in node.names]
        for module, alias in zip(modules, node.names, strict=True):
            parts = {*module.split("."), *alias.name.split(".")}
            if module.split(".")[0] in LIBRARIES and any(map(is_private, parts)):
                unlisted.append(f"{file}: {module} {alias.name}")
    assert [u for u in unlisted if u.split()[-1] not in PUBLIC] == []


def test_operators_of_torch_are_looked_up_in_the_file_that_lists_them_only():
    """They are in no documentation, though their names have no underscore."""
    undocumented = {"ops", "native_batch_norm", "native_layer_norm"}
    users = [
        f"{file}:{node.lineno}"
        for file, node in nodes(ast.Attribute)
        if node.attr in undocumented and getattr(node.value, "id", "") == "torch"
    ]
    assert users == []


def test_no_name_of_ours_is_a_private_one_of_a_library():
    """Else the tests above would take theirs for ours, and a subclass would override it."""
    theirs = {name for cls in FOREIGN for name in dir(cls) if is_private(name)}
    theirs |= set(vars(torch.nn.Module()))
    theirs |= {name for file in FILES.values() for name in listed(file)}
    assert own_attributes() & theirs <= set(PROTOCOLS)


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_every_listed_name_is_used(file):
    uses = {
        alias.name
        for other, node in nodes(ast.ImportFrom)
        if node.module == "sklearn_deep." + file[:-3].replace("/", ".")
        for alias in node.names
    }
    local = {
        node.id
        for node in ast.walk(tree_of(PACKAGE / file))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    defined = {
        target.id
        for node in tree_of(PACKAGE / file).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    functions = {
        node.name
        for node in tree_of(PACKAGE / file).body
        if isinstance(node, ast.FunctionDef)
    }
    assert defined - uses - local - {"TESTED"} == set()
    assert functions - uses - local == set()


def test_every_exception_is_still_needed():
    names = {name for _, _, name in private_accesses()}
    names |= {a.name for _, node in nodes(ast.ImportFrom) for a in node.names}
    assert set(PUBLIC) <= names
    assert set(PROTOCOLS) <= own_attributes()


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
