"""From one fitted pipeline: the best file for each budget."""

import warnings
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import is_classifier, is_regressor
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted

from sklearn_deep.deployment.variants._budgets import named_budgets, unmet_note
from sklearn_deep.deployment.variants._candidates import (
    DENSE,
    Candidate,
    candidates,
)
from sklearn_deep.deployment.variants._measure import measure
from sklearn_deep.deployment.variants._result import Variants
from sklearn_deep.exceptions import ScoreDropWarning
from sklearn_deep.export._metadata import write_metadata
from sklearn_deep.export._to_onnx import OnnxExport, to_onnx
from sklearn_deep.inspection._compression_report import CompressionReport
from sklearn_deep.serving._metadata import read_metadata
from sklearn_deep.serving._variants import choose, on_front

# What a compression, its fine-tuning or its export raises for a model that it does not
# support.
_REFUSALS = (ValueError, TypeError, ArithmeticError)


def variants(
    model,
    X,
    y,
    *,
    budgets,
    folder=None,
    X_train=None,
    y_train=None,
    keep=(0.5, 0.25, 0.125),
    bits=(8,),
    fine_tune_epochs=10,
    scoring=None,
    batch_size=1,
    tolerance=1e-5,
    random_state=None,
):
    """Compress a fitted pipeline in several ways, and choose the best file for each budget.

    The model as it is, :class:`Sliced`, :class:`Quantized`, and sliced then quantized
    become ONNX files. Sizes are bytes of these files, times are measured on them, and
    scores are those of the files. What cannot be made, such as a sliced network for
    tables, is left out, and the report says why.

    Parameters
    ----------
    model : fitted estimator
        A network, a compression of one, or a Pipeline or search around either. Any other
        classifier or regressor that :func:`to_onnx` accepts has one variant, itself.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features) \
            or (n_samples, ...)
        Rows that ``model`` was not fitted on: scores are measured on them.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets of these rows.
    budgets : dict, list of dict, or dict of str to dict
        Limits: ``"bytes"`` of the file and ``"microseconds"`` per row are upper ones,
        ``"score"`` is a lower one, as in ``{"bytes": 50_000, "score": 0.9}``. Of the
        variants within a budget, the one with the highest score is chosen; if the budget
        limits the score only, the smallest one.
    folder : str or os.PathLike, default=None
        Folder for the files and their index, which a server reads; None writes nothing.
    X_train, y_train : object, default=None
        Rows and targets for fine-tuning and for the ranges of 8-bit activations. None
        takes a random half of ``X`` and ``y`` for this; scores are then measured on the
        other half.
    keep : sequence of float, default=(0.5, 0.25, 0.125)
        Fractions of the units that sliced networks keep, each in (0, 1].
    bits : sequence of {8, 7, 4}, default=(8,)
        Bits per weight of quantized networks.
    fine_tune_epochs : int, default=10
        Number of epochs of training after slicing.
    scoring : str, callable or None, default=None
        Scorer; None for accuracy or R^2.
    batch_size : int, default=1
        Number of rows per prediction that is timed, by one thread.
    tolerance : float, default=1e-5
        Largest difference between a file and its estimator, as in :func:`to_onnx`.
    random_state : int, RandomState instance or None, default=None
        Seed of the halves of ``X``. Fine-tuning uses the network's own ``random_state``.

    Returns
    -------
    found : Variants
        Files, a table, and the name of the best variant for each budget. A budget that
        no variant meets is named in the notes of the table, with the nearest variant.

    Raises
    ------
    ValueError
        If a budget or another argument is invalid.
    OnnxExportError
        If the model itself has no ONNX form, and no compression of it has one.

    See Also
    --------
    compression_report : Compare any models, in Python too.
    CompressionDisplay : Plot ``found.report``, with the Pareto front.

    Notes
    -----
    Times vary between runs and machines; those of a client may differ.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_deep import MLPClassifier, variants
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X / 16
    >>> net = MLPClassifier((64,), max_epochs=20, random_state=0).fit(X[:800], y[:800])
    >>> found = variants(
    ...     net,
    ...     X[800:],
    ...     y[800:],
    ...     X_train=X[:800],
    ...     y_train=y[:800],
    ...     budgets=[{"bytes": 20_000}, {"bytes": 100}],
    ...     keep=(0.5,),
    ... )
    >>> found.chosen["bytes <= 20,000"] in found.exports
    True
    >>> found.chosen["bytes <= 100"] is None
    True
    """
    wanted = named_budgets(budgets)
    _check_arguments(model, keep, fine_tune_epochs, batch_size, X_train, y_train)
    if X_train is None:
        X_train, X, y_train, y = _halves(model, X, y, random_state)
    tried = candidates(keep, bits, fine_tune_epochs)
    if sp.issparse(X):  # as the export makes them: a file takes dense rows
        X = X.toarray()
    exports, notes = _export_all(model, X, X_train, y_train, tried, tolerance)
    measured = [
        measure(name, export.to_bytes(), X, y, scoring, batch_size)
        for name, export in exports.items()
    ]
    chosen = _choices(measured, wanted, notes)
    found = Variants(
        report=_report(measured, batch_size, notes),
        chosen=chosen,
        exports=exports,
        measured=measured,
        about=_about(X, scoring, batch_size, wanted, notes),
    )
    return found if folder is None else found.save(folder)


def _check_arguments(
    model: Any, keep: Any, epochs: Any, batch_size: Any, X_train: Any, y_train: Any
) -> None:
    check_is_fitted(model)
    if not (is_classifier(model) or is_regressor(model)):
        raise ValueError(
            f"variants needs a classifier or a regressor; got {type(model).__name__}."
        )
    if (X_train is None) != (y_train is None):
        raise ValueError("Pass both X_train and y_train, or neither.")
    if not all(isinstance(k, (int, float)) and 0 < k <= 1 for k in keep):
        raise ValueError(f"keep must contain fractions in (0, 1]; got {keep!r}.")
    for name, value, least in [
        ("fine_tune_epochs", epochs, 0),
        ("batch_size", batch_size, 1),
    ]:
        if not isinstance(value, Integral) or value < least:
            raise ValueError(f"{name} must be an integer >= {least}; got {value!r}.")


def _halves(model: Any, X: Any, y: Any, random_state: Any) -> list[Any]:
    """A random half of the rows for compression, the other one for scores."""
    labels = np.asarray(y)
    stratified = is_classifier(model) and labels.ndim == 1
    if stratified:
        _, counts = np.unique(labels, return_counts=True)
        stratified = counts.min() >= 2
    return train_test_split(
        X,
        y,
        test_size=0.5,
        random_state=random_state,
        stratify=y if stratified else None,
    )


def _export_all(
    model: Any,
    X: Any,
    X_train: Any,
    y_train: Any,
    tried: list[Candidate],
    tolerance: float,
) -> tuple[dict[str, Any], list[str]]:
    """Compress and export each candidate; notes say which ones could not be made."""
    models: dict[str, Any] = {}
    exports: dict[str, Any] = {}
    reasons: dict[str, Exception] = {}
    for candidate in tried:
        source = candidate.source or candidate.name
        if source in reasons and source != DENSE:
            continue  # the reason is that of its source
        try:
            with warnings.catch_warnings():
                # The report has the score that the warning would name.
                warnings.simplefilter("ignore", ScoreDropWarning)
                made = candidate.make(models.get(source, model), X_train, y_train)
            models[candidate.name] = made
            export = to_onnx(made, X, tolerance=tolerance)
            exports[candidate.name] = _without_fields(export) if exports else export
        except _REFUSALS as error:
            reasons[candidate.name] = error
    if not exports:
        raise reasons[DENSE]
    return exports, _notes(reasons)


def _without_fields(export: OnnxExport) -> OnnxExport:
    """Leave out the description of columns for forms: kilobytes of a small file.

    A server shows the form of the first file.
    """
    props = {entry.key: entry.value for entry in export.model.metadata_props}
    write_metadata(export.model, {**read_metadata(props), "fields": None})
    return OnnxExport(export.model, export.receipt)


def _notes(reasons: dict[str, Exception]) -> list[str]:
    """One note per reason, with the names of all candidates that it holds for."""
    names: dict[str, list[str]] = {}
    for name, error in reasons.items():
        names.setdefault(str(error), []).append(name)
    return [f"{', '.join(of)}: {reason}" for reason, of in names.items()]


def _choices(
    measured: list[Any], wanted: dict[str, Any], notes: list[str]
) -> dict[str, str | None]:
    """Name of the best variant for each budget; a note for one that none meets."""
    chosen: dict[str, str | None] = {}
    for name, budget in wanted.items():
        best = choose(measured, budget)
        chosen[name] = best.name if best else None
        if best is None:
            notes.append(unmet_note(name, budget, measured))
    return chosen


def _report(measured: list[Any], batch_size: int, notes: list[str]) -> Any:
    columns = {
        "score": np.array([v.score for v in measured]),
        "onnx_bytes": np.array([v.bytes for v in measured]),
        f"onnx_us_{batch_size}": np.array([v.microseconds for v in measured]),
        "front": np.array(on_front(measured)).astype(int),
    }
    return CompressionReport([v.name for v in measured], columns, notes)


def _about(
    X: Any, scoring: Any, batch_size: int, wanted: dict[str, Any], notes: list[str]
) -> dict[str, Any]:
    return {
        "rows": int(X.shape[0] if hasattr(X, "shape") else len(X)),
        "scoring": scoring and str(getattr(scoring, "__name__", scoring)),
        "batch_size": int(batch_size),
        "budgets": wanted,
        "notes": notes,
    }
