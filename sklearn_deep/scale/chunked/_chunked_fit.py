"""``ChunkedFit``: the fit of more rows than memory holds."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn import get_config
from sklearn.base import clone, is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import UNUSED, process_routing
from sklearn.utils.validation import check_is_fitted

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import NONE, Number, OneOf, Rules, Satisfies, check_params
from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.compression._delegation import Delegating
from sklearn_deep.data.chunks._data import ChunkedData, column_names
from sklearn_deep.data.chunks._membership import Membership
from sklearn_deep.data.chunks._open import is_lazy, open_source
from sklearn_deep.data.chunks._prefetch import prefetched
from sklearn_deep.estimators.core._all_or_nothing import all_or_nothing
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fit import fit_task
from sklearn_deep.estimators.core._parts import task_settings
from sklearn_deep.estimators.core._specs import batch_rows, check_repeatable
from sklearn_deep.estimators.tasks._reconstructor import DeepReconstructor
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.scale.chunked._memory import make_plan, row_bytes, sample_rows
from sklearn_deep.scale.chunked._passes import Passes, sample_arguments
from sklearn_deep.scale.chunked._rows import (
    Held,
    chunks_to_predict,
    features_of,
    open_rows,
    share_of,
    some,
    split_held,
)
from sklearn_deep.scale.chunked._transformers import (
    check_steps,
    fit_whole,
    network_of,
    steps_of,
)
from sklearn_deep.training.job._seeds import draw_seed

_WHOLE = {"y": 1.0, "place": 1.0}


def _is_network(value: Any) -> bool:
    network = network_of(value)
    return isinstance(network, DeepEstimator) and not isinstance(
        network, DeepReconstructor
    )


class ChunkedFit(TracksSubclasses, Delegating):
    """Fit a network, or a Pipeline that ends in one, on more rows than memory holds.

    The rows come from a *source*: a Parquet file or a folder of them, a dataset of
    pyarrow, a LazyFrame of polars, a Dask array or DataFrame, a memory map of NumPy, a
    zarr array, or a callable that gives chunks. A first pass counts rows, learns classes
    and scales, and fits the transformers of the Pipeline; then the network is trained as
    by its own ``fit``, with batches that are drawn from a buffer in memory.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A classifier or regressor of sklearn_deep, or a Pipeline that ends in one, whose
        transformers have ``partial_fit`` (StandardScaler, MinMaxScaler, MaxAbsScaler,
        IncrementalPCA), learn nothing, or are fitted (FrozenEstimator).
    buffer_rows : int, default=100_000
        Number of encoded rows in the buffer. It takes at most 256 MB, or a quarter of the
        memory that is free: wider rows are fewer. Where the buffer holds all rows, they
        are read once, and the network is the one that ``fit`` gives with the same
        validation rows.
    shuffle : {"buffer", None}, default="buffer"
        "buffer" visits the pieces of a source (row groups, partitions, blocks, slices) in
        a random order of each epoch, several at a time, and draws rows at random from a
        buffer that they fill [1]_. None takes rows in the order of the source.
    validation_rows : int, default=10_000
        Largest number of validation rows. As many are held out as the estimator's own fit
        would hold out, up to this number: those with the smallest hash of their place, the
        same in every pass. 0 holds out none.
    prefetch : int, default=2
        Number of chunks that a thread reads ahead; 0 reads without a thread.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator or Pipeline. It is as its own ``fit`` makes it.
    shuffle_quality_ : dict of str to float
        How well the batches of the first epoch represent all rows, on "y" and on "place"
        (where a row is in the source): one minus the share of the variance that is between
        batches, in [0, 1]. 1 is as good as random; rows in file order that are sorted by
        class have 0 on "y".
    buffer_rows_ : int
        Number of rows that the buffer held.
    n_rows_ : int
        Number of rows of the source.
    validation_indices_ : ndarray of shape (n_validation,)
        Places of the validation rows in the source.
    classes_ : ndarray of shape (n_classes,)
        Labels, for a classifier.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the source has names of columns.

    See Also
    --------
    more_data_curve : What more rows would give.
    ValidationHoldout : Validation rows of a Pipeline whose rows fit into memory.

    Notes
    -----
    Features of :class:`TabularClassifier` (scales, quantiles, categories) are learnt from
    a random sample of up to 50,000 training rows; values of a category that the sample
    lacks count as unknown. Random numbers follow from the estimator's ``random_state``:
    the same source, in the same pieces, gives the same network.

    References
    ----------
    .. [1] Meng et al., "Convergence analysis of distributed stochastic gradient descent
           with shuffling", Neurocomputing 337, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_deep import ChunkedFit, MLPClassifier
    >>> def chunks():
    ...     for seed in range(20):
    ...         X = np.random.default_rng(seed).normal(size=(500, 4))
    ...         yield X, X[:, 0] + X[:, 1] > 0
    >>> net = MLPClassifier((16,), max_epochs=3, random_state=0)
    >>> model = ChunkedFit(make_pipeline(StandardScaler(), net), buffer_rows=2_000)
    >>> model.fit(chunks).n_rows_
    10000
    >>> model.shuffle_quality_["y"] > 0.9
    True
    """

    _rules: ClassVar[Rules] = {
        "estimator": (
            Satisfies(
                _is_network,
                "a classifier or regressor of sklearn_deep, or a Pipeline that ends in"
                " one",
            ),
        ),
        "buffer_rows": (Number(Integral, 1),),
        "shuffle": (NONE, OneOf("buffer")),
        "validation_rows": (Number(Integral, 0),),
        "prefetch": (Number(Integral, 0),),
    }

    # Only the network requests metadata.
    __metadata_request__fit: ClassVar = {"sample_weight": UNUSED}

    @names_unknown_arguments
    def __init__(
        self,
        estimator,
        *,
        buffer_rows=100_000,
        shuffle="buffer",
        validation_rows=10_000,
        prefetch=2,
    ):
        self.estimator = estimator
        self.buffer_rows = buffer_rows
        self.shuffle = shuffle
        self.validation_rows = validation_rows
        self.prefetch = prefetch

    def fit(self, X, y=None, sample_weight=None):
        """Train on the rows of a source.

        Parameters
        ----------
        X : source, or array-like of shape (n_samples, ...)
            Rows, see above. A callable takes no argument and returns an iterable of
            chunks, the same at every call: ``(X, y)``, ``(X, y, sample_weight)``, or
            frames.
        y : array-like of shape (n_samples,), str, or tuple of str, default=None
            Targets: one value per row, or names of columns of X. None where a callable
            gives them.
        sample_weight : array-like of shape (n_samples,) or str, default=None
            Non-negative weights: one per row, or the name of a column of X.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        InvalidParameterError
            For a transformer that needs all rows at once, and for settings of the network
            that do (``optimizer="lbfgs"``), where the buffer does not hold them.
        TypeError
            For a generator of more rows than the buffer holds, and for rows that cannot
            be streamed.
        ValueError
            For a source whose passes differ, and for what the network's fit refuses.
        MissingDependencyError
            If the library that reads the source is not installed.

        Warns
        -----
        ShuffleWarning
            If the batches do not represent all rows.
        """
        with all_or_nothing(self):
            check_params(self, self._rules)
            if get_config()["enable_metadata_routing"] and sample_weight is not None:
                routed = process_routing(self, "fit", sample_weight=sample_weight)
                sample_weight = dict(routed.estimator.fit).get("sample_weight")
            self._fit(X, y, sample_weight)
        return self

    def _fit(self, X: Any, y: Any, weight: Any) -> None:
        owner = type(self).__name__
        estimator = clone(self.estimator)
        network = network_of(estimator)
        check_steps(owner, steps_of(estimator))
        check_repeatable(network)
        if not isinstance(network.random_state, Integral):
            network.set_params(random_state=draw_seed(network.random_state))
        rows = open_rows(X, y, weight, owner, self.buffer_rows, self.prefetch)
        if isinstance(rows, Held):
            self._fit_held(estimator, rows)
        else:
            self._fit_streamed(estimator, rows)
        self.estimator_ = estimator
        self._targets_named = column_names(y, weight)

    # Rows that fit into memory.

    def _fit_held(self, estimator: Any, held: Held) -> None:
        network, steps = network_of(estimator), steps_of(estimator)
        n = _length(held.X)
        aside = np.empty(0, np.int64)
        validation: dict[str, Any] = {}
        strata = _strata(network, held.y)
        n_validation = self._n_validation(network, n, strata)
        train = held
        if n_validation:
            held = Held(*indexable(*held))
            seed = draw_seed(network.random_state)
            where, aside = split_held(held, n_validation, seed, strata)
            train, left_out = some(held, where), some(held, aside)
        X = fit_whole(steps, train.X, train.y) if steps else train.X
        if len(aside):
            named = {"X": left_out.X, "y": left_out.y, "sample_weight": left_out.weight}
            validation = {f"{k}_val": v for k, v in named.items() if v is not None}
            for _, step in steps:
                validation["X_val"] = step.transform(validation["X_val"])
        if train.weight is not None:
            validation["sample_weight"] = train.weight
        network.fit(X, train.y, **validation)
        self.shuffle_quality_ = dict(_WHOLE)
        self.n_rows_ = self.buffer_rows_ = n
        self.validation_indices_ = aside

    def _n_validation(self, network: Any, n: int, classes: Any) -> int:
        """Number of rows to hold out of ``n``."""
        if n < 2 or not self.validation_rows:
            return 0
        share = share_of(network, n, classes)
        return min(self.validation_rows, round(share * n))

    # Rows that do not.

    def _fit_streamed(self, estimator: Any, data: ChunkedData) -> None:
        network = network_of(estimator)
        n = data.n_rows
        assert n is not None
        self._check_steps_of_batches(network, n)
        width = row_bytes(data)
        plan = make_plan(
            data, self.buffer_rows, width, self.prefetch, self.shuffle is not None
        )
        membership = Membership.of(
            n,
            self._n_streamed_validation(network, n),
            sample_rows(plan, width),
            draw_seed(network.random_state),
        )
        passes = Passes(
            data,
            steps_of(estimator),
            network._task(task_settings(network)),
            membership,
            plan,
            width,
            digests=network.checkpoint is not None,
        )
        stream = passes.stream()
        try:
            fit_task(network, sample_arguments(stream))
        finally:
            stream.close()
        self.shuffle_quality_ = stream.state.quality()
        self.n_rows_, self.buffer_rows_ = n, stream.state.n_slots
        self.validation_indices_ = membership.validation_places(n)

    def _n_streamed_validation(self, network: Any, n: int) -> int:
        """Number of rows to hold out of a stream, which cannot be cut into folds."""
        found = self._n_validation(network, n, None)
        if found or getattr(network, "validation", None) != "folds":
            return found
        return min(self.validation_rows, round(network.validation_fraction * n))

    def _check_steps_of_batches(self, network: Any, n: int) -> None:
        check_params(network, network._rules)
        if batch_rows(network, n) < n:
            return
        raise InvalidParameterError(
            f"{type(network).__name__} in {type(self).__name__} takes all {n} rows in"
            f" every step (optimizer={network.optimizer!r},"
            f" batch_size={network.batch_size!r}), and the buffer does not hold them"
            f" (buffer_rows={self.buffer_rows}, within 256 MB and a quarter of the free"
            " memory). Take an optimizer of minibatches, such as 'adam', with"
            " batch_size='auto'; or raise buffer_rows."
        )

    # Predictions.

    def _delegate(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the fitted estimator; chunk by chunk for a source."""
        check_is_fitted(self)
        call = getattr(self.estimator_, method)
        X, *others = args
        if not (is_lazy(X) or isinstance(X, np.memmap)) or others:
            return call(*args, **kwargs)
        owner = type(self).__name__
        chunks = chunks_to_predict(X, owner, self._targets_named, self.prefetch)
        parts = [call(chunk, **kwargs) for chunk in chunks]
        if not parts:
            raise ValueError(f"The source of {owner} has no rows.")
        if isinstance(parts[0], tuple):
            return tuple(map(np.concatenate, zip(*parts, strict=True)))
        return np.concatenate(parts)

    def score(self, X, y=None, sample_weight=None):
        """Compute the accuracy, or R^2 for a regressor.

        Parameters
        ----------
        X : source, or array-like of shape (n_samples, ...)
            Rows, as ``fit`` takes them.
        y : array-like of shape (n_samples,), str, or tuple of str, default=None
            Targets, as ``fit`` takes them.
        sample_weight : array-like of shape (n_samples,) or str, default=None
            Weights.

        Returns
        -------
        score : float
            Higher is better.
        """
        check_is_fitted(self)
        if not is_lazy(X):
            named = {} if sample_weight is None else {"sample_weight": sample_weight}
            return self._delegate("score", X, y, **named)
        source = open_source(X, type(self).__name__)
        assert source is not None
        data = ChunkedData(source, y, sample_weight, type(self).__name__)
        found = [
            (
                self.estimator_.predict(features_of(chunk.X, self._targets_named)),
                chunk.y,
                chunk.weight,
            )
            for chunk in prefetched(data.in_order(8192), self.prefetch)
        ]
        predicted, true, weight = (
            None if part[0] is None else np.concatenate([np.asarray(p) for p in part])
            for part in zip(*found, strict=True)
        )
        metric = accuracy_score if is_classifier(self) else r2_score
        return float(metric(true, predicted, sample_weight=weight))


def _length(X: Any) -> int:
    """Number of rows; 0 for what the network's fit refuses."""
    try:
        return X.shape[0] if hasattr(X, "shape") else len(X)
    except (IndexError, TypeError):
        return 0


def _strata(network: Any, y: Any) -> np.ndarray | None:
    """Labels of a classifier; None where rows have no single label."""
    if y is None or not is_classifier(network) or hasattr(y, "toarray"):
        return None
    try:
        labels = np.asarray(y)
    except ValueError:  # the network's fit says what is wrong with it
        return None
    single = labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1)
    return labels.reshape(-1) if single else None
