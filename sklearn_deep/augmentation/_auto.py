"""A policy that a fit searches for itself."""

from collections.abc import Sequence
from numbers import Integral
from typing import ClassVar

import torch

from sklearn_deep._params import Number, Rules
from sklearn_deep.augmentation._base import Augmentation
from sklearn_deep.augmentation._operations import OPERATIONS
from sklearn_deep.augmentation._policies import NAMES, Policy, check_operations

_COUNT = (Number(Integral, 1),)


class AutoAugment(Augmentation):
    """Search for a policy on the training rows, and train with the best.

    Before the training proper, one network for each of some random policies, and one
    without any, is trained for a few epochs on a part of the training rows. The one
    with the lowest loss on the rest says which policy the fit uses; it may be none. The
    validation rows of the fit take no part. What was found is the fitted attribute
    ``augmentation_``; give it to another network to save it the search.

    Parameters
    ----------
    n_candidates : int, default=8
        Random policies to try, from weak to strong ones. The search costs
        ``(n_candidates + 1) * n_epochs`` epochs.
    n_epochs : int, default=10
        Epochs for which each network of the search is trained. Where they are too few
        for augmentation to pay, none is found to be best.
    n_sub_policies : int, default=3
        Sub-policies of each; every row goes through one of them, drawn at random.
    n_operations : int, default=2
        Operations of each sub-policy.
    operations : sequence of str, default=None
        Names of the operations to draw from, as for ``RandAugment``. None takes all
        there are: those which do harm are found to do so.
    validation_share : float, default=0.2
        Share of the training rows that the candidates are judged on, in (0, 1).

    See Also
    --------
    TrivialAugment : Without a search, and with nothing to tune.
    Policy : What is found.

    Notes
    -----
    The search by reinforcement learning of the first paper trains thousands of
    networks. Random search over whole policies, with child networks that are trained
    for a few epochs, is what is left of it here: a few times the cost of a fit.

    References
    ----------
    Cubuk et al., "AutoAugment: Learning augmentation policies from data",
    arXiv:1805.09501.

    Lim et al., "Fast AutoAugment", arXiv:1905.00397.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import AutoAugment, MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> search = AutoAugment(n_candidates=2, n_epochs=3)
    >>> net = MLPClassifier(augmentation=search, random_state=0).fit(X, y)
    >>> len(net.augmentation_) <= 1
    True
    """

    moves = True
    _rules: ClassVar[Rules] = {
        "n_candidates": _COUNT,
        "n_epochs": _COUNT,
        "n_sub_policies": _COUNT,
        "n_operations": _COUNT,
        "operations": NAMES,
        "validation_share": (Number(low=0, high=1, open_low=True, open_high=True),),
    }

    def __init__(
        self,
        n_candidates=8,
        *,
        n_epochs=10,
        n_sub_policies=3,
        n_operations=2,
        operations=None,
        validation_share=0.2,
    ):
        self.n_candidates = n_candidates
        self.n_epochs = n_epochs
        self.n_sub_policies = n_sub_policies
        self.n_operations = n_operations
        self.operations = operations
        self.validation_share = validation_share

    def augment(self, batch, generator):
        """Leave a batch as it is: a fit puts what it has found in this one's place.

        Parameters
        ----------
        batch : named tuple of x, y and weight
            Rows, targets and weights.
        generator : torch.Generator
            Nothing is drawn from it.

        Returns
        -------
        batch : named tuple of x, y and weight
            The same batch.
        """
        return batch

    def _check(self, kind: str) -> None:
        super()._check(kind)
        check_operations(self, self.operations or (), kind)


def candidates(
    search: AutoAugment, kind: str, generator: torch.Generator
) -> list[tuple[Policy, ...]]:
    """What a search tries: no policy, and random ones from weak to strong.

    Parameters
    ----------
    search : AutoAugment
    kind : {"table", "series", "images"}
        What the rows are.
    generator : torch.Generator
        On the CPU.
    """
    names = [n for n in search.operations or OPERATIONS[kind] if n != "identity"]
    found: list[tuple[Policy, ...]] = [()]
    for k in range(search.n_candidates):
        strongest = (k + 1) / search.n_candidates
        sub_policies = [
            _random_steps(names, search.n_operations, strongest, generator)
            for _ in range(search.n_sub_policies)
        ]
        found.append((Policy(sub_policies),))
    return found


def _random_steps(
    names: Sequence[str], n_steps: int, strongest: float, generator: torch.Generator
) -> list[tuple[str, float, float]]:
    # Rounded: a policy is read and written down by people.
    which = torch.randint(len(names), (n_steps,), generator=generator).tolist()
    numbers = torch.rand(n_steps, 2, generator=generator, dtype=torch.float64).tolist()
    return [
        (names[k], round(0.2 + 0.8 * chance, 2), round(strongest * (0.5 + half / 2), 2))
        for k, (chance, half) in zip(which, numbers, strict=True)
    ]
