"""A network that begins as a pretrained one: its training for another task."""

import warnings
from numbers import Integral
from typing import Any, ClassVar

from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import (
    UNUSED,
    process_routing,
)

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import (
    MAPPING,
    NONE,
    InstanceOf,
    Number,
    OneOf,
    Rules,
    Satisfies,
    check_params,
)
from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.compression._delegation import Delegating
from sklearn_deep.compression._network import make_fit_args
from sklearn_deep.estimators.core._all_or_nothing import all_or_nothing
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.estimators.tasks._reconstructor import DeepReconstructor
from sklearn_deep.exceptions import (
    InvalidParameterError,
    NegativeTransferError,
    NegativeTransferWarning,
)
from sklearn_deep.transfer.fine_tuning._freezing import Plan
from sklearn_deep.transfer.fine_tuning._settings import with_layers_of
from sklearn_deep.transfer.fine_tuning._source import Source, source_of
from sklearn_deep.transfer.fine_tuning._tuning import Tuning

_PATTERNS = InstanceOf((list, tuple), "a list of names or patterns")
_EPOCH = Number(Integral, 0)


def _is_fraction(value: Any) -> bool:
    return isinstance(value, float) and 0 <= value < 1


# The result is below the probe if it is so by more than both: a difference of scores, and
# the share that this many rows are of all.
_FALL, _FEWEST_ROWS = 0.01, 3


class FineTuned(TracksSubclasses, Delegating):
    """A network that begins with the weights of another one and is trained further.

    The layers are those of ``pretrained``, and their weights are taken over; the output
    layer (the head) is drawn anew for the classes or targets of y. ``estimator`` says how
    to train: its learning rate, epochs, loss, penalties, early stopping.

    Parameters
    ----------
    estimator : estimator
        A network of sklearn_deep that is not fitted, of the family of ``pretrained``.
        Parameters of the layers, such as ``hidden_layer_sizes``, are left out; the
        ``module`` of a :class:`ModuleClassifier` is None, unless ``pretrained`` is a
        module.
    pretrained : estimator, str, path or torch.nn.Module
        A fitted network, also one that :func:`from_onnx`, :func:`from_keras` or
        :func:`from_sklearn` returned, a :class:`~sklearn.frozen.FrozenEstimator` around
        one, a Pipeline that ends in one (its transformers are used as they are), the
        path of a file of :func:`save` or of an ``.onnx`` file, or a module with its
        weights, of the class that ``estimator`` makes. Searches clone it: wrap a network
        in a FrozenEstimator there.
    freeze : "auto", int, float, str, list of str or None, default="auto"
        Which parameters stay as they are, bit for bit, with the moments of batch
        normalisation beside them: "auto" all but the head; a number of stages from the
        input on (all but so many, if negative) or their fraction; names of stages, or
        patterns of names in ``layers_`` such as ``"blocks.*"``; None for none. Frozen
        layers do not drop units.
    unfreeze_at : int, dict or "gradual", default=None
        When frozen parameters are trained after all: all from this epoch on, counted from
        0; ``{epoch: stage}``, from this stage up to the head, by name or number;
        "gradual", one stage more after each ``head_epochs`` epochs, from the head down
        [1]_.
    layer_decay : float, default=0.7
        Factor on the learning rate and weight decay for each stage that is between a
        parameter and the head, in (0, 1]; see the Notes for how the default was chosen.
    head_epochs : int, default=1
        Number of epochs at the beginning in which only the head is trained [2]_.
    reset : "head", "new_classes", str or list of str, default="head"
        What begins anew: the head; of the head only what belongs to classes that the
        pretrained network does not know; or the head and parameters by patterns as in
        ``freeze``.
    batch_norm : {"frozen", "trained"}, default="frozen"
        Whether the moments of batch normalisation stay as they are in all layers, or are
        learnt in those that are not frozen.
    columns : {"match", "position"}, default="match"
        How columns of a table are found among those of the pretrained network: by name,
        if both have names, else there must be as many; or by position. Weights of other
        columns begin at zero, and their first layer is trained.
    on_worse : {"warn", "raise", "fall_back", "ignore"}, default="warn"
        What to do if the network scores below ``source_score_``: a
        :class:`NegativeTransferWarning`; a :class:`NegativeTransferError`; the network of
        that score instead; or nothing, which saves its training.

    Attributes
    ----------
    estimator_ : estimator
        The fitted network; behind the transformers of ``pretrained``, a Pipeline.
    source_score_ : float
        Score of a new head on the frozen pretrained network: on the validation rows, if
        there are some, else on the training rows. Missing with ``on_worse="ignore"``.
    classes_ : ndarray of shape (n_classes,)
        Labels, for a classifier.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the column names of X are strings.

    See Also
    --------
    NetworkFeatures : Outputs of a layer, for other estimators.

    Notes
    -----
    ``layer_decay`` was chosen on transfers of five small data sets, and checked on four
    others. With ``freeze=None`` and 100 or 400 labels, networks of three or four stages
    scored on average 7 to 10 points above a new head on the frozen network, and 2 points
    above a factor of 0.3. Larger factors gave a point more there, but a network of 18
    stages fell to the accuracy of guessing with 0.9 and a learning rate of 0.003.
    ``benchmarks/RESULTS.md`` has the tables.

    Outputs of the frozen first layers are computed once per row, for all epochs, folds and
    candidates of a search in one process, unless augmentation comes before them.

    References
    ----------
    .. [1] Howard and Ruder, "Universal language model fine-tuning for text
           classification", arXiv:1801.06146.
    .. [2] Kumar et al., "Fine-tuning can distort pretrained features and underperform
           out-of-distribution", arXiv:2202.10054.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn_deep import FineTuned, MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X / 16
    >>> low, high = y < 5, y >= 5
    >>> source = MLPClassifier((64, 32), max_epochs=20, random_state=0)
    >>> source = FrozenEstimator(source.fit(X[low], y[low]))
    >>> net = MLPClassifier(max_epochs=20, random_state=0)
    >>> tuned = FineTuned(net, source, freeze=None).fit(X[high], y[high])
    >>> tuned.classes_.tolist()
    [5, 6, 7, 8, 9]
    """

    _rules: ClassVar[Rules] = {
        "estimator": (
            Satisfies(
                lambda value: (
                    isinstance(value, DeepEstimator)
                    and not isinstance(value, DeepReconstructor)
                ),
                "a classifier or regressor of sklearn_deep that says how to train",
            ),
        ),
        "pretrained": (Satisfies(lambda value: value is not None, "a network"),),
        "freeze": (
            NONE,
            Number(Integral),
            Satisfies(_is_fraction, "a fraction in [0, 1)"),
            InstanceOf((str,), "a str"),
            _PATTERNS,
        ),
        "unfreeze_at": (NONE, _EPOCH, OneOf("gradual"), MAPPING),
        "layer_decay": (Number(low=0, high=1, open_low=True),),
        "head_epochs": (_EPOCH,),
        "reset": (InstanceOf((str,), "a str"), _PATTERNS),
        "batch_norm": (OneOf("frozen", "trained"),),
        "columns": (OneOf("match", "position"),),
        "on_worse": (OneOf("warn", "raise", "fall_back", "ignore"),),
    }

    # Only the network requests metadata.
    __metadata_request__fit: ClassVar = dict.fromkeys(
        ("sample_weight", "X_val", "y_val", "sample_weight_val"), UNUSED
    )

    @names_unknown_arguments
    def __init__(
        self,
        estimator,
        pretrained,
        *,
        freeze="auto",
        unfreeze_at=None,
        layer_decay=0.7,
        head_epochs=1,
        reset="head",
        batch_norm="frozen",
        columns="match",
        on_worse="warn",
    ):
        self.estimator = estimator
        self.pretrained = pretrained
        self.freeze = freeze
        self.unfreeze_at = unfreeze_at
        self.layer_decay = layer_decay
        self.head_epochs = head_epochs
        self.reset = reset
        self.batch_norm = batch_norm
        self.columns = columns
        self.on_worse = on_worse

    def fit(
        self,
        X,
        y=None,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        **params,
    ):
        """Train the network from the weights of the pretrained one.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training features, as the network (or the first transformer of
            ``pretrained``) takes them.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation features, for early stopping and ``source_score_``.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Validation targets.
        sample_weight_val : array-like of shape (n_val,), default=None
            Validation weights.
        **params : dict
            Further arguments of the network's ``fit``, such as ``lengths``. With
            metadata routing enabled, the network must request each of them.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        InvalidParameterError
            If a parameter is invalid; a pattern that selects nothing, for example.
        NotFittedError
            If ``pretrained`` is not fitted: a search has cloned it.
        ValueError
            If the weights do not fit the rows.
        NegativeTransferError
            With ``on_worse="raise"``.

        Warns
        -----
        NegativeTransferWarning
            If a new head on the frozen network scores higher.
        """
        named = {
            "sample_weight": sample_weight,
            "X_val": X_val,
            "y_val": y_val,
            "sample_weight_val": sample_weight_val,
        }
        passed = {k: v for k, v in named.items() if v is not None} | params
        with all_or_nothing(self):
            check_params(self, self._rules)
            if get_config()["enable_metadata_routing"]:
                passed = dict(process_routing(self, "fit", **passed).estimator.fit)
            self._fit(X, y, passed)
        return self

    def _fit(self, X: Any, y: Any, passed: dict[str, Any]) -> None:
        owner = type(self).__name__
        source = source_of(owner, self.pretrained)
        new_head = self.reset != "new_classes"
        network = with_layers_of(
            owner, self.estimator, source.network, new_head=new_head
        )
        self._check_estimator(network)
        given = self._given(network, source, X, y, passed)
        plan = Plan(
            self.freeze,
            self.unfreeze_at,
            self.head_epochs,
            self.batch_norm,
            self.layer_decay,
        )
        tuning = Tuning(owner, source, plan, self.reset, self.columns)
        task = tuning.task(network, given)
        self.__dict__.pop("source_score_", None)
        tuned = task.trained()
        if self.on_worse != "ignore":
            tuned = self._compared(tuned, task)
        if source.transformers is not None:
            steps = [*source.transformers.steps, ("network", tuned)]
            tuned = Pipeline(steps)
        self.estimator_ = tuned

    def _check_estimator(self, network: Any) -> None:
        """Raise for parameters of the estimator that have no effect here."""
        check_params(network, network._rules)
        if network.callbacks or network.warm_start:
            name = "callbacks" if network.callbacks else "warm_start"
            raise InvalidParameterError(
                f"The estimator of {type(self).__name__} takes no {name}: a training of"
                " several phases begins with the pretrained network. Leave it out."
            )

    def _given(
        self, network: Any, source: Source, X: Any, y: Any, passed: dict[str, Any]
    ) -> FitArguments:
        """Arguments of the network's fit; X behind the transformers of the source."""
        if source.transformers is not None:
            X = source.transformers.transform(X)
            if passed.get("X_val") is not None:
                X_val = source.transformers.transform(passed["X_val"])
                passed = {**passed, "X_val": X_val}
        given = make_fit_args(network, X, y, **passed)
        return given._replace(features=source.learnt_features(type(network).__name__))

    def _compared(self, tuned: Any, task: Any) -> Any:
        """The network, or the probe where that is better and is asked for."""
        probe = tuned if task.is_probe else task.probe()
        n_rows, (score, self.source_score_) = task.scores(tuned, probe)
        tolerated = max(_FALL, _FEWEST_ROWS / n_rows)
        # A probe that is hardly better than a constant is nothing to compare with.
        if self.source_score_ < tolerated or score >= self.source_score_ - tolerated:
            return tuned
        message = (
            f"{type(self).__name__}: the network scores {score:.3g}, and a new head on the"
            f" frozen pretrained network {self.source_score_:.3g}, on the same {n_rows}"
            " rows. Freeze more, lower learning_rate or layer_decay, raise head_epochs, or"
            " set on_worse='fall_back' to take that network."
        )
        if self.on_worse == "raise":
            raise NegativeTransferError(message)
        if self.on_worse == "fall_back":
            return probe
        warnings.warn(message, NegativeTransferWarning, stacklevel=4)
        return tuned

    def __getattr__(self, name: str) -> Any:
        """Read fitted attributes from the network, behind its transformers too."""
        fitted = vars(self).get("estimator_")
        learnt = name.endswith("_") and not name.startswith("_")
        if learnt and isinstance(fitted, Pipeline) and not hasattr(fitted, name):
            return getattr(fitted.steps[-1][1], name)
        return super().__getattr__(name)
