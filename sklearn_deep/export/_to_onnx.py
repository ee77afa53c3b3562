"""A fitted estimator to one ONNX file, compared with it before it is written."""

import os
import warnings
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from sklearn.base import is_classifier, is_regressor
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from sklearn_deep._version import __version__
from sklearn_deep.exceptions import OnnxExportError, OnnxFileError, OnnxParityError
from sklearn_deep.export._metadata import make_card, write_card
from sklearn_deep.export.graph._graph import rename_values
from sklearn_deep.export.inputs._declared import Input, as_rows, declared
from sklearn_deep.export.inputs._missing_mark import choose_mark, is_looked_up
from sklearn_deep.export.inputs._probe import predict_error
from sklearn_deep.export.parity._compare import check_parity
from sklearn_deep.export.skl2onnx._convert import convert_by_skl2onnx, newest_opset
from sklearn_deep.export.skl2onnx._converters import (
    DEFAULTS,
    OPTIONS,
    is_by_step,
    is_multi_output,
    is_multilabel,
)
from sklearn_deep.export.skl2onnx._registration import register
from sklearn_deep.export.sklearn._composition import final
from sklearn_deep.export.sklearn._unseen_missing import unseen_missing
from sklearn_deep.serving._guard import check_graph
from sklearn_deep.serving._metadata import with_checksum

OLDEST_OPSET = 17


class OnnxExport:
    """An ONNX model, and the receipt that it predicts what the estimator predicts.

    Parameters
    ----------
    model : onnx.ModelProto
        The model; its metadata holds the receipt too.
    receipt : dict
        ``"differences"``: largest difference of each output, and that relative to
        the output's scale; ``"rows"`` and ``"edge_rows"``: number of rows that were
        compared, given and made up; ``"ties"``: rows whose two best classes are
        nearer than the tolerance, so that either label is right; ``"tolerance"``;
        ``"versions"``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> export = to_onnx(MLPClassifier(random_state=0).fit(X, y), X)
    >>> [out.name for out in export.model.graph.output]
    ['label', 'probabilities']
    >>> export.receipt["rows"]
    150
    """

    def __init__(self, model, receipt):
        self.model = model
        self.receipt = receipt
        self._content = with_checksum(model.SerializeToString())

    def to_bytes(self):
        """Give the content of the file.

        Returns
        -------
        content : bytes
            The model, and a digest of it that its readers check.
        """
        return self._content

    def save(self, path):
        """Write the file, whole or not at all.

        Parameters
        ----------
        path : str or os.PathLike
            The file.

        Returns
        -------
        self : OnnxExport
            The export.
        """
        path = Path(path)
        beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with open(beside, "wb") as file:
                file.write(self._content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        return self

    def __repr__(self):
        """Name the outputs, the size, and the largest difference."""
        outputs = ", ".join(out.name for out in self.model.graph.output)
        worst = max(d["relative"] for d in self.receipt["differences"].values())
        return (
            f"OnnxExport({outputs}; {len(self._content) / 1024:.1f} KiB; largest"
            f" difference {worst:.1e} of the output's scale on"
            f" {self.receipt['rows']} + {self.receipt['edge_rows']} rows)"
        )


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
):
    """Export a fitted estimator, Pipeline or search as one ONNX model.

    The model is run by onnxruntime on the rows of ``X``, and on rows made up for the
    purpose: a single one, and with unseen categories and missing values where the
    estimator takes them. Unless it predicts what the estimator predicts, an error
    says which step differs, and nothing is written.

    Parameters
    ----------
    model : fitted estimator
        A network of this package, or a Pipeline, search or meta-estimator around one;
        a transformer too, such as an autoencoder or ``NetworkFeatures``.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features), or \
            array of shape (n_samples, ...)
        Rows like those to come: they decide the types of the inputs, and are
        compared. A frame gives one named input for each column that the pipeline
        reads, of shape (n, 1); other columns may hold anything, and may be absent
        where ``predict`` does without them. An array gives one input ``"X"`` of its
        own shape; an object array whose columns differ in kind one input for each
        column that is read, ``"x0"``, ``"x1"``, ... Floats of 32 bits give a network of 32
        bits, half the size of the one for 64; onnxruntime has convolutions for 32 bits
        only, so networks with such layers compute in these anyway.
    path : str or os.PathLike, default=None
        File to write; nothing is written with None.
    tolerance : float, default=1e-5
        Largest difference allowed, as a share of the output's scale: 1 for
        probabilities, the largest absolute prediction for a regressor.
    target_opset : int, default=None
        Version of the ONNX operator set, from 17; the newest that skl2onnx writes by
        default.
    dtype : {None, "float32", "float64"}, default=None
        Type in which networks compute. By default that of ``predict``, or float32
        where their input has it.
    options : dict, default=None
        As those of skl2onnx: ``"zipmap"`` (False by default here: probabilities are
        one array; True, ``"columns"``), ``"nocl"``, ``"output_class_labels"``,
        ``"raw_scores"``; ``"return_std"`` (True by default) for the gaussian loss.
    doc_string : str, default=None
        Description to store in the model.

    Returns
    -------
    export : OnnxExport
        The model and its receipt.

    Raises
    ------
    OnnxExportError
        For an estimator or a step that has no ONNX form; the message names it. Also for
        a version of skl2onnx that this does not work with.
    OnnxParityError
        Where the predictions differ by more than ``tolerance``.

    See Also
    --------
    OnnxClassifier : Reads the file of a classifier, without torch.
    OnnxRegressor : Reads the file of a regressor, without torch.
    OnnxTransformer : Reads the file of a transformer, without torch.

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
    register()
    _check_arguments(model, tolerance, target_opset, dtype)
    X = as_rows(model, X)
    _check_labels(model, X)
    own, theirs = _split_options(options)
    inputs = declared(model, X)
    mark = choose_mark(model, X)
    request = {"options": {"zipmap": False, **own}, "dtype": dtype, "missing": mark}
    write = partial(_written, model, X, inputs, theirs, target_opset, doc_string)
    proto, card = write(request)
    try:
        card["receipt"] = check_parity(model, X, proto, card, tolerance)
    except OnnxParityError as error:
        # Perhaps only made-up rows differ: then the file refuses such rows.
        columns = unseen_missing(model, X)
        try:
            proto, card = write({**request, "refuse_missing": columns})
            card["receipt"] = check_parity(model, X, proto, card, tolerance, columns)
        except Exception:  # the first difference is to be told, whatever happens here
            raise error from None
    write_card(proto, card)
    onnx.checker.check_model(proto, full_check=True)
    export = OnnxExport(proto, card["receipt"])
    _warn_of_readers(export)
    if path is not None:
        export.save(path)
    return export


def _written(
    model: Any,
    X: Any,
    inputs: list[Input],
    theirs: dict[Any, Any],
    opset: int | None,
    doc_string: str | None,
    request: dict[str, Any],
) -> tuple[Any, dict[str, Any]]:
    """Write the model with its card, which has no receipt yet."""
    proto = convert_by_skl2onnx(model, inputs, request, theirs, opset)
    used = _give_names(proto, inputs)
    chosen = {**DEFAULTS, **request["options"]}
    card = make_card(model, X, used, [out.name for out in proto.graph.output], chosen)
    mark = request["missing"]
    card |= {"missing": mark, "missing_is_looked_up": is_looked_up(proto, mark)}
    _describe(proto, model, doc_string)
    _type_foreign_outputs(proto)
    return proto, card


def _warn_of_readers(export: OnnxExport) -> None:
    try:
        check_graph(export.to_bytes())
    except OnnxFileError as error:
        warnings.warn(
            "sklearn_deep's readers will take this file with verify=False only; a layer or"
            f" a converter of your own is not made of known operators. {error}",
            UserWarning,
            stacklevel=3,
        )


def _check_arguments(model: Any, tolerance: Any, opset: Any, dtype: Any) -> None:
    check_is_fitted(model)
    does = is_classifier(model) or is_regressor(model) or hasattr(model, "transform")
    if not does:
        kind = get_tags(model).estimator_type
        raise OnnxExportError(
            f"{type(model).__name__}"
            f"{f' is an estimator of the kind {kind!r}' if kind else ''} without a"
            " transform: to_onnx takes classifiers, regressors and transformers,"
            " clusterers that transform among them, and Pipelines or searches around"
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
    """Refuse classifiers of scikit-learn that give several labels a row in one array."""
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
            f"{type(final(model)).__name__} has no ONNX form for several labels a row."
            " Put it into a MultiOutputClassifier or a OneVsRestClassifier, or use a"
            " network."
        )


def _split_options(options: Any) -> tuple[dict[str, Any], dict[Any, Any]]:
    """Options of the outputs, and those that skl2onnx has for single steps."""
    own: dict[str, Any] = {}
    theirs: dict[Any, Any] = {}
    for key, value in (options or {}).items():
        if key in OPTIONS:
            if value not in OPTIONS[key]:
                raise ValueError(
                    f"The option {key!r} must be one of {OPTIONS[key]}; got {value!r}."
                )
            own[key] = value
        elif isinstance(key, str) and "__" not in key:
            raise ValueError(
                f"There is no option {key!r}; those there are: {', '.join(OPTIONS)}."
            )
        else:
            theirs[key] = value
    return own, theirs


def _give_names(proto: Any, inputs: list[Input]) -> list[Input]:
    """Name the inputs as the columns, and drop those that nothing uses."""
    graph = proto.graph
    read = {name for node in graph.node for name in node.input}
    used = [i for k, i in enumerate(inputs) if f"input_{k}" in read]
    for i in used:
        if i.refusal:
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
    for node in graph.node:  # nothing inside may have a column's name
        names.update(
            {n: f"{n}/inner" for n in node.output if n not in names and n in taken}
        )
    rename_values(graph, names)
    return used


def _type_foreign_outputs(proto: Any) -> None:
    """Say what operators of onnxruntime give, which onnx itself does not know.

    Its inference of types reads that of every input, and crashes where there is none.
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
        " The metadata entry 'sklearn_deep' says how to feed it and how it was checked."
    )
