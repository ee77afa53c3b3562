"""Measurements of every place at which a pipeline can be cut."""

from typing import Any

import numpy as np

from sklearn_deep.deployment.split._costs import (
    Link,
    input_bytes,
    one_row,
    run_timed,
)
from sklearn_deep.deployment.split._scores import Scores
from sklearn_deep.deployment.split._table import ON_CLIENT, ON_SERVER, SplitReport
from sklearn_deep.deployment.split._whole import Whole


def split_report(
    model,
    X,
    y=None,
    *,
    bits=None,
    scoring=None,
    bandwidth=1e6,
    latency=0.02,
    client_factor=4.0,
    server_factor=1.0,
    tolerance=1e-5,
):
    """List every place at which :func:`split` can cut a fitted pipeline.

    Parameters
    ----------
    model : fitted estimator
        A classifier or regressor that :func:`to_onnx` accepts.
    X : {array-like, DataFrame} of shape (n_samples, n_features) or (n_samples, ...)
        Rows like those to predict: the export is compared on them, times are those of the
        first one, and ranges of 8-bit numbers are learnt from 1,024 of them.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets, for ``"score_drop"``; None takes the predictions of the whole.
    bits : {None, 8}, default=None
        8 rounds floats that cross to 8-bit integers; None lets them cross as they are.
    scoring : str, callable or None, default=None
        Scorer for ``"score_drop"``; None for accuracy or R^2.
    bandwidth : float, default=1e6
        Bytes per second from the client to the server.
    latency : float, default=0.02
        Seconds from a request to its answer, without computation and transfer.
    client_factor, server_factor : float, default=4.0 and 1.0
        How many times slower than this machine the client and the server are.
    tolerance : float, default=1e-5
        Largest difference between ONNX and the estimator, as in :func:`to_onnx`.

    Returns
    -------
    report : SplitReport
        The table.

    Raises
    ------
    OnnxExportError
        If the model has no ONNX form, or cannot be cut.

    See Also
    --------
    split : Write the halves.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, split_report
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier((16, 4), max_epochs=5, random_state=0).fit(X, y)
    >>> report = split_report(net, X.astype("float32"))
    >>> report.layers_
    ['gemm_1', 'relu_1', 'gemm_2', 'relu_2', 'gemm_3']
    >>> report.columns["row_bytes"].tolist()
    [16, 64, 64, 16, 16, 12, 0]
    """
    link = Link(bandwidth, latency, client_factor, server_factor)
    link.check("split_report")
    check_bits("split_report", bits)
    whole = Whole.of(model, X, tolerance)
    scores = None if bits is None else Scores(whole, y, scoring)
    return report_on(whole, bits, link, scores)


def check_bits(owner: str, bits: Any) -> None:
    """Raise for a number of bits that is not supported."""
    if bits not in (None, 8):
        raise ValueError(f"{owner} takes bits=8 or bits=None; got {bits!r}.")


def report_on(
    whole: Whole, bits: int | None, link: Link, scores: Scores | None
) -> SplitReport:
    """Measure every cut of an exported model."""
    feeds = one_row(whole.feeds)
    _, whole_us = run_timed(whole.proto, feeds)
    size = len(whole.export().to_bytes())
    rows = [
        _row(link, scores, 0.0, input_bytes(feeds), whole_us, (0, size)),
        *(_row_of(whole, cut, bits, link, scores) for cut in whole.cuts),
        _row(link, scores, whole_us, 0, 0.0, (size, 0)),
    ]
    # Without a server nobody waits for one.
    rows[-1]["total_us"] = link.client_factor * whole_us
    names = [ON_SERVER, *whole.names, ON_CLIENT]
    columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    return SplitReport(names, columns)


def _row_of(
    whole: Whole, cut: Any, bits: int | None, link: Link, scores: Scores | None
) -> dict[str, float]:
    halves, client, server = whole.halves(cut, bits)
    crossed, client_us = run_timed(client.model, one_row(whole.feeds))
    sent = {halves.tensor: crossed[halves.tensor]}
    _, server_us = run_timed(server.model, sent)
    drop = scores.drop(halves.joined) if scores else 0.0
    sizes = (len(client.to_bytes()), len(server.to_bytes()))
    return _row(link, scores, client_us, cut.row_bytes(bits), server_us, sizes, drop)


def _row(
    link: Link,
    scores: Scores | None,
    client_us: float,
    row_bytes: int,
    server_us: float,
    sizes: tuple[int, int],
    drop: float = 0.0,
) -> dict[str, float]:
    return {
        "row_bytes": row_bytes,
        "client_bytes": sizes[0],
        "server_bytes": sizes[1],
        "client_us": client_us,
        "server_us": server_us,
        "total_us": link.total(client_us, row_bytes, server_us),
        **({"score_drop": drop} if scores else {}),
    }
