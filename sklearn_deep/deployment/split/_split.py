"""A fitted pipeline as two ONNX files."""

import math
from numbers import Integral
from typing import Any

import numpy as np
import onnx

from sklearn_deep.deployment.split._costs import Link
from sklearn_deep.deployment.split._report import check_bits, report_on
from sklearn_deep.deployment.split._result import OnnxSplit
from sklearn_deep.deployment.split._scores import Scores
from sklearn_deep.deployment.split._whole import Whole
from sklearn_deep.exceptions import OnnxParityError
from sklearn_deep.export.graph._runtime import open_session
from sklearn_deep.export.halves._cuts import Cut, Feeds, outputs_of
from sklearn_deep.export.halves._halves import Halves
from sklearn_deep.export.parity._compare import check_parity

_BLOCK = 1024  # rows that are compared at once


def split(
    model,
    X,
    y=None,
    *,
    at="auto",
    bits=None,
    client_path=None,
    server_path=None,
    max_client_bytes=None,
    scoring=None,
    bandwidth=1e6,
    latency=0.02,
    client_factor=4.0,
    server_factor=1.0,
    tolerance=1e-5,
):
    """Cut a fitted pipeline into a client's and a server's ONNX file.

    The client preprocesses rows, computes the first layers, refuses the rows that the
    pipeline refuses, and sends one array; the server computes the rest. Both halves
    together are compared with the estimator before they are returned.

    Parameters
    ----------
    model : fitted estimator
        A classifier or regressor that :func:`to_onnx` accepts: a network, or a Pipeline,
        search or meta-estimator.
    X : {array-like, DataFrame} of shape (n_samples, n_features) or (n_samples, ...)
        Rows like those to predict: the halves are compared on them, and with ``bits=8``
        the range of what crosses is learnt from 1,024 of them.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets, for the scores in the receipt; None takes the predictions of the whole.
    at : int or str, default="auto"
        Where to cut: an index or a name in ``layers_``, after which the client's half
        ends; or "auto", the place with the smallest time for a row by
        :func:`split_report`. Times vary a little between runs.
    bits : {None, 8}, default=None
        8 rounds floats that cross to 8-bit integers, a fourth or an eighth of their size;
        the receipt has the scores with and without. None lets them cross as they are.
    client_path, server_path : str or os.PathLike, default=None
        Files to write; None writes no file.
    max_client_bytes : int, default=None
        Largest file of the client, for ``at="auto"``.
    scoring : str, callable or None, default=None
        Scorer for the receipt; None for accuracy or R^2.
    bandwidth : float, default=1e6
        Bytes per second from the client to the server, for ``at="auto"``.
    latency : float, default=0.02
        Seconds from a request to its answer, without computation and transfer.
    client_factor, server_factor : float, default=4.0 and 1.0
        How many times slower than this machine the client and the server are.
    tolerance : float, default=1e-5
        Largest difference from the estimator, relative to the output's scale. With
        ``bits=8`` it holds for the whole, and the receipt has the difference of the
        halves.

    Returns
    -------
    halves : OnnxSplit
        Both files and their receipt.

    Raises
    ------
    OnnxExportError
        If the model has no ONNX form, or no single array connects its inputs and its
        predictions.
    OnnxParityError
        If the predictions differ by more than ``tolerance``.
    ValueError
        If there is no such layer.

    See Also
    --------
    split_report : List every place to cut at.
    SplitClassifier : Predicts with the client's file and a server.
    SplitRegressor : The same for a regressor.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_deep import MLPClassifier, split
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier((16, 4), max_epochs=5, random_state=0)
    >>> pipe = make_pipeline(StandardScaler(), net).fit(X, y)
    >>> halves = split(pipe, X, at="relu_2", bits=8)
    >>> halves.receipt["row_bytes"]
    4
    """
    link = Link(bandwidth, latency, client_factor, server_factor)
    link.check("split")
    check_bits("split", bits)
    whole = Whole.of(model, X, tolerance)
    cut = _chosen(whole, at, bits, link, max_client_bytes)
    found = _compared(whole, cut, bits, Scores(whole, y, scoring), tolerance)
    for half, path in ((found.client, client_path), (found.server, server_path)):
        if path is not None:
            half.save(path)
    return found


def _chosen(
    whole: Whole, at: Any, bits: int | None, link: Link, max_client_bytes: int | None
) -> Cut:
    """The cut that the user asks for, or the fastest one."""
    names = whole.names
    if at == "auto":
        at = report_on(whole, bits, link, None).best_within(max_client_bytes)
    if isinstance(at, str) and at in names:
        return whole.cuts[names.index(at)]
    is_index = isinstance(at, Integral) and not isinstance(at, bool)
    if is_index and -len(names) <= at < len(names):
        return whole.cuts[at]
    raise ValueError(
        f"at must be 'auto', the name of a layer or an index below {len(names)}; got"
        f" {at!r}. {type(whole.model).__name__} can be cut after {', '.join(names)}."
    )


def _compared(
    whole: Whole, cut: Cut, bits: int | None, scores: Scores, tolerance: float
) -> OnnxSplit:
    """Both files of a cut, compared with the estimator and with the whole."""
    rounded = cut.quantizes(bits)
    halves, *_ = whole.halves(cut, bits)
    receipt = check_parity(
        whole.model,
        whole.X,
        halves.joined,
        whole.metadata,
        math.inf if rounded else tolerance,
    )
    receipt |= {
        "tolerance": None if rounded else tolerance,
        "at": cut.layer,
        "bits": bits,
        "row_bytes": cut.row_bytes(bits),
        "score": scores.of(halves.joined),
        "whole_score": scores.whole,
    }
    halves, client, server = whole.halves(cut, bits, receipt)
    _check_apart(halves, whole, tolerance)
    for half in (client, server):
        onnx.checker.check_model(half.model, full_check=True)
    return OnnxSplit(client, server, cut.layer, whole.names, receipt)


def _check_apart(halves: Halves, whole: Whole, tolerance: float) -> None:
    """Compare both halves, each in a session of its own, with both as one graph.

    onnxruntime may fuse operators across the cut.
    """
    names = outputs_of(whole.metadata, whole.proto)
    (crossed,) = _run(halves.client, [halves.tensor], whole.feeds)
    parts = _run(halves.server, names, {halves.tensor: crossed})
    for name, part, joined in zip(
        names, parts, _run(halves.joined, names, whole.feeds), strict=True
    ):
        gap = _gap(part, joined)
        if gap > tolerance:
            raise OnnxParityError(
                f"The halves of {type(whole.model).__name__} differ from the whole by"
                f" {gap:.2g} of the scale of {name}, more than tolerance={tolerance:g}. Cut"
                " at another layer.",
                name,
                gap,
            )


def _run(proto: Any, names: list[str], feeds: Feeds) -> list[np.ndarray]:
    session = open_session(proto.SerializeToString())
    n_rows = len(next(iter(feeds.values())))
    blocks = [
        session.run(names, {k: rows[i : i + _BLOCK] for k, rows in feeds.items()})
        for i in range(0, n_rows, _BLOCK)
    ]
    return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]


def _gap(part: np.ndarray, joined: np.ndarray) -> float:
    """Largest difference relative to the scale; of labels none, as scores decide them."""
    if joined.dtype.kind != "f":
        return 0.0
    scale = np.abs(joined[np.isfinite(joined)]).max(initial=0.0) or 1.0
    with np.errstate(invalid="ignore"):
        gap = np.abs(part - joined)[~((part == joined) | np.isnan(joined))]
    return float(gap.max(initial=0.0) / scale)
