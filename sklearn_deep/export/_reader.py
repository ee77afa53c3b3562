"""Estimators over an exported file: onnxruntime, and neither torch nor skorch."""

import os
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if

from sklearn_deep._params import (
    BOOLEAN,
    NONE,
    InstanceOf,
    Number,
    Rules,
    check_params,
)
from sklearn_deep.exceptions import MissingDependencyError, OnnxFileError
from sklearn_deep.export._feeds import make_feeds
from sklearn_deep.export._file import check_framing, check_seal, read_card


class _Opened:
    """A file in memory, its card, and the session that runs it."""

    def __init__(self, content: bytes, n_threads: int | None, verify: bool) -> None:
        check_framing(content)
        if verify:
            check_seal(content)
        self.content = content
        self.session = _start(content, n_threads)
        self.card = read_card(self.session.get_modelmeta().custom_metadata_map)
        self._check_names()

    def _check_names(self) -> None:
        """Hold the card against the graph."""
        there = {
            "inputs": {info.name for info in self.session.get_inputs()},
            "outputs": {info.name for info in self.session.get_outputs()},
        }
        named = {
            "inputs": {part["name"] for part in self.card["inputs"]},
            "outputs": {
                name
                for role in self.card["outputs"].values()
                for name in role.get("names", [role["name"]])
            },
        }
        for kind in ("inputs", "outputs"):
            lost = sorted(named[kind] - there[kind])
            if lost:
                raise OnnxFileError(
                    f"The model lacks the {kind} {lost!r} that its card names; it has"
                    f" {sorted(there[kind])!r}. It was changed after the export: export"
                    " it again."
                )

    def run(self, role: dict[str, Any], X: Any) -> Any:
        """Compute one output, or the several that it is made of."""
        feeds = make_feeds(X, self.card)
        names = role.get("names", [role["name"]])
        return self.session.run(names, feeds)


def _start(content: bytes, n_threads: int | None) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "Reading an ONNX model", "onnxruntime", "onnx"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors come as exceptions
    if n_threads is not None:
        options.intra_op_num_threads = n_threads
        options.inter_op_num_threads = n_threads
    try:
        return onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its classes share no base but this
        raise OnnxFileError(
            f"onnxruntime {onnxruntime.__version__} cannot read the model: {error}"
        ) from error


class _OnnxEstimator(BaseEstimator):
    """What both readers share: the file is opened at its first use."""

    _rules: ClassVar[Rules] = {
        "model": (InstanceOf((str, os.PathLike, bytes), "a path or bytes"),),
        "n_threads": (NONE, Number(Integral, 1)),
        "verify": (BOOLEAN,),
    }
    _task: ClassVar[str]

    def __init__(self, model, *, n_threads=None, verify=True):
        self.model = model
        self.n_threads = n_threads
        self.verify = verify

    def fit(self, X, y=None, **params):
        """Refuse: there is nothing to learn.

        Raises
        ------
        TypeError
            Always. Meta-estimators that call ``fit`` take the reader inside a
            :class:`sklearn.frozen.FrozenEstimator`.
        """
        raise TypeError(
            f"{type(self).__name__} predicts with a model read from a file and cannot be"
            " fitted. Where a meta-estimator calls fit, wrap it in a"
            " sklearn.frozen.FrozenEstimator."
        )

    def __sklearn_is_fitted__(self):
        """Tell that it can predict at once."""
        return True

    # The open file. It is kept with the parameters that it was opened by.

    @property
    def _file(self) -> _Opened:
        by = (self.model, self.n_threads, self.verify)
        kept = self.__dict__.get("_kept")
        if kept is None or any(a is not b for a, b in zip(kept[0], by, strict=True)):
            check_params(self, self._rules)
            content = self.__dict__.get("_content")
            if content is None or content[0] is not self.model:
                content = self.model, _read(self.model)
            opened = _Opened(content[1], self.n_threads, self.verify)
            self._check_task(opened.card)
            kept = by, opened
            self._kept, self._content = kept, content
        return kept[1]

    def _check_task(self, card: dict[str, Any]) -> None:
        if card["task"] != self._task:
            other = {"classifier": "OnnxClassifier", "regressor": "OnnxRegressor"}
            raise OnnxFileError(
                f"The file holds a {card['task']} ({card['estimator']}); read it with"
                f" sklearn_deep.{other[card['task']]}."
            )

    def __getstate__(self):
        """Give the parameters and the content of the file, so that no path is needed."""
        _ = self._file
        state = dict(super().__getstate__())
        state.pop("_kept", None)
        state["_content"] = self._content[1]
        return state

    def __setstate__(self, state):
        """Take the content for that of ``model``."""
        state = dict(state)
        content = state.pop("_content")
        super().__setstate__(state)
        self._content = self.model, content

    def __deepcopy__(self, memo):
        """Copy the parameters; the content is never changed and is shared."""
        fresh = type(self)(**self.get_params(deep=False))
        fresh.__setstate__(self.__getstate__())
        return fresh

    # What is known of the estimator.

    @property
    def n_features_in_(self):
        """Number of features."""
        return self._file.card["n_features_in"]

    @property
    def feature_names_in_(self):
        """Names of the features, where the estimator was fitted on a frame."""
        names = self._file.card["feature_names_in"]
        if names is None:
            raise AttributeError(
                f"This {type(self).__name__} has no feature_names_in_: the estimator was"
                " exported with an array."
            )
        return np.array(names, object)

    @property
    def receipt_(self):
        """What the export was compared on, and how far it was off."""
        return self._file.card["receipt"]

    def __sklearn_tags__(self):
        """Say that strings and missing values are for the model to judge."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def __repr__(self, N_CHAR_MAX=700):
        """Name the file, or the size of the content."""
        model = self.model
        shown = f"<{len(model)} bytes>" if isinstance(model, bytes) else repr(model)
        return f"{type(self).__name__}({shown})"


def _read(model: Any) -> bytes:
    return model if isinstance(model, bytes) else Path(model).read_bytes()


def _has_output(method: str):
    def check(self) -> bool:
        outputs = self._file.card["outputs"]
        if method not in outputs:
            raise AttributeError(
                f"The model has no {method}; it has {', '.join(outputs)}."
            )
        return True

    return check


class OnnxClassifier(ClassifierMixin, _OnnxEstimator):
    """A classifier read from a file that :func:`to_onnx` wrote.

    It predicts through onnxruntime, and needs neither torch nor skorch. It is fitted
    from the start, and stands wherever a fitted classifier may.

    Parameters
    ----------
    model : str, os.PathLike or bytes
        The file, or its content.
    n_threads : int, default=None
        Threads of one prediction; None leaves it to onnxruntime.
    verify : bool, default=True
        Whether to check that the file is, to the bit, what was exported.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or a list of them
        Labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where the estimator was exported with a frame.
    receipt_ : dict
        What the export was compared on, and how far it was off.

    Raises
    ------
    OnnxFileError
        At the first use, for a file that is empty, truncated, damaged, something else
        than ONNX, not written by this package, or a regressor's.

    See Also
    --------
    to_onnx : Writes the file.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, OnnxClassifier, to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPClassifier(random_state=0).fit(X, y)
    >>> content = to_onnx(network, X).to_bytes()
    >>> reader = OnnxClassifier(content)
    >>> bool((reader.predict(X) == network.predict(X)).all())
    True
    """

    _task = "classifier"

    @property
    def classes_(self):
        """Labels, in the dtype that the estimator was fitted on."""
        classes = self._file.card["classes"]
        if isinstance(classes, list):
            return [_labels(part) for part in classes]
        return _labels(classes)

    def predict(self, X):
        """Predict labels.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Rows like those of the fit. Columns of a frame are found by name.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Labels.
        """
        opened = self._file
        (labels,) = opened.run(opened.card["outputs"]["predict"], X)
        if opened.card["multilabel"]:
            return labels
        classes = self.classes_
        if isinstance(classes, list):
            return labels.astype(np.result_type(*(c.dtype for c in classes)))
        return labels.astype(classes.dtype)

    @available_if(_has_output("predict_proba"))
    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Rows like those of the fit.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes), or a list of them
            Columns as in ``classes_``.
        """
        opened = self._file
        role = opened.card["outputs"]["predict_proba"]
        return _FORMS[role["form"]](opened.run(role, X))

    @available_if(_has_output("predict_proba"))
    def predict_log_proba(self, X):
        """Predict the logarithm of each class's probability.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Rows like those of the fit.

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes), or a list of them
            Minus infinity where the probability is 0.
        """
        p = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return [np.log(q) for q in p] if isinstance(p, list) else np.log(p)

    @available_if(_has_output("decision_function"))
    def decision_function(self, X):
        """Give the scores that the labels are decided by.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Rows like those of the fit.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes positive where the second is the better.
        """
        opened = self._file
        (scores,) = opened.run(opened.card["outputs"]["decision_function"], X)
        binary = scores.shape[1] == 2 and not opened.card["multilabel"]
        return scores[:, 1] if binary else scores

    def __sklearn_tags__(self):
        """Say that several labels a row are possible."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _labels(part: dict[str, Any]) -> np.ndarray:
    return np.array(part["values"], part["dtype"])


# How the probabilities come out of the graph.
_FORMS = {
    "tensor": lambda outputs: outputs[0],
    "columns": lambda outputs: np.stack(outputs, 1),
    "sequence": lambda outputs: list(outputs[0]),
    "zipmap": lambda outputs: np.array([list(row.values()) for row in outputs[0]]),
}


class OnnxRegressor(RegressorMixin, _OnnxEstimator):
    """A regressor read from a file that :func:`to_onnx` wrote.

    It predicts through onnxruntime, and needs neither torch nor skorch. It is fitted
    from the start, and stands wherever a fitted regressor may.

    Parameters
    ----------
    model : str, os.PathLike or bytes
        The file, or its content.
    n_threads : int, default=None
        Threads of one prediction; None leaves it to onnxruntime.
    verify : bool, default=True
        Whether to check that the file is, to the bit, what was exported.

    Attributes
    ----------
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where the estimator was exported with a frame.
    receipt_ : dict
        What the export was compared on, and how far it was off.

    Raises
    ------
    OnnxFileError
        At the first use, for a file that is empty, truncated, damaged, something else
        than ONNX, not written by this package, or a classifier's.

    See Also
    --------
    to_onnx : Writes the file.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_deep import MLPRegressor, OnnxRegressor, to_onnx
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = MLPRegressor(max_epochs=5, random_state=0).fit(X, y)
    >>> reader = OnnxRegressor(to_onnx(network, X).to_bytes())
    >>> reader.predict(X[:2]).shape
    (2,)
    """

    _task = "regressor"

    def predict(self, X, return_std=False):
        """Predict targets.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Rows like those of the fit. Columns of a frame are found by name.
        return_std : bool, default=False
            Whether to give the standard deviation too.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predictions.
        std : ndarray of the same shape
            Standard deviation, with ``return_std=True`` only.

        Raises
        ------
        ValueError
            With ``return_std=True`` for a model without one.
        """
        opened = self._file
        roles = opened.card["outputs"]
        if not return_std:
            return self._shaped(opened.run(roles["predict"], X)[0])
        if "std" not in roles:
            raise ValueError(
                "return_std=True needs a model exported from a network with"
                " loss='gaussian'; this one gives no standard deviation."
            )
        both = {"names": [roles["predict"]["name"], roles["std"]["name"]]}
        y, std = opened.run(both, X)
        return self._shaped(y), self._shaped(std)

    def _shaped(self, y: np.ndarray) -> np.ndarray:
        target = self._file.card["target"]
        return y.ravel() if target["ndim"] == 1 else y
