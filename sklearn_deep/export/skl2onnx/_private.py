"""Everything private that this package uses of skl2onnx, and the versions it was tested with.

A name that a release of skl2onnx has renamed is noted, and raises nothing here: an
upgrade may break ``to_onnx``, which then names the versions that work, but no import.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

from sklearn_deep.exceptions import OnnxExportError

TESTED = ">=1.20,<1.21"  # as in the [onnx] extra of pyproject.toml

_absent: list[str] = []


def _find(module: str, name: str) -> Any:
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError):
        _absent.append(f"{module}.{name}")
        return None


apply_zipmap = _find("skl2onnx._parse", "_apply_zipmap")
parse_simple_model = _find("skl2onnx._parse", "_parse_sklearn_simple_model")
parsers = _find("skl2onnx._parse", "sklearn_parsers_map")
get_model_alias = _find("skl2onnx._supported_operators", "get_model_alias")
operator_names = _find("skl2onnx._supported_operators", "sklearn_operator_name_map")
get_converter = _find("skl2onnx.common._registration", "get_converter")
get_shape_calculator = _find("skl2onnx.common._registration", "get_shape_calculator")
process_options = _find("skl2onnx.common.utils_sklearn", "_process_options")


def check_names() -> None:
    """Raise where the installed skl2onnx lacks a name that the export needs.

    Raises
    ------
    OnnxExportError
    """
    if _absent:
        raise unsupported(f"it has no {', '.join(_absent)}")


def unsupported(reason: object) -> OnnxExportError:
    """Make the error that says which versions of skl2onnx work."""
    return OnnxExportError(
        f"to_onnx does not work with skl2onnx {version('skl2onnx')}: {reason}. Install a"
        f" version that it was tested with: pip install 'skl2onnx{TESTED}'."
    )
