"""Everything that this package uses of skl2onnx and that its documentation does not contain.

A name that a release of skl2onnx has removed or renamed raises no error here: importing
``sklearn_deep`` and ``skl2onnx`` must succeed. ``to_onnx`` raises instead, and names the
versions that work.
"""

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

from sklearn_deep.exceptions import UnsupportedVersionError
from sklearn_deep.export.graph import _versions

_missing: list[str] = []


def _find(module: str, name: str) -> Any:
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError):
        _missing.append(f"{module}.{name}")
        return None


apply_zipmap = _find("skl2onnx._parse", "_apply_zipmap")
parse_simple_model = _find("skl2onnx._parse", "_parse_sklearn_simple_model")
parsers = _find("skl2onnx._parse", "sklearn_parsers_map")
get_model_alias = _find("skl2onnx._supported_operators", "get_model_alias")
operator_names = _find("skl2onnx._supported_operators", "sklearn_operator_name_map")
get_converter = _find("skl2onnx.common._registration", "get_converter")
get_shape_calculator = _find("skl2onnx.common._registration", "get_shape_calculator")
process_options = _find("skl2onnx.common.utils_sklearn", "_process_options")

# Attributes of the objects that skl2onnx passes to a parser, shape calculator or converter.
# Converters also have ``get_allowed_options``.
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "skl2onnx.common._container.ModelComponentContainer": (
        "ensure_topological_order",
        "initializers",
        "node_domain_version_pair_sets",
        "nodes",
    ),
    "skl2onnx.common._topology.Operator": (
        "inputs",
        "outputs",
        "raw_operator",
        "scope_inst",
        "target_opset",
        "type",
    ),
    "skl2onnx.common._topology.Scope": (
        "add_options",
        "declare_local_operator",
        "declare_local_variable",
        "get_unique_operator_name",
        "operators",
        "options",
    ),
    "skl2onnx.common._topology.Variable": (
        "full_name",
        "get_first_dimension",
        "raw_name",
        "set_type",
        "type",
    ),
}


def names_versions(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function that reads attributes of skl2onnx's objects.

    If one of them is missing, the error says which versions of skl2onnx work.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except AttributeError as error:
            if type(error.obj).__module__.startswith("skl2onnx."):
                raise unsupported(error) from error
            raise

    return call


def check_names() -> None:
    """Raise if an installed ONNX library lacks a name that the export needs.

    Raises
    ------
    UnsupportedVersionError
    """
    _versions.check_names()
    if _missing:
        raise unsupported(f"it has no {', '.join(_missing)}")


def unsupported(reason: object) -> UnsupportedVersionError:
    """Make the error that says which versions of skl2onnx work."""
    return _versions.unsupported("skl2onnx", reason)
