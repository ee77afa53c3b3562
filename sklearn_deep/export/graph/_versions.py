"""The ONNX libraries that the export uses: tested versions, and every name in use.

The libraries may move or remove a name in a new release. The export then raises an error
that says which versions work; importing ``sklearn_deep`` or ``skl2onnx`` still succeeds.
``tests/export/graph/test_versions.py`` compares these tables with the code and with pyproject.
"""

from importlib import import_module
from importlib.metadata import version

from sklearn_deep.exceptions import UnsupportedVersionError

# The lower bounds are those of the [onnx] extra in pyproject.toml.
TESTED = {
    "onnx": ">=1.19,<1.24",
    "onnxruntime": ">=1.23,<1.33",
    "skl2onnx": ">=1.20,<1.21",
}

# Public names by module. The private names of skl2onnx are in ``export/skl2onnx/_private.py``.
NAMES: dict[str, tuple[str, ...]] = {
    "onnx": (
        "GraphProto",
        "ModelProto",
        "NodeProto",
        "TensorProto",
        "load_from_string",
    ),
    "onnx.checker": ("check_model",),
    "onnx.helper": (
        "find_min_ir_version_for",
        "make_graph",
        "make_model",
        "make_node",
        "make_opsetid",
        "make_tensor",
        "make_tensor_value_info",
    ),
    "onnx.inliner": ("inline_local_functions",),
    "onnx.numpy_helper": ("from_array",),
    "onnxruntime": (
        "GraphOptimizationLevel",
        "InferenceSession",
        "SessionOptions",
        "__version__",
    ),
    "skl2onnx": ("convert_sklearn", "to_onnx", "update_registered_converter"),
    "skl2onnx.common.data_types": (
        "BooleanTensorType",
        "DoubleTensorType",
        "FloatTensorType",
        "Int64TensorType",
        "SequenceType",
        "StringTensorType",
        "UInt8TensorType",
    ),
    "skl2onnx.common.exceptions": ("MissingConverter", "MissingShapeCalculator"),
    "skl2onnx.proto": ("get_latest_tested_opset_version",),
}


def check_names() -> None:
    """Raise if an installed library lacks a public name that the export uses.

    Raises
    ------
    UnsupportedVersionError
        The message gives the name and the tested versions.
    """
    for module, names in NAMES.items():
        for name in names:
            if not has_name(module, name):
                raise unsupported(module, f"it has no {module}.{name}")


def has_name(module: str, name: str) -> bool:
    """Tell whether an installed library has a name."""
    try:
        return hasattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name == module.partition(".")[0]:
            raise  # the library is not installed
        return False


def is_about_onnx(error: ImportError) -> bool:
    """Tell whether an import failed because an ONNX library lacks a module or name."""
    library = (error.name or "").partition(".")[0]
    missing = isinstance(error, ModuleNotFoundError) and error.name == library
    return library in TESTED and not missing


def unsupported(module: str, reason: object) -> UnsupportedVersionError:
    """Make the error that says which versions of a library work.

    Parameters
    ----------
    module : str
        The library, or a module of it.
    reason : object
        What the installed version lacks.
    """
    library = module.partition(".")[0]
    return UnsupportedVersionError(
        f"to_onnx does not work with {library} {version(library)}: {reason}. Install a"
        f" version that it was tested with: pip install '{library}{TESTED[library]}'."
    )
