"""One network for several tasks: classification and regression, a head per column of y."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import (
    Number,
    OneOf,
    Rules,
    Satisfies,
    SequenceOf,
    check_params,
)
from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.data._target_columns import TargetColumn, target_columns, written
from sklearn_deep.data._tasks import Settings
from sklearn_deep.data._weights import check_sample_weight
from sklearn_deep.estimators.core._all_or_nothing import all_or_nothing
from sklearn_deep.estimators.core._fit import fit_task
from sklearn_deep.estimators.core._fitted import Fitted
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.estimators.tasks._classifier import DeepClassifier
from sklearn_deep.estimators.tasks._regressor import DeepRegressor
from sklearn_deep.estimators.tasks._several import (
    SeveralTargets,
    SeveralTasks,
)
from sklearn_deep.transfer.multi_task._declared import (
    KINDS,
    learnt_columns,
    resolved_tasks,
    task_spec,
)
from sklearn_deep.transfer.multi_task._families import NAMES, is_shared
from sklearn_deep.transfer.multi_task._reading import (
    decoded,
    learnt_weights,
    probabilities_of,
    score_of,
)
from sklearn_deep.transfer.multi_task._settings import shared_network, task_weights
from sklearn_deep.transfer.multi_task._views import Heads, raw_regressor, view

_WEIGHTS = ("equal", "balanced", "uncertainty")
_WEIGHT = Number(low=0, open_low=True)


def _is_task(value: Any) -> bool:
    is_network = isinstance(value, (DeepClassifier, DeepRegressor)) and is_shared(value)
    return is_network or OneOf(*KINDS).allows(value)


_TASK = Satisfies(_is_task, f"{KINDS[0]!r}, {KINDS[1]!r} or a network")


def _are_tasks(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_task, value.values()))
    return SequenceOf(_TASK).allows(value)


def _are_weights(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_WEIGHT.allows, value.values()))
    return SequenceOf(_WEIGHT, 1).allows(value)


def _predicts_labels(self: Any) -> bool:
    columns = vars(self).get("_columns")
    only_numbers = isinstance(self.tasks, str) and self.tasks == "regression"
    if columns is not None:
        only_numbers = all(column.classes is None for column in columns)
    if only_numbers:
        raise AttributeError(f"No task of this {type(self).__name__} predicts labels.")
    return True


class MultiTask(TracksSubclasses, MetaEstimatorMixin, BaseEstimator):
    """One network for several targets: classification and regression, mixed.

    The tasks share the layers of a network, and each has outputs of its own (a head)
    [1]_. It is trained once, on all tasks. Each column of y is a task; targets may be
    missing.

    Parameters
    ----------
    estimator : estimator
        An MLP, CNN, RNN or Tabular network of sklearn_deep, classifier or regressor: its
        layers, and how it is trained. Its loss (and label smoothing and class weights) is
        that of all tasks of its kind, unless ``tasks`` says otherwise.
    tasks : "auto", "classification", "regression", dict or sequence, default="auto"
        What the columns of y are. "auto": columns of strings, categories and booleans are
        classifications, floats regressions. Whole numbers may be either, and must be
        declared. A dict names some columns (of an array by number), a sequence has one
        entry per column, a string is for all. An entry is "classification", "regression",
        or a network that is not fitted, whose loss, label smoothing and class weights the
        task takes.
    task_weight : {"balanced", "equal", "uncertainty"}, dict or sequence, \
            default="balanced"
        Weights of the tasks in the loss. The loss of a task is its mean over the known
        targets of the training rows, so tasks with few known targets count as much as
        others. "equal": the mean of these losses. "balanced": each is divided by that of
        its best constant prediction on the training rows (class frequencies; the mean,
        median or quantile of a regression), if that is positive, so that all tasks begin
        near 1. "uncertainty": they are divided by variances that
        are learnt in training [2]_. Numbers, in a dict by task (1 for those left out) or
        in the order of the columns: factors on "equal".
    head_layer_sizes : int or sequence of int, default=()
        Number of units of hidden layers between the shared layers and the outputs of each
        task. Not for an RNN.
    missing : {"ignore", "raise"}, default="ignore"
        Whether missing targets (NaN, None) are left out of the loss, or are an error.

    Attributes
    ----------
    network_ : estimator
        The network: a regressor of the raw outputs of all tasks, side by side.
    tasks_ : dict
        "classification" or "regression" by task.
    task_weights_ : dict
        Factor of the loss of each task, divided by the mean of these factors.
    history_ : DataFrame (a list of dicts without pandas)
        One row per epoch of the training; ``valid_score`` is the mean of accuracies and
        R^2.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the column names of X are strings.

    See Also
    --------
    MLPRegressor : Several regressions with complete targets need no MultiTask.
    sklearn.multioutput.MultiOutputClassifier : A network of its own per task.

    References
    ----------
    .. [1] Caruana, "Multitask learning", Machine Learning 28, 1997.
    .. [2] Kendall et al., "Multi-task learning using uncertainty to weigh losses",
           arXiv:1705.07115.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, MultiTask
    >>> X, species = load_iris(return_X_y=True)
    >>> y = {"species": np.array(list("svi"))[species], "petal width": X[:, 3]}
    >>> network = MLPClassifier((32,), max_epochs=100, random_state=0)
    >>> both = MultiTask(network).fit(X[:, :3], y)
    >>> both.tasks_
    {'species': 'classification', 'petal width': 'regression'}
    >>> bool(both.score(X[:, :3], y) > 0.9)
    True
    >>> both.task("species").predict_proba(X[:1, :3]).shape
    (1, 3)
    """

    _rules: ClassVar[Rules] = {
        "estimator": (
            Satisfies(
                is_shared,
                f"a network whose layers several tasks can share ({', '.join(NAMES)}; put"
                " a Pipeline around MultiTask, and a compression around one task)",
            ),
        ),
        "tasks": (
            OneOf("auto", *KINDS),
            Satisfies(
                _are_tasks,
                f"a dict or sequence of {KINDS[0]!r}, {KINDS[1]!r} or networks"
                f" ({', '.join(NAMES)})",
            ),
        ),
        "task_weight": (
            OneOf(*_WEIGHTS),
            Satisfies(_are_weights, "a dict or sequence of positive numbers"),
        ),
        "head_layer_sizes": (Number(Integral, 1), SequenceOf(Number(Integral, 1))),
        "missing": (OneOf("ignore", "raise"),),
    }

    @names_unknown_arguments
    def __init__(
        self,
        estimator,
        tasks="auto",
        *,
        task_weight="balanced",
        head_layer_sizes=(),
        missing="ignore",
    ):
        self.estimator = estimator
        self.tasks = tasks
        self.task_weight = task_weight
        self.head_layer_sizes = head_layer_sizes
        self.missing = missing

    @names_unknown_arguments
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Train the network on all tasks.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Training features, as the network takes them.
        y : DataFrame, dict or array of shape (n_samples, n_tasks)
            Targets, one column per task: a frame of pandas or polars, a dict of columns,
            or an array (of objects for columns of several types).
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        X_val : {array-like, sparse matrix, DataFrame} of shape (n_val, n_features), \
                default=None
            Validation features, for early stopping.
        y_val : DataFrame, dict or array of shape (n_val, n_tasks), default=None
            Validation targets.
        sample_weight_val : array-like of shape (n_val,), default=None
            Validation weights.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        InvalidParameterError
            If a parameter is invalid: a ValueError and TypeError. It names the networks
            that several tasks can share.
        ValueError
            For a column whose task is ambiguous or cannot be learnt; the message names
            it, and says how to fix it.
        """
        owner = type(self).__name__
        with all_or_nothing(self):
            check_params(self, self._rules)
            if y is None:
                raise ValueError(
                    f"{owner} requires y to be passed, but the target y is None."
                )
            self._container, columns = target_columns(y, owner)
            network, task = self._declare(columns)
            numbers, weight = self._rows(columns, sample_weight)
            validation = self._validation(y_val, sample_weight_val)
            given = FitArguments(X, numbers, weight, X_val, *validation, task=task)
            self._keep(network, fit_task(network, given), task.specs)
        return self

    def _declare(self, columns: list[TargetColumn]) -> tuple[Any, SeveralTasks]:
        """The network that is trained, and the tasks that the columns of y are."""
        owner = type(self).__name__
        tasks = resolved_tasks(columns, self.tasks, owner)
        self._columns = tuple(learnt_columns(columns, tasks, owner))
        heads = self._head_sizes
        network = shared_network(owner, self.estimator, heads, len(columns))
        specs = tuple(
            task_spec(column, tasks[column.name], network, owner)
            for column in self._columns
        )
        names = [column.name for column in columns]
        weight = task_weights(owner, self.task_weight, names)
        return network, SeveralTasks(Settings(owner), specs, weight, len(heads))

    def _validation(self, y: Any, sample_weight: Any) -> tuple[Any, Any]:
        """Targets of validation rows as numbers, and their weights, if there are some."""
        if y is None:
            return None, sample_weight
        _, columns = target_columns(y, type(self).__name__, "y_val")
        columns = self._same_columns(columns, "y_val")
        return self._rows(columns, sample_weight, "sample_weight_val")

    def _keep(self, network: Any, fitted: Fitted, specs: Any) -> None:
        """Keep what predicts: the network, and how each task reads its outputs."""
        targets: SeveralTargets = fitted.targets
        self.network_ = raw_regressor(network, fitted)
        self._parts, self._places = targets.parts, tuple(targets.slices)
        self._fitted_heads = self._head_sizes
        self._settings = tuple(
            {
                "loss": spec.loss,
                "loss_params": spec.loss_params,
                "label_smoothing": spec.smoothing,
                "class_weight": spec.class_weight,
            }
            for spec in specs
        )
        self.tasks_ = {column.name: column.kind for column in self._columns}
        self.task_weights_ = learnt_weights(targets, fitted)

    @property
    def _head_sizes(self) -> tuple[int, ...]:
        return tuple(int(n) for n in np.atleast_1d(self.head_layer_sizes))

    def _rows(
        self,
        columns: list[TargetColumn],
        sample_weight: Any,
        name: str = "sample_weight",
    ) -> tuple[np.ndarray, Any]:
        """Targets as numbers, and weights in which rows without any target have none."""
        owner = type(self).__name__
        numbers = np.column_stack(
            [
                mine.numbers(column, owner)
                for mine, column in zip(self._columns, columns, strict=True)
            ]
        )
        known = ~np.isnan(numbers)
        if self.missing == "raise" and not known.all():
            counts = {
                column.name: int((~own).sum())
                for column, own in zip(self._columns, known.T, strict=True)
                if not own.all()
            }
            raise ValueError(
                f"{owner} with missing='raise': y has missing targets, by column"
                f" {counts}. Input y contains NaN. Leave out these rows, or set"
                " missing='ignore'."
            )
        some = known.any(1)
        if some.all():
            return numbers, sample_weight
        weight = check_sample_weight(sample_weight, len(numbers), name)
        return numbers, some if weight is None else weight * some

    def _same_columns(
        self, columns: list[TargetColumn], name: str = "y"
    ) -> list[TargetColumn]:
        """Columns in the order of those of the fit."""
        by_name = {column.name: column for column in columns}
        mine = [column.name for column in self._columns]
        if set(mine) != by_name.keys() or len(columns) != len(mine):
            raise ValueError(
                f"{name} of {type(self).__name__} must have the columns of the fit,"
                f" {mine}; got {[column.name for column in columns]}."
            )
        return [by_name[column] for column in mine]

    # Predictions.

    def predict(self, X):
        """Predict the targets of all tasks.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        y : DataFrame, dict or array of shape (n_samples, n_tasks)
            Predictions in the columns and the types of ``y`` of the fit: labels, and
            numbers in the units of the targets.
        """
        raw = self._raw(X)
        values = [
            decoded(part, own) for part, own in zip(self._parts, raw, strict=True)
        ]
        return written(self._container, self._columns, values, X)

    @available_if(_predicts_labels)
    def predict_proba(self, X):
        """Predict the probability of each class, for all classifications.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        p : dict of ndarray of shape (n_samples, n_classes)
            By task; columns as in ``task(name).classes_``.
        """
        raw = self._raw(X)
        return {
            part.name: probabilities_of(part, own)
            for part, own in zip(self._parts, raw, strict=True)
            if part.is_classifier
        }

    def score(self, X, y, sample_weight=None):
        """Give the mean of the tasks' own scores: accuracies and R^2.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features.
        y : DataFrame, dict or array of shape (n_samples, n_tasks)
            True targets; missing ones are left out.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        score : float
            1 at best; the mean over the tasks that have a known target.
        """
        scores = self.task_scores(X, y, sample_weight)
        return float(np.mean(list(scores.values())))

    def task_scores(self, X, y, sample_weight=None):
        """Give the score of each task: accuracy or R^2.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features.
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
            If no target is known.
        """
        raw = self._raw(X)
        _, columns = target_columns(y, type(self).__name__)
        columns = self._same_columns(columns)
        check_consistent_length(raw[0], columns[0].values)
        weight = check_sample_weight(sample_weight, len(raw[0]))
        scores = {
            part.name: score_of(part, own, column, weight)
            for part, own, column in zip(self._parts, raw, columns, strict=True)
            if column.known.any()
        }
        if not scores:
            raise ValueError(
                f"{type(self).__name__}.score needs a known target; all of y are missing."
            )
        return scores

    def task(self, name):
        """Give the estimator of one task.

        Parameters
        ----------
        name : str or int
            Name of its column; of an array, its number.

        Returns
        -------
        estimator : estimator
            A fitted classifier or regressor of the family of ``estimator``, with a copy
            of the layers that the task uses. Calibrate it, choose its threshold, compress
            it, fine-tune it or export it (in a
            :class:`~sklearn.frozen.FrozenEstimator`, if it is to be cloned).

        Raises
        ------
        KeyError
            If there is no such task.
        """
        check_is_fitted(self)
        names = [part.name for part in self._parts]
        if name not in names:
            raise KeyError(
                f"{type(self).__name__} has no task {name!r}; its tasks are {names}."
            )
        j = names.index(name)
        settings = dict(self._settings[j])
        if not self._parts[j].is_classifier:
            settings = {k: settings[k] for k in ("loss", "loss_params")}
        heads = Heads(self._fitted_heads, len(names))
        return view(self.network_, self._parts[j], self._places[j], settings, heads, j)

    def _raw(self, X: Any) -> list[torch.Tensor]:
        """Raw outputs of each task."""
        check_is_fitted(self)
        raw = self.network_._raw(X)
        return [raw[:, place] for place in self._places]

    # Fitted attributes and tags.

    def __sklearn_is_fitted__(self):
        """Tell whether there is a trained network."""
        return "network_" in vars(self)

    def __getattr__(self, name: str) -> Any:
        """Read fitted attributes from the network."""
        learnt = name.endswith("_") and not name.startswith("_")
        if learnt and "network_" in vars(self):
            return getattr(self.network_, name)
        before = " before it is fitted" if learnt else ""
        raise AttributeError(f"{type(self).__name__} has no {name}{before}.")

    def __sklearn_tags__(self):
        """Input tags of the network; y has several columns."""
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.non_deterministic = inner.non_deterministic
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags


def places_of(model: MultiTask) -> dict[Any, slice]:
    """Where the raw outputs of each task are among those of the network."""
    names = (part.name for part in model._parts)
    return dict(zip(names, model._places, strict=True))
