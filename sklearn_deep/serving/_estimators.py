"""Estimators over an exported file: onnxruntime, and neither torch nor skorch."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if

from sklearn_deep.data._scores import quantile_score
from sklearn_deep.serving._outputs import assembled
from sklearn_deep.serving._sequence_inputs import cut
from sklearn_deep.serving._session import OnnxEstimator, blaming_file

_OTHER_FORM = "its outputs do not have the form that its card says"


def _has_output(method: str):
    def check(self) -> bool:
        outputs = self._file.card["outputs"]
        if method not in outputs:
            raise AttributeError(
                f"The model has no {method}; it has {', '.join(outputs)}."
            )
        return True

    return check


class OnnxClassifier(ClassifierMixin, OnnxEstimator):
    """A classifier read from a file that :func:`to_onnx` wrote.

    It predicts through onnxruntime, and needs neither torch nor skorch. It is fitted
    from the start, and stands wherever a fitted classifier may.

    Parameters
    ----------
    model : str, os.PathLike or bytes-like
        The file, or its content.
    n_threads : int, default=None
        Threads of one prediction; None leaves it to onnxruntime.
    verify : bool, default=True
        Whether to check that the file is, to the bit, what was exported, and that it
        holds nothing but what exports hold: operators that end, constants that are in
        the file, sizes that follow from the file and the rows. The first is a checksum
        and no signature, so a file from a stranger may still predict nonsense. False
        runs any model that has a card: only for files that you trust.

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
        than ONNX, not written by this package, or of another task; with ``verify``
        also for one that may never end or take memory at will.

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
        (labels,), lengths = opened.run(opened.card["outputs"]["predict"], X)
        with blaming_file(_OTHER_FORM):
            if opened.card["multilabel"]:
                return cut(labels, lengths)
            classes = self.classes_
            if isinstance(classes, list):
                return labels.astype(np.result_type(*(c.dtype for c in classes)))
            return cut(labels.astype(classes.dtype), lengths)

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
        return self._scores("decision_function", X)

    def _scores(self, method: str, X: Any) -> Any:
        opened = self._file
        outputs, lengths = opened.run(opened.card["outputs"][method], X)
        with blaming_file(_OTHER_FORM):
            return cut(assembled(method, opened.card, outputs), lengths)

    def __sklearn_tags__(self):
        """Say that several labels a row are possible."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _labels(part: dict[str, Any]) -> np.ndarray:
    return np.array(part["values"], part["dtype"])


class OnnxRegressor(RegressorMixin, OnnxEstimator):
    """A regressor read from a file that :func:`to_onnx` wrote.

    It predicts through onnxruntime, and needs neither torch nor skorch. It is fitted
    from the start, and stands wherever a fitted regressor may.

    Parameters
    ----------
    model : str, os.PathLike or bytes-like
        The file, or its content.
    n_threads : int, default=None
        Threads of one prediction; None leaves it to onnxruntime.
    verify : bool, default=True
        Whether to check that the file is, to the bit, what was exported, and that it
        holds nothing but what exports hold: operators that end, constants that are in
        the file, sizes that follow from the file and the rows. The first is a checksum
        and no signature, so a file from a stranger may still predict nonsense. False
        runs any model that has a card: only for files that you trust.

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
        than ONNX, not written by this package, or of another task; with ``verify``
        also for one that may never end or take memory at will.

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
            (y,), lengths = opened.run(roles["predict"], X)
            return self._shaped(y, lengths)
        if "std" not in roles:
            raise ValueError(
                "return_std=True needs a model exported from a network with"
                " loss='gaussian'; this one gives no standard deviation."
            )
        both = {"names": [roles["predict"]["name"], roles["std"]["name"]]}
        (y, std), lengths = opened.run(both, X)
        return self._shaped(y, lengths), self._shaped(std, lengths)

    def score(self, X, y, sample_weight=None):
        """Give R^2; for several quantiles, the mean of their D^2 pinball scores.

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
        quantiles = self._file.card["target"].get("quantiles")
        if quantiles:
            return quantile_score(y, self.predict(X), quantiles, sample_weight)
        return super().score(X, y, sample_weight)

    def _shaped(self, y: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        card = self._file.card
        # float32 inputs make float32 outputs; the estimator has a dtype of its own.
        y = y.astype(card["target"]["dtype"], copy=False)
        with blaming_file(_OTHER_FORM):
            if card["by_step"]:
                return cut(y, lengths)
            return y.reshape(len(y)) if card["target"]["ndim"] == 1 else y


class OnnxTransformer(TransformerMixin, OnnxEstimator):
    """A transformer read from a file that :func:`to_onnx` wrote.

    It transforms through onnxruntime, and needs neither torch nor skorch. It is fitted
    from the start, and stands wherever a fitted transformer may.

    Parameters
    ----------
    model : str, os.PathLike or bytes-like
        The file, or its content.
    n_threads : int, default=None
        Threads of one call; None leaves it to onnxruntime.
    verify : bool, default=True
        Whether to check that the file is, to the bit, what was exported, and that it
        holds nothing but what exports hold: operators that end, constants that are in
        the file, sizes that follow from the file and the rows. The first is a checksum
        and no signature, so a file from a stranger may still predict nonsense. False
        runs any model that has a card: only for files that you trust.

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
        than ONNX, not written by this package, or of another task; with ``verify``
        also for one that may never end or take memory at will.

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
            Rows like those of the fit. Columns of a frame are found by name.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_new)
            What the estimator makes of them.
        """
        return self._numbers("transform", X)

    @available_if(_has_output("predict"))
    def predict(self, X):
        """Tell the cluster of each row, where a clusterer was exported.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows like those of the fit.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Numbers of the clusters.
        """
        return self._numbers("predict", X)

    @available_if(_has_output("score_samples"))
    def score_samples(self, X):
        """Tell how well rows are reconstructed, where an autoencoder was exported.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or of the shape of the fit
            Rows like those of the fit.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            Minus the mean squared error; 0 at best.
        """
        return self._numbers("score_samples", X)

    def get_feature_names_out(self, input_features=None):
        """Give the names of the columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Not looked at: the names were stored with the model.

        Returns
        -------
        names : ndarray of shape (n_features_new,)
            Names of the columns of ``transform``.

        Raises
        ------
        AttributeError
            Where the estimator had none.
        """
        names = self._file.card["feature_names_out"]
        if names is None:
            raise AttributeError(
                "The estimator did not say the names of its columns at the export."
            )
        return np.array(names, object)

    def _numbers(self, method: str, X: Any) -> np.ndarray:
        opened = self._file
        (out,), _ = opened.run(opened.card["outputs"][method], X)
        return out
