"""Conversion of a fitted estimator by skl2onnx, which calls our converters."""

import warnings
from typing import Any

import skl2onnx
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
from skl2onnx.proto import get_latest_tested_opset_version

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.inputs._declared import Input
from sklearn_deep.export.skl2onnx._converters import REQUEST, TYPES
from sklearn_deep.export.skl2onnx._private import process_options
from sklearn_deep.export.skl2onnx._registration import in_registered_class


def newest_opset() -> int:
    """Return the newest operator set that skl2onnx writes."""
    return get_latest_tested_opset_version()


def convert_by_skl2onnx(
    model: Any,
    inputs: list[Input],
    request: dict[str, Any],
    skl2onnx_options: dict[Any, Any],
    opset: int | None,
) -> Any:
    """Convert an estimator to an ONNX model, with inputs ``input_0``, ``input_1``, ...

    Parameters
    ----------
    model : fitted estimator
    inputs : list of Input
    request : dict
        ``"options"``, ``"dtype"`` and ``"missing"`` of the export, for our converters.
    skl2onnx_options : dict
        Options of single estimators, for skl2onnx.
    opset : int or None
        Operator set; None for the newest.

    Raises
    ------
    OnnxExportError
        For an estimator without a converter.
    """
    types = [(f"input_{k}", _type_of(i)) for k, i in enumerate(inputs)]
    token = REQUEST.set(request)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return skl2onnx.to_onnx(
                in_registered_class(model),
                initial_types=types,
                target_opset=opset or newest_opset(),
                options=_by_estimator(model, skl2onnx_options) or None,
            )
    except (MissingConverter, MissingShapeCalculator) as error:
        raise OnnxExportError(
            f"{type(model).__name__} has no ONNX form: neither sklearn_deep nor skl2onnx"
            " has a converter for it."
        ) from error
    finally:
        REQUEST.reset(token)


def _by_estimator(model: Any, options: dict[Any, Any]) -> dict[Any, Any]:
    """Replace names of steps by the estimators that the options are for."""
    found = process_options(model, options) if options else {}
    return {key: value for key, value in found.items() if not isinstance(key, str)}


def _type_of(declare_inputs: Input) -> Any:
    made = TYPES[declare_inputs.dtype]([None, *declare_inputs.row_shape])
    if declare_inputs.refusal:
        made.refusal = declare_inputs.refusal
    return made
