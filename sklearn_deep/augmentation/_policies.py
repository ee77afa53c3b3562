"""Policies: random combinations of operations, with few or no parameters to tune."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

import torch
from torch import Tensor

from sklearn_deep._params import NONE, Number, OneOf, Rules, Satisfies, SequenceOf
from sklearn_deep.augmentation._base import (
    SHARE,
    Augmentation,
    RowAugmentation,
    kind_of,
    rules,
)
from sklearn_deep.augmentation._draws import chances, over, uniform
from sklearn_deep.augmentation._operations import (
    ALL_OPERATIONS,
    OPERATIONS,
    deal,
    default_operations,
    some_each,
)
from sklearn_deep.exceptions import InvalidParameterError

_COUNT = (Number(Integral, 1),)
NAMES = (NONE, SequenceOf(OneOf(*ALL_OPERATIONS), 1))


class _OfOperations(RowAugmentation):
    """Base class of policies with an ``operations`` parameter."""

    moves = True
    operations: Sequence[str] | None

    def _check(self, kind: str) -> None:
        super()._check(kind)
        check_operations(self, self.operations or (), kind)

    def _some_each(
        self, x: Tensor, n_times: int, strength: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Change each row by its own random operations and strength."""
        kind = kind_of(x)
        names = self.operations or default_operations(kind)
        check_operations(self, names, kind)
        operations = [OPERATIONS[kind][name] for name in names]
        return some_each(x, operations, n_times, strength, generator)


class RandAugment(_OfOperations):
    """Change each row by a few random operations of equal strength.

    Parameters
    ----------
    n_operations : int, default=2
        Number of operations per row.
    magnitude : float, default=0.3
        Strength of the operations, in [0, 1]; 0 changes nothing.
    operations : sequence of str, default=None
        Names of the operations to draw from. For images: "identity", "rotation",
        "scaling", "translation_x", "translation_y", "shear_x", "shear_y",
        "brightness", "contrast", "erasing", "flip"; for series: "identity", "jitter",
        "magnitude_scaling", "time_shift", "time_warp", "window_slice",
        "segment_permutation"; for tables: "identity", "gaussian_noise",
        "feature_mask", "swap_noise". None takes all but "flip" and
        "segment_permutation", which may change the class of a row.
    probability : float, default=1.0
        Fraction of the rows that are changed, in [0, 1].

    See Also
    --------
    TrivialAugment : Random augmentation without parameters to tune.
    AutoAugment : Search for a policy.

    Notes
    -----
    Images need kornia (``pip install ".[image]"`` in a clone).

    References
    ----------
    Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced
    search space", arXiv:1909.13719.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, RandAugment
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier(augmentation=RandAugment(1, magnitude=0.2), random_state=0)
    >>> bool(net.fit(X, y).score(X, y) > 0.9)
    True
    """

    _rules: ClassVar[Rules] = rules(
        n_operations=_COUNT, magnitude=(SHARE,), operations=NAMES
    )
    _idle = {"magnitude": 0}

    def __init__(
        self, n_operations=2, *, magnitude=0.3, operations=None, probability=1.0
    ):
        self.n_operations = n_operations
        self.magnitude = magnitude
        self.operations = operations
        self.probability = probability

    def _changed(self, x, generator, inside):
        strength = x.new_full((len(x),), self.magnitude)
        return self._some_each(x, self.n_operations, strength, generator)


class TrivialAugment(_OfOperations):
    """Change each row by one random operation of random strength.

    It has no parameters that need tuning.

    Parameters
    ----------
    operations : sequence of str, default=None
        Names of the operations to draw from, as for ``RandAugment``. None takes all
        that keep the class of a row.
    probability : float, default=1.0
        Fraction of the rows that are changed, in [0, 1].

    See Also
    --------
    RandAugment : Apply several random operations with one strength to tune.

    Notes
    -----
    Images need kornia (``pip install ".[image]"`` in a clone).

    References
    ----------
    Müller and Hutter, "TrivialAugment: Tuning-free yet state-of-the-art data
    augmentation", arXiv:2103.10158.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, TrivialAugment
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier(augmentation=TrivialAugment(), random_state=0)
    >>> bool(net.fit(X, y).score(X, y) > 0.9)
    True
    """

    _rules: ClassVar[Rules] = rules(operations=NAMES)

    def __init__(self, *, operations=None, probability=1.0):
        self.operations = operations
        self.probability = probability

    def _changed(self, x, generator, inside):
        return self._some_each(x, 1, uniform(x, generator, len(x)), generator)


def _is_policy(value: Any) -> bool:
    """Whether ``value`` is a list of lists of (operation, probability, magnitude)."""
    try:
        steps = [step for sub_policy in value for step in sub_policy]
        return len(value) > 0 and all(
            name in ALL_OPERATIONS and SHARE.allows(chance) and SHARE.allows(strength)
            for name, chance, strength in steps
        )
    except (TypeError, ValueError):
        return False


class Policy(RowAugmentation):
    """A fixed policy: each row is changed by one of its sub-policies, at random.

    ``AutoAugment`` finds policies of this class; write one down to use it again.

    Parameters
    ----------
    sub_policies : sequence of sequence of (str, float, float)
        Sub-policies. Each is a sequence of steps: the name of an operation, as for
        ``RandAugment``; its probability in [0, 1]; and its strength in [0, 1].
    probability : float, default=1.0
        Fraction of the rows that are changed, in [0, 1].

    See Also
    --------
    AutoAugment : Search for a policy.

    Notes
    -----
    Images need kornia (``pip install ".[image]"`` in a clone).

    References
    ----------
    Cubuk et al., "AutoAugment: Learning augmentation policies from data",
    arXiv:1805.09501.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, Policy
    >>> X, y = load_iris(return_X_y=True)
    >>> policy = Policy([
    ...     [("gaussian_noise", 0.8, 0.2), ("feature_mask", 0.5, 0.1)],
    ...     [("swap_noise", 1.0, 0.2)],
    ... ])
    >>> net = MLPClassifier(augmentation=policy, random_state=0)
    >>> bool(net.fit(X, y).score(X, y) > 0.9)
    True
    """

    moves = True
    _rules: ClassVar[Rules] = rules(
        sub_policies=(
            Satisfies(
                _is_policy,
                "a non-empty sequence of sub-policies, each a sequence of steps"
                " (operation, probability in [0, 1], strength in [0, 1]) with an"
                f" operation among {', '.join(ALL_OPERATIONS)}",
            ),
        )
    )

    def __init__(self, sub_policies, *, probability=1.0):
        self.sub_policies = sub_policies
        self.probability = probability

    def _check(self, kind: str) -> None:
        super()._check(kind)
        names = [name for sub_policy in self.sub_policies for name, *_ in sub_policy]
        check_operations(self, names, kind)

    def _changed(self, x, generator, inside):
        changed = torch.empty_like(x)
        hands = deal(x, len(self.sub_policies), generator)
        for steps, rows in zip(self.sub_policies, hands, strict=True):
            if len(rows):
                part = _through(steps, x[rows], generator)
                changed.index_copy_(0, rows, part)
        return changed


def _through(
    steps: Sequence[tuple[str, float, float]], x: Tensor, generator: torch.Generator
) -> Tensor:
    operations = OPERATIONS[kind_of(x)]
    for name, probability, magnitude in steps:
        strength = x.new_full((len(x),), magnitude)
        changed = operations[name].apply(x, strength, generator)
        chosen = chances(x, generator, probability, len(x))
        x = torch.where(over(chosen, x), changed, x)
    return x


def check_operations(owner: Augmentation, names: Sequence[str], kind: str) -> None:
    """Check that all operations exist for rows of this kind.

    Raises
    ------
    InvalidParameterError
        If one does not; the message lists those that do.
    """
    if unknown := [name for name in names if name not in OPERATIONS[kind]]:
        raise InvalidParameterError(
            f"{type(owner).__name__} has no operation {unknown[0]!r} for {kind}. There"
            f" are: {', '.join(OPERATIONS[kind])}."
        )
