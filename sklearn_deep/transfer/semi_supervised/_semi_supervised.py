"""A classifier that learns from rows without a label too."""

import warnings
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.metrics import get_scorer_names
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import (
    UNUSED,
    process_routing,
)

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import (
    NONE,
    InstanceOf,
    Number,
    OneOf,
    Rules,
    Satisfies,
    SequenceOf,
    check_params,
)
from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.augmentation._base import Augmentation
from sklearn_deep.compression._delegation import Delegating
from sklearn_deep.data._weights import check_sample_weight
from sklearn_deep.estimators.core._all_or_nothing import all_or_nothing
from sklearn_deep.estimators.tasks._classifier import DeepClassifier
from sklearn_deep.exceptions import (
    NegativeTransferError,
    NegativeTransferWarning,
    SklearnDeepWarning,
)
from sklearn_deep.training.job._seeds import draw_seed
from sklearn_deep.transfer.semi_supervised._consistency import FixMatch, MeanTeacher
from sklearn_deep.transfer.semi_supervised._guard import cross_validated
from sklearn_deep.transfer.semi_supervised._labels import count_unlabelled, split_labels
from sklearn_deep.transfer.semi_supervised._learning import (
    Method,
    Settings,
    check_family,
    refuse_schedules,
)
from sklearn_deep.transfer.semi_supervised._pretraining import Pretraining
from sklearn_deep.transfer.semi_supervised._pseudo_labels import PseudoLabels

METHODS: dict[str, type[Method]] = {
    "pretrain": Pretraining,
    "pseudo_label": PseudoLabels,
    "fixmatch": FixMatch,
    "mean_teacher": MeanTeacher,
}

_LABELS_ONLY = "labels_only"

_AUGMENTATION = (
    OneOf("auto"),
    NONE,
    InstanceOf((Augmentation,), "an augmentation"),
    SequenceOf(InstanceOf((Augmentation,), "an augmentation")),
)


class SemiSupervised(TracksSubclasses, Delegating):
    """A classifier that learns from labelled rows and from rows without a label.

    A network that only takes the labelled rows is trained beside it on the same folds;
    by default the better one is returned.

    Parameters
    ----------
    estimator : estimator
        A classifier of sklearn_deep that is not fitted.
    method : {"pretrain", "pseudo_label", "fixmatch", "mean_teacher"}, default="pretrain"
        How rows without a label are used. "pretrain": the network first learns to restore
        corrupted rows, of all of them, then fine-tunes on the labelled ones [1]_ [2]_ (MLP
        and CNN). "pseudo_label": it is trained anew, in ``rounds``, with the labels that
        it gives to rows of which it is sure [3]_ (all classifiers). "fixmatch": sure
        labels of weakly augmented copies are targets of strongly augmented ones [4]_;
        "mean_teacher": predictions of a network with averaged weights are [5]_ (MLP, CNN
        and RNN).
    unlabelled : int, float, str or None, default=-1
        Value of y in rows without a label. None and NaN always mark such rows; None for
        only those.
    guard : {"fall_back", "warn", "raise"} or None, default="fall_back"
        What to do if the network scores below that of labels only, cross-validated: take
        the latter; a :class:`NegativeTransferWarning`; a
        :class:`NegativeTransferError`. None does not compare, which saves the training of
        the folds.
    n_folds : int, default=3
        Number of folds of the guard; at least 2.
    scoring : str, callable or None, default=None
        Score of the guard; None for accuracy.
    augmentation : "auto", augmentation, list of them or None, default="auto"
        Augmentation of training rows. "auto": that of the estimator, if it has one; for
        tables ``SwapNoise(0.2)``, for series ``Jitter()``, for images
        ``Translation()``. "pretrain" augments images and series only if asked,
        "pseudo_label" as the estimator does.
    strong_augmentation : "auto", augmentation, list of them or None, default="auto"
        Augmentation of rows without a label. "auto": ``SwapNoise(0.5)`` for tables and to
        pretrain, else ``RandAugment()``.
    threshold : float, default=0.95
        Probability from which a prediction is sure, in [0, 1]: "pseudo_label",
        "fixmatch".
    rounds : int, default=3
        Number of trainings with pseudo-labels.
    unlabelled_weight : float, default=1.0
        Weight of all rows without a label against that of all labelled rows.
    unlabelled_ratio : int, default=3
        Number of rows without a label for each labelled one in a batch: "fixmatch",
        "mean_teacher".
    pretrain_epochs : int, default=15
        Number of epochs in which corrupted rows are restored.
    layer_decay : float, default=0.5
        Of the fine-tuning after "pretrain"; see :class:`FineTuned`.
    head_epochs : int, default=5
        Of the fine-tuning after "pretrain"; see :class:`FineTuned`.

    Attributes
    ----------
    estimator_ : estimator
        The fitted network.
    chosen_ : str
        ``method`` or "labels_only".
    scores_ : dict of str to float
        Cross-validated scores of "labels_only" and of ``method``; empty if they were not
        compared.
    transduction_ : ndarray of shape (n_samples,)
        Labels of all training rows: their own, or the predicted ones.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the column names of X are strings.

    See Also
    --------
    LabelledOnly : Cross-validation that tests labelled rows only.
    FineTuned : Begin with a network of other rows.

    Notes
    -----
    Every row may have a label: then the estimator is trained as it is. Plain
    cross-validation counts -1 as a class; use :class:`LabelledOnly`. All random numbers
    follow from the estimator's ``random_state``.

    References
    ----------
    .. [1] Vincent et al., "Stacked denoising autoencoders", JMLR 11, 2010.
    .. [2] Yoon et al., "VIME: Extending the success of self- and semi-supervised learning
           to tabular domain", NeurIPS 2020.
    .. [3] Lee, "Pseudo-label: the simple and efficient semi-supervised learning method",
           ICML 2013 workshop.
    .. [4] Sohn et al., "FixMatch", arXiv:2001.07685.
    .. [5] Tarvainen and Valpola, "Mean teachers are better role models",
           arXiv:1703.01780.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_deep import MLPClassifier, SemiSupervised
    >>> X, y = load_digits(return_X_y=True)
    >>> few = np.where(np.arange(len(y)) < 100, y, -1)
    >>> net = MLPClassifier((64,), max_epochs=30, random_state=0)
    >>> model = SemiSupervised(net, method="pseudo_label").fit(X / 16, few)
    >>> model.classes_.tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    _rules: ClassVar[Rules] = {
        "estimator": (
            Satisfies(
                lambda value: isinstance(value, DeepClassifier),
                "a classifier of sklearn_deep",
            ),
        ),
        "method": (OneOf(*METHODS),),
        "unlabelled": (NONE, Number(), InstanceOf((str,), "a str")),
        "guard": (NONE, OneOf("fall_back", "warn", "raise")),
        "n_folds": (Number(Integral, 2),),
        "scoring": (
            NONE,
            Satisfies(callable, "a callable"),
            Satisfies(
                lambda value: isinstance(value, str) and value in get_scorer_names(),
                "the name of a scorer",
            ),
        ),
        "augmentation": _AUGMENTATION,
        "strong_augmentation": _AUGMENTATION,
        "threshold": (Number(low=0, high=1),),
        "rounds": (Number(Integral, 1),),
        "unlabelled_weight": (Number(low=0),),
        "unlabelled_ratio": (Number(Integral, 1),),
        "pretrain_epochs": (Number(Integral, 1),),
        "layer_decay": (Number(low=0, high=1, open_low=True),),
        "head_epochs": (Number(Integral, 0),),
    }

    chosen_: str
    scores_: dict[str, float]
    transduction_: np.ndarray

    # Only the network requests metadata.
    __metadata_request__fit: ClassVar = {"sample_weight": UNUSED}

    @names_unknown_arguments
    def __init__(
        self,
        estimator,
        *,
        method="pretrain",
        unlabelled=-1,
        guard="fall_back",
        n_folds=3,
        scoring=None,
        augmentation="auto",
        strong_augmentation="auto",
        threshold=0.95,
        rounds=3,
        unlabelled_weight=1.0,
        unlabelled_ratio=3,
        pretrain_epochs=15,
        layer_decay=0.5,
        head_epochs=5,
    ):
        self.estimator = estimator
        self.method = method
        self.unlabelled = unlabelled
        self.guard = guard
        self.n_folds = n_folds
        self.scoring = scoring
        self.augmentation = augmentation
        self.strong_augmentation = strong_augmentation
        self.threshold = threshold
        self.rounds = rounds
        self.unlabelled_weight = unlabelled_weight
        self.unlabelled_ratio = unlabelled_ratio
        self.pretrain_epochs = pretrain_epochs
        self.layer_decay = layer_decay
        self.head_epochs = head_epochs

    def fit(self, X, y=None, sample_weight=None):
        """Train on all rows, and compare with a network of the labelled ones.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features of all rows, as the network takes them.
        y : array-like of shape (n_samples,), default=None
            Labels; ``unlabelled``, None or NaN where there is none.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of all rows.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        TypeError
            If ``method`` cannot train this network.
        ValueError
            If y has no labels, or one class beside ``unlabelled``.
        NegativeTransferError
            With ``guard="raise"``.

        Warns
        -----
        NegativeTransferWarning
            With ``guard="warn"``, if the network of labels only scores higher.
        """
        passed = {} if sample_weight is None else {"sample_weight": sample_weight}
        with all_or_nothing(self):
            check_params(self, self._rules)
            check_family(
                METHODS[self.method], self.method, type(self).__name__, self.estimator
            )
            if get_config()["enable_metadata_routing"]:
                passed = dict(process_routing(self, "fit", **passed).estimator.fit)
            self._fit(X, y, passed.get("sample_weight"))
        return self

    def _fit(self, X: Any, y: Any, weight: Any) -> None:
        owner = type(self).__name__
        is_labelled, labels = split_labels(owner, y, self.unlabelled)
        n, rows = len(is_labelled), np.flatnonzero(is_labelled)
        refuse_schedules(owner, self.estimator)
        network = clone(self.estimator)
        if not isinstance(network.random_state, Integral):
            network.set_params(random_state=draw_seed(network.random_state))
        self.chosen_, self.scores_ = _LABELS_ONLY, {}
        if len(rows) == n:
            more = {} if weight is None else {"sample_weight": weight}
            self.estimator_, self.transduction_ = network.fit(X, labels, **more), labels
            return
        X, y, weight = indexable(X, y, weight)
        weight = check_sample_weight(weight, n)
        method = METHODS[self.method](self._settings(), network, X, weight)
        others = np.flatnonzero(~is_labelled)
        if self._is_chosen(method, rows, labels, others):
            self.estimator_ = method.fit(rows, labels, others)
            self.chosen_ = self.method
        else:
            self.estimator_ = method.fit_labelled(network, rows, labels)
        self.transduction_ = self._transduced(method, n, rows, labels, others)

    def score(self, X, y=None, **params):
        """Compute the network's own score: accuracy.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,), default=None
            Labels, of all rows.
        **params : dict
            Further arguments of the network's ``score``, such as ``sample_weight``.

        Returns
        -------
        score : float
            Higher is better.

        Warns
        -----
        SklearnDeepWarning
            If rows have no label: each counts as an error.
        """
        n = 0 if y is None else count_unlabelled(y, self.unlabelled)
        if n:
            warnings.warn(
                f"{type(self).__name__} is scored on {n} rows without a label"
                f" ({self.unlabelled!r} or missing); each counts as an error. Pass"
                " cv=LabelledOnly(5) to cross-validation and searches.",
                SklearnDeepWarning,
                stacklevel=2,
            )
        return super().score(X, y, **params)

    def _settings(self) -> Settings:
        names = (name for name in Settings.__annotations__ if name != "owner")
        return Settings(type(self).__name__, **{n: getattr(self, n) for n in names})

    def _is_chosen(
        self, method: Method, rows: np.ndarray, labels: np.ndarray, others: np.ndarray
    ) -> bool:
        """Whether the method is used, by the guard."""
        if self.guard is None:
            return True
        found = cross_validated(
            method, rows, labels, others, self.n_folds, self.scoring
        )
        if found is None:
            warnings.warn(
                f"{type(self).__name__} cannot compare with a network of labels only: too"
                " few rows of each class have a label. Give two of each class, or set"
                " guard=None.",
                NegativeTransferWarning,
                stacklevel=5,
            )
            return True
        base, semi = found
        self.scores_ = {_LABELS_ONLY: base, self.method: semi}
        return semi >= base or self._goes_on(base, semi, len(rows))

    def _goes_on(self, base: float, semi: float, n_rows: int) -> bool:
        """Whether the worse network is used after all."""
        message = (
            f"{type(self).__name__}: method={self.method!r} scores {semi:.3g}, and the"
            f" network of labels only {base:.3g}, cross-validated on the {n_rows} labelled"
            " rows. Choose another method or augmentation, or set guard='fall_back' to"
            " take the latter."
        )
        if self.guard == "raise":
            raise NegativeTransferError(message)
        if self.guard == "warn":
            warnings.warn(message, NegativeTransferWarning, stacklevel=6)
        return self.guard == "warn"

    def _transduced(
        self,
        method: Method,
        n: int,
        rows: np.ndarray,
        labels: np.ndarray,
        others: np.ndarray,
    ) -> np.ndarray:
        """Labels of all rows: their own, else predicted ones."""
        found = np.empty(n, dtype=self.estimator_.classes_.dtype)
        found[rows] = labels
        found[others] = self.estimator_.predict(method.take(others))
        return found

    def __sklearn_tags__(self):
        """Report the tags of the network, for one label per row."""
        tags = super().__sklearn_tags__()
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_label = False
        tags.target_tags.multi_output = False
        return tags
