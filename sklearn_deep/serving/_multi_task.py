"""The reader of a file of several tasks."""

from typing import Any

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length

from sklearn_deep.data._scores import known_score
from sklearn_deep.data._target_columns import like_rows, target_columns
from sklearn_deep.data._weights import check_sample_weight
from sklearn_deep.serving._estimators import OnnxClassifier, OnnxRegressor
from sklearn_deep.serving._reader import OnnxEstimator
from sklearn_deep.serving._session import as_file_error


def _has_labels(self: Any) -> bool:
    if all(task["classes"] is None for task in self._file.metadata["tasks"]):
        raise AttributeError("No task of the file predicts labels.")
    return True


class OnnxMultiTask(OnnxEstimator):
    """All tasks of a :class:`MultiTask`, read from a file that :func:`to_onnx` wrote.

    It predicts with onnxruntime, without torch and skorch. It is a fitted estimator as
    soon as it is made.

    Parameters
    ----------
    model : str, os.PathLike or bytes-like
        Path of the file, or its content.
    n_threads : int, default=None
        Number of threads of one prediction; None leaves the choice to onnxruntime.
    verify : bool, default=True
        Whether to compare the checksum of the file, and to check that it contains only
        what exports contain, as :class:`OnnxClassifier` does. False runs any model with
        metadata of this package; use it only for files that you trust.

    Attributes
    ----------
    tasks_ : dict
        "classification" or "regression" by task.
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
        written by this package, or of a single task; with ``verify`` also for one that
        might not terminate or use unlimited memory.

    See Also
    --------
    MultiTask : One network for several targets.
    OnnxClassifier : Reads one task with ``task=``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, MultiTask, OnnxMultiTask, to_onnx
    >>> X, species = load_iris(return_X_y=True)
    >>> y = {"species": np.array(list("svi"))[species], "petal width": X[:, 3]}
    >>> network = MLPClassifier((32,), max_epochs=20, random_state=0)
    >>> both = MultiTask(network).fit(X[:, :3], y)
    >>> reader = OnnxMultiTask(to_onnx(both, X[:, :3]).to_bytes())
    >>> reader.tasks_
    {'species': 'classification', 'petal width': 'regression'}
    >>> reader.predict(X[:1, :3])["species"]
    array(['s'], dtype='<U1')
    >>> reader.task("species").predict_proba(X[:1, :3]).shape
    (1, 3)
    """

    _task = "several"

    @property
    def tasks_(self):
        """Kind of each task: "classification" or "regression", by name."""
        return {
            task["name"]: "regression" if task["classes"] is None else "classification"
            for task in self._file.metadata["tasks"]
        }

    def predict(self, X):
        """Predict the targets of all tasks.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Rows like those of the fit. Columns of a frame are selected by name.

        Returns
        -------
        y : DataFrame, or dict of ndarray of shape (n_samples,)
            Labels, and numbers in the units of the targets, by task. A frame of the
            library of ``X`` (with its index) if that is a frame, else a dict.
        """
        return like_rows(self._predicted(X), X)

    def _predicted(self, X: Any) -> dict[str, np.ndarray]:
        tasks = self._file.metadata["tasks"]
        found = self._run("predict", tasks, X)
        with as_file_error("the labels of a task are not those of its metadata"):
            return {
                task["name"]: values.reshape(len(values)).astype(_dtype(task))
                for task, values in zip(tasks, found, strict=True)
            }

    @available_if(_has_labels)
    def predict_proba(self, X):
        """Predict the probability of each class, for all classifications.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Rows like those of the fit.

        Returns
        -------
        p : dict of ndarray of shape (n_samples, n_classes)
            By task; columns as in ``task(name).classes_``.
        """
        tasks = [t for t in self._file.metadata["tasks"] if "predict_proba" in t]
        names = [task["name"] for task in tasks]
        return dict(zip(names, self._run("predict_proba", tasks, X), strict=True))

    def _run(self, method: str, tasks: list[dict[str, Any]], X: Any) -> list[Any]:
        names = [task[method] for task in tasks]
        outputs, _ = self._file.run({"names": names}, X)
        return outputs

    def score(self, X, y, sample_weight=None):
        """Give the mean of the tasks' own scores: accuracies and R^2.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Rows like those of the fit.
        y : DataFrame, dict or array of shape (n_samples, n_tasks)
            True targets; missing ones are left out.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        score : float
            1 at best; the mean over the tasks that have a known target.
        """
        return float(np.mean(list(self.task_scores(X, y, sample_weight).values())))

    def task_scores(self, X, y, sample_weight=None):
        """Give the score of each task: accuracy or R^2.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Rows like those of the fit.
        y : DataFrame, dict or array of shape (n_samples, n_tasks)
            True targets; missing ones are left out.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        scores : dict of float
            By task; without those of which no target is known.

        Raises
        ------
        ValueError
            If no target is known, or y has other columns.
        """
        predicted, kinds = self._predicted(X), self.tasks_
        columns = self._columns(y, kinds)
        weight = check_sample_weight(sample_weight, len(next(iter(predicted.values()))))
        scores = {}
        for name, values in predicted.items():
            check_consistent_length(values, columns[name].values)
            if columns[name].known.any():
                labels = kinds[name] == "classification"
                scores[name] = known_score(values, columns[name], labels, weight)
        if not scores:
            raise ValueError(
                f"{type(self).__name__}.score needs a known target; all of y are missing."
            )
        return scores

    def _columns(self, y: Any, tasks: dict[str, str]) -> dict[str, Any]:
        _, columns = target_columns(y, type(self).__name__)
        by_name = {str(column.name): column for column in columns}
        if by_name.keys() != tasks.keys() or len(columns) != len(tasks):
            raise ValueError(
                f"y of {type(self).__name__} must have the columns of the fit,"
                f" {list(tasks)}; got {[column.name for column in columns]}."
            )
        return by_name

    def task(self, name):
        """Give the reader of one task, which shares the model in memory.

        Parameters
        ----------
        name : str or int
            Name of its column at the fit; of an array, its number.

        Returns
        -------
        reader : OnnxClassifier or OnnxRegressor
            A fitted classifier or regressor.

        Raises
        ------
        KeyError
            If there is no such task.
        """
        opened = self._file.of_task(str(name))
        reader = {"classifier": OnnxClassifier, "regressor": OnnxRegressor}[
            opened.metadata["task"]
        ]
        params = self.get_params(deep=False)
        return self._shared_by(reader(**params, task=str(name)))

    def __sklearn_tags__(self):
        """Declare targets of several columns."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.required = True
        return tags


def _dtype(task: dict[str, Any]) -> Any:
    """Dtype of a task's labels or numbers; older files have no dtype of numbers."""
    return (task["classes"] or task).get("dtype", "float64")
