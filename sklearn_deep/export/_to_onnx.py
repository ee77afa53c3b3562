"""Export of a fitted estimator to one ONNX file, compared with it before it is written."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import onnx
from sklearn.base import is_classifier, is_regressor
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from sklearn_deep._version import __version__
from sklearn_deep.exceptions import OnnxExportError, OnnxFileError, OnnxParityError
from sklearn_deep.export._fields import describe_fields
from sklearn_deep.export._metadata import make_metadata, write_metadata
from sklearn_deep.export._onnx_export import OnnxExport
from sklearn_deep.export._ort_format import convert_to_ort
from sklearn_deep.export.graph._graph import NO_INPUT, rename_values
from sklearn_deep.export.inputs._declared import Input, as_rows, declare_inputs
from sklearn_deep.export.inputs._placeholder import choose_placeholder, is_lookup_key
from sklearn_deep.export.inputs._probe import predict_error
from sklearn_deep.export.parity._compare import check_parity
from sklearn_deep.export.skl2onnx._convert import convert_by_skl2onnx, newest_opset
from sklearn_deep.export.skl2onnx._converters import (
    DEFAULTS,
    OPTIONS,
    REFUSED,
    is_by_step,
    is_multi_output,
    is_multilabel,
    predicts_several,
)
from sklearn_deep.export.skl2onnx._registration import register
from sklearn_deep.export.sklearn._composition import final_estimator
from sklearn_deep.export.sklearn._unseen_missing import unseen_missing
from sklearn_deep.serving._guard import check_graph
from sklearn_deep.serving._metadata import with_checksum

OLDEST_OPSET = 17


def to_onnx(
    model,
    X,
    path=None,
    *,
    tolerance=1e-5,
    target_opset=None,
    dtype=None,
    options=None,
    doc_string=None,
    format="onnx",
):
    """Export a fitted estimator, Pipeline or search as one ONNX model.

    The predictions of onnxruntime are compared with those of the estimator, on the rows
    of ``X`` and on generated rows: a single row, and rows with unseen categories and
    missing values if the estimator accepts them. If they differ, an error names the
    first step that differs, and no file is written.

    Parameters
    ----------
    model : fitted estimator
        A network of this package, or a Pipeline, search or meta-estimator around one.
        Transformers can be exported too, such as autoencoders and ``NetworkFeatures``.
        A ``MultiTask`` has an output for each task, under its name.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features), or \
            array of shape (n_samples, ...)
        Rows like those to predict later. They determine the types of the inputs, and
        are used for the comparison. A frame gives one named input of shape (n, 1) for
        each column that the pipeline reads; other columns may contain anything, and may
        be missing if ``predict`` does not need them. An array gives one input ``"X"`` of
        its shape; an object array with columns of different types gives one input for
        each column that is read, ``"x0"``, ``"x1"``, ... float32 rows give a float32
        network, half the size of a float64 one. onnxruntime has convolutions in float32
        only, so networks with such layers always compute in float32.
    path : str or os.PathLike, default=None
        File to write; None writes no file.
    tolerance : float, default=1e-5
        Largest allowed difference, relative to the output's scale: 1 for
        probabilities, the largest absolute prediction for a regressor.
    target_opset : int, default=None
        Version of the ONNX operator set, at least 17; by default the newest that
        skl2onnx writes.
    dtype : {None, "float32", "float64"}, default=None
        Floating-point type in which networks compute. By default that of ``predict``,
        or float32 if their input is float32.
    options : dict, default=None
        Options as in skl2onnx: ``"zipmap"`` (False by default here: probabilities are
        one array; True, ``"columns"``), ``"nocl"``, ``"output_class_labels"``,
        ``"raw_scores"``; ``"return_std"`` (True by default) for the gaussian loss.
    doc_string : str, default=None
        Description to store in the model.
    format : {"onnx", "ort"}, default="onnx"
        ``"ort"`` is onnxruntime's own format, which its builds for devices read; the
        export's ``list_operators`` says what such a build needs. The file is compared with
        the estimator too. It holds the same metadata and a checksum, and only onnxruntime
        reads it: whether its operators terminate cannot be verified, so that the readers
        of this package take it with ``verify=False`` only.

    Returns
    -------
    export : OnnxExport
        The model and its receipt.

    Raises
    ------
    OnnxExportError
        If an estimator or a step has no ONNX form; the message names it.
    UnsupportedVersionError
        If the installed version of an ONNX library does not work.
    OnnxParityError
        If the predictions differ by more than ``tolerance``.

    See Also
    --------
    OnnxClassifier : Reads the file of a classifier, without torch.
    OnnxRegressor : Reads the file of a regressor, without torch.
    OnnxTransformer : Reads the file of a transformer, without torch.
    OnnxMultiTask : Reads the file of a ``MultiTask``, without torch.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_deep import MLPClassifier, OnnxClassifier, to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> pipe = make_pipeline(StandardScaler(), MLPClassifier(random_state=0))
    >>> export = to_onnx(pipe.fit(X, y), X)
    >>> export.receipt["differences"]["predict_proba"]["largest"] < 1e-12
    True
    >>> OnnxClassifier(export.to_bytes()).predict(X[:1])
    array([0])
    """
    proto, metadata = convert_compared(
        model,
        X,
        tolerance=tolerance,
        target_opset=target_opset,
        dtype=dtype,
        options=options,
        doc_string=doc_string,
        file_format=format,
    )
    write_metadata(proto, metadata)
    onnx.checker.check_model(proto, full_check=True)
    _warn_if_unverifiable(proto)
    export = OnnxExport(proto, metadata["receipt"], format)
    if path is not None:
        export.save(path)
    return export


def convert_compared(
    model: Any,
    X: Any,
    *,
    tolerance: float = 1e-5,
    target_opset: int | None = None,
    dtype: Any = None,
    options: Any = None,
    doc_string: str | None = None,
    file_format: str = "onnx",
    refusals_apart: bool = False,
) -> tuple[Any, dict[str, Any]]:
    """Convert a fitted estimator, compare both, and make the metadata of the file.

    Parameters are those of :func:`to_onnx`. With ``refusals_apart`` refused rows do not
    have outputs of NaN: an output of booleans, (n,), marks them.
    """
    register()
    _check_arguments(model, tolerance, target_opset, dtype)
    _check_format(file_format)
    X = as_rows(model, X)
    _check_labels(model, X)
    output_options, skl2onnx_options = _split_options(options)
    request = {
        "options": {"zipmap": False, **output_options},
        "dtype": dtype,
        "missing": choose_placeholder(model, X),
        "refusals_apart": refusals_apart,
    }
    inputs = declare_inputs(model, X)
    write = partial(
        _write_model, model, X, inputs, skl2onnx_options, target_opset, doc_string
    )
    compare = partial(_compare, model, X, tolerance, file_format)
    proto, metadata = _write_compared(model, X, write, request, compare)
    metadata["fields"] = describe_fields(model, X, proto, metadata)
    return proto, metadata


def _write_compared(
    model: Any,
    X: Any,
    write: Callable[[dict[str, Any]], tuple[Any, dict[str, Any]]],
    request: dict[str, Any],
    compare: Callable[..., dict[str, Any]],
) -> tuple[Any, dict[str, Any]]:
    """Convert the model, compare it, and add the receipt to its metadata.

    If only generated rows with missing values differ, the file refuses such rows.
    """
    proto, metadata = write(request)
    try:
        metadata["receipt"] = compare(proto, metadata)
    except OnnxParityError as error:
        columns = unseen_missing(model, X)
        try:
            proto, metadata = write({**request, "refuse_missing": columns})
            metadata["receipt"] = compare(proto, metadata, columns)
        except Exception:  # the first error must be reported in any case
            raise error from None
    return proto, metadata


def _compare(
    model: Any,
    X: Any,
    tolerance: float,
    file_format: str,
    proto: Any,
    metadata: dict[str, Any],
    refused_missing: Sequence[int] = (),
) -> dict[str, Any]:
    """Compare the model with its estimator, and also a file in onnxruntime's format."""
    case = model, X, proto, metadata, tolerance, refused_missing
    receipt = check_parity(*case)
    if file_format == "ort":
        of_file = check_parity(*case, content=convert_to_ort(proto.SerializeToString()))
        receipt["ort"] = of_file["differences"]
    return receipt


def _write_model(
    model: Any,
    X: Any,
    inputs: list[Input],
    skl2onnx_options: dict[Any, Any],
    opset: int | None,
    doc_string: str | None,
    request: dict[str, Any],
) -> tuple[Any, dict[str, Any]]:
    """Convert the model, and make its metadata without the receipt."""
    proto = convert_by_skl2onnx(model, inputs, request, skl2onnx_options, opset)
    used = _give_names(proto, inputs)
    chosen = {**DEFAULTS, **request["options"]}
    metadata = make_metadata(
        model, X, used, [out.name for out in proto.graph.output], chosen
    )
    placeholder = request["missing"]
    if request["refusals_apart"]:
        metadata["refusals"] = {"name": REFUSED, "form": "tensor"}
    metadata |= {
        "missing": placeholder,
        "missing_is_looked_up": is_lookup_key(proto, placeholder),
    }
    _describe(proto, model, doc_string)
    _type_foreign_outputs(proto)
    return proto, metadata


def _warn_if_unverifiable(proto: Any) -> None:
    try:
        check_graph(with_checksum(proto.SerializeToString()))
    except OnnxFileError as error:
        warnings.warn(
            "The readers of sklearn_deep accept this file with verify=False only, because a"
            f" layer or converter of your own uses other operators. {error}",
            UserWarning,
            stacklevel=3,
        )


def _check_format(file_format: Any) -> None:
    if file_format not in ("onnx", "ort"):
        raise ValueError(f"format must be 'onnx' or 'ort'; got {file_format!r}.")


def _check_arguments(model: Any, tolerance: Any, opset: Any, dtype: Any) -> None:
    check_is_fitted(model)
    does = is_classifier(model) or is_regressor(model) or hasattr(model, "transform")
    does = does or predicts_several(model)
    if not does:
        kind = get_tags(model).estimator_type
        raise OnnxExportError(
            f"{type(model).__name__}"
            f"{f' is an estimator of type {kind!r}' if kind else ''} without a"
            " transform: to_onnx accepts classifiers, regressors and transformers,"
            " including clusterers that transform, and Pipelines or searches around"
            " them."
        )
    newest = newest_opset()
    if opset is not None and not OLDEST_OPSET <= opset <= newest:
        raise ValueError(
            f"target_opset must be from {OLDEST_OPSET} to {newest}, the newest that"
            f" skl2onnx {version('skl2onnx')} writes; got {opset!r}."
        )
    if dtype not in (None, "float32", "float64"):
        raise ValueError(f"dtype must be None, 'float32' or 'float64'; got {dtype!r}.")
    if not tolerance >= 0:
        raise ValueError(f"tolerance must be 0 or more; got {tolerance!r}.")


def _check_labels(model: Any, X: Any) -> None:
    """Raise for classifiers of scikit-learn that predict several labels in one array."""
    if not is_classifier(model) or is_by_step(model):
        return
    if is_multilabel(model) or is_multi_output(model):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        several = (
            predict_error(model, X[:1]) is None and np.ndim(model.predict(X[:1])) == 2
        )
    if several:
        raise OnnxExportError(
            f"{type(final_estimator(model)).__name__} has no ONNX form for several labels per row."
            " Wrap it in a MultiOutputClassifier or a OneVsRestClassifier, or use a"
            " network."
        )


def _split_options(options: Any) -> tuple[dict[str, Any], dict[Any, Any]]:
    """Split options into those of the outputs, and those of single steps for skl2onnx."""
    output_options: dict[str, Any] = {}
    skl2onnx_options: dict[Any, Any] = {}
    for key, value in (options or {}).items():
        if key in OPTIONS:
            if value not in OPTIONS[key]:
                raise ValueError(
                    f"The option {key!r} must be one of {OPTIONS[key]}; got {value!r}."
                )
            output_options[key] = value
        elif isinstance(key, str) and "__" not in key:
            raise ValueError(
                f"There is no option {key!r}; available options: {', '.join(OPTIONS)}."
            )
        else:
            skl2onnx_options[key] = value
    return output_options, skl2onnx_options


def _give_names(proto: Any, inputs: list[Input]) -> list[Input]:
    """Rename the inputs to the columns' names, and drop unused inputs."""
    graph = proto.graph
    read = {name for node in graph.node for name in node.input}
    used = [i for k, i in enumerate(inputs) if f"input_{k}" in read]
    for i in used:
        if i.refusal and i.dtype == NO_INPUT:
            raise OnnxExportError(i.refusal)
    kept = [info for info in graph.input if info.name in read]
    del graph.input[:]
    graph.input.extend(kept)
    taken = {i.name for i in used}
    names = {f"input_{k}": i.name for k, i in enumerate(inputs)}
    for out in graph.output:
        names[out.name] = out.name
        while names[out.name] in taken:
            names[out.name] = "output_" + names[out.name]
    taken.update(names.values())
    for node in graph.node:  # inner values must not have a column's name
        names.update(
            {n: f"{n}/inner" for n in node.output if n not in names and n in taken}
        )
    rename_values(graph, names)
    return used


def _type_foreign_outputs(proto: Any) -> None:
    """Declare the output types of onnxruntime's own operators, which onnx does not know.

    onnx's type inference reads the type of every input, and crashes if one is missing.
    """
    for node in proto.graph.node:
        if node.op_type == "Tokenizer":
            proto.graph.value_info.append(
                onnx.helper.make_tensor_value_info(
                    node.output[0], onnx.TensorProto.STRING, None
                )
            )


def _describe(proto: Any, model: Any, doc_string: str | None) -> None:
    proto.producer_name = "sklearn_deep"
    proto.producer_version = __version__
    proto.domain = "sklearn_deep"
    proto.graph.name = type(model).__name__
    proto.doc_string = doc_string or (
        f"{type(model).__name__}, exported by sklearn_deep {__version__}."
        " The metadata entry 'sklearn_deep' describes the inputs, outputs and comparison."
    )
