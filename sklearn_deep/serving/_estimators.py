"""Estimators that predict with an exported file; they import neither torch nor skorch."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if

from sklearn_deep.data._scores import quantile_score
from sklearn_deep.serving._outputs import assemble_output
from sklearn_deep.serving._reader import OnnxEstimator, OnnxPredictor
from sklearn_deep.serving._sequence_inputs import trim_padding
from sklearn_deep.serving._session import as_file_error

_OTHER_FORM = "its outputs do not have the form that its metadata declare"


def _has_output(method: str):
    def check(self) -> bool:
        outputs = self._file.metadata["outputs"]
        if method not in outputs:
            raise AttributeError(
                f"The model has no {method}; it has {', '.join(outputs)}."
            )
        return True

    return check


class OnnxClassifier(ClassifierMixin, OnnxPredictor):
    """A classifier read from a file that :func:`to_onnx` wrote.

    It predicts with onnxruntime, without torch and skorch. It is a fitted classifier
    as soon as it is made.

    Parameters
    ----------
    model : str, os.PathLike or bytes-like
        Path of the file, or its content.
    task : str, default=None
        The task to predict, of a file of several (a ``MultiTask``).
    n_threads : int, default=None
        Number of threads of one prediction; None leaves the choice to onnxruntime.
    verify : bool, default=True
        Whether to compare the checksum of the file, and to check that it contains only
        what exports contain: operators that terminate, constants stored in the file,
        and sizes that follow from the file and the rows. A checksum is not a signature:
        a file from an unknown source may still predict nonsense. False runs any model
        with metadata of this package; use it only for files that you trust.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or a list of them
        Labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the estimator was exported with a frame.
    receipt_ : dict
        Rows that the export was compared on, and its largest differences.

    Raises
    ------
    OnnxFileError
        At the first use, for a file that is empty, truncated, damaged, not ONNX, not
        written by this package, or of another task; with ``verify`` also for one that
        might not terminate or use unlimited memory.

    See Also
    --------
    OnnxMultiTask : Reads all tasks of a file of several.
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
        """Labels, in the dtype of the labels at the fit."""
        classes = self._file.metadata["classes"]
        if isinstance(classes, list):
            return [_labels(part) for part in classes]
        return _labels(classes)

    def predict(self, X):
        """Predict labels.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Rows like those of the fit. Columns of a frame are selected by name.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Labels.
        """
        opened = self._file
        (labels,), lengths = opened.run(opened.metadata["outputs"]["predict"], X)
        with as_file_error(_OTHER_FORM):
            if opened.metadata["multilabel"]:
                return trim_padding(labels, lengths)
            classes = self.classes_
            if isinstance(classes, list):
                return labels.astype(np.result_type(*(c.dtype for c in classes)))
            return trim_padding(labels.astype(classes.dtype), lengths)

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
            Probabilities, with columns in the order of ``classes_``.
        """
        return self._scores("predict_proba", X)

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
            Minus infinity if the probability is 0.
        """
        p = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return [np.log(q) for q in p] if isinstance(p, list) else np.log(p)

    @available_if(_has_output("decision_function"))
    def decision_function(self, X):
        """Compute the scores that decide the labels.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Rows like those of the fit.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes positive if the second one is predicted.
        """
        return self._scores("decision_function", X)

    def _scores(self, method: str, X: Any) -> Any:
        opened = self._file
        outputs, lengths = opened.run(opened.metadata["outputs"][method], X)
        with as_file_error(_OTHER_FORM):
            return trim_padding(
                assemble_output(method, opened.metadata, outputs), lengths
            )

    def __sklearn_tags__(self):
        """Declare support of multilabel targets."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _labels(part: dict[str, Any]) -> np.ndarray:
    return np.array(part["values"], part["dtype"])


class OnnxRegressor(RegressorMixin, OnnxPredictor):
    """A regressor read from a file that :func:`to_onnx` wrote.

    It predicts with onnxruntime, without torch and skorch. It is a fitted regressor
    as soon as it is made.

    Parameters
    ----------
    model : str, os.PathLike or bytes-like
        Path of the file, or its content.
    task : str, default=None
        The task to predict, of a file of several (a ``MultiTask``).
    n_threads : int, default=None
        Number of threads of one prediction; None leaves the choice to onnxruntime.
    verify : bool, default=True
        Whether to compare the checksum of the file, and to check that it contains only
        what exports contain: operators that terminate, constants stored in the file,
        and sizes that follow from the file and the rows. A checksum is not a signature:
        a file from an unknown source may still predict nonsense. False runs any model
        with metadata of this package; use it only for files that you trust.

    Attributes
    ----------
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the estimator was exported with a frame.
    receipt_ : dict
        Rows that the export was compared on, and its largest differences.

    Raises
    ------
    OnnxFileError
        At the first use, for a file that is empty, truncated, damaged, not ONNX, not
        written by this package, or of another task; with ``verify`` also for one that
        might not terminate or use unlimited memory.

    See Also
    --------
    OnnxMultiTask : Reads all tasks of a file of several.
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
            Rows like those of the fit. Columns of a frame are selected by name.
        return_std : bool, default=False
            Whether to return the standard deviation too.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predictions.
        std : ndarray of the same shape
            Standard deviation; only with ``return_std=True``.

        Raises
        ------
        ValueError
            With ``return_std=True`` if the model has no standard deviation.
        """
        opened = self._file
        roles = opened.metadata["outputs"]
        if not return_std:
            (y,), lengths = opened.run(roles["predict"], X)
            return self._shaped(y, lengths)
        if "std" not in roles:
            raise ValueError(
                "return_std=True needs a model exported from a network with"
                " loss='gaussian'; this one predicts no standard deviation."
            )
        both = {"names": [roles["predict"]["name"], roles["std"]["name"]]}
        (y, std), lengths = opened.run(both, X)
        return self._shaped(y, lengths), self._shaped(std, lengths)

    def score(self, X, y, sample_weight=None):
        """Compute R^2; for several quantiles, the mean of their D^2 pinball scores.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Rows like those of the fit.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            True targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        score : float
            1 at best, and 0 for the best constant.
        """
        quantiles = self._file.metadata["target"].get("quantiles")
        if quantiles:
            return quantile_score(y, self.predict(X), quantiles, sample_weight)
        return super().score(X, y, sample_weight)

    def _shaped(self, y: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        metadata = self._file.metadata
        # float32 inputs give float32 outputs; the estimator's dtype may be another.
        y = y.astype(metadata["target"]["dtype"], copy=False)
        with as_file_error(_OTHER_FORM):
            if metadata["by_step"]:
                return trim_padding(y, lengths)
            return y.reshape(len(y)) if metadata["target"]["ndim"] == 1 else y


class OnnxTransformer(TransformerMixin, OnnxEstimator):
    """A transformer read from a file that :func:`to_onnx` wrote.

    It transforms with onnxruntime, without torch and skorch. It is a fitted transformer
    as soon as it is made.

    Parameters
    ----------
    model : str, os.PathLike or bytes-like
        Path of the file, or its content.
    n_threads : int, default=None
        Number of threads of one call; None leaves the choice to onnxruntime.
    verify : bool, default=True
        Whether to compare the checksum of the file, and to check that it contains only
        what exports contain: operators that terminate, constants stored in the file,
        and sizes that follow from the file and the rows. A checksum is not a signature:
        a file from an unknown source may still predict nonsense. False runs any model
        with metadata of this package; use it only for files that you trust.

    Attributes
    ----------
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the estimator was exported with a frame.
    receipt_ : dict
        Rows that the export was compared on, and its largest differences.

    Raises
    ------
    OnnxFileError
        At the first use, for a file that is empty, truncated, damaged, not ONNX, not
        written by this package, or of another task; with ``verify`` also for one that
        might not terminate or use unlimited memory.

    See Also
    --------
    to_onnx : Writes the file.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPAutoencoder, OnnxTransformer, to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPAutoencoder(code_size=2, max_epochs=5, random_state=0).fit(X)
    >>> reader = OnnxTransformer(to_onnx(network, X).to_bytes())
    >>> reader.transform(X[:3]).shape
    (3, 2)
    """

    _task = "transformer"

    def transform(self, X):
        """Transform rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or of the shape of the fit
            Rows like those of the fit. Columns of a frame are selected by name.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_new)
            Transformed rows.
        """
        return self._numbers("transform", X)

    @available_if(_has_output("predict"))
    def predict(self, X):
        """Predict the cluster of each row, if a clusterer was exported.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows like those of the fit.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Indices of the clusters.
        """
        return self._numbers("predict", X)

    @available_if(_has_output("score_samples"))
    def score_samples(self, X):
        """Score the reconstruction of rows, if an autoencoder was exported.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or of the shape of the fit
            Rows like those of the fit.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            Negative mean squared error; 0 is the best.
        """
        return self._numbers("score_samples", X)

    def get_feature_names_out(self, input_features=None):
        """Get the names of the output columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored: the names are stored in the file.

        Returns
        -------
        names : ndarray of shape (n_features_new,)
            Names of the columns of ``transform``.

        Raises
        ------
        AttributeError
            If the estimator had no output names.
        """
        names = self._file.metadata["feature_names_out"]
        if names is None:
            raise AttributeError(
                "The exported estimator did not provide names of its output columns."
            )
        return np.array(names, object)

    def _numbers(self, method: str, X: Any) -> np.ndarray:
        opened = self._file
        (out,), _ = opened.run(opened.metadata["outputs"][method], X)
        return out
