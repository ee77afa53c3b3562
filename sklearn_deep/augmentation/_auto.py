"""Search for an augmentation policy during ``fit``."""

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
    """Search for an augmentation policy on the training rows, and train with the best.

    Before the main training, several networks are trained for a few epochs on a part of
    the training rows: one without augmentation and one for each of several random
    policies. The policy with the lowest loss on the other training rows is used for the
    fit; it may be no augmentation. The validation rows of the fit are not used. The
    policy is stored in ``augmentation_``; pass it to other networks to save the search.

    Parameters
    ----------
    n_candidates : int, default=8
        Number of random policies to try, from weak to strong. The search costs
        ``(n_candidates + 1) * n_epochs`` epochs.
    n_epochs : int, default=10
        Epochs that each candidate is trained. If they are too few for augmentation to
        help, the search chooses no augmentation.
    n_sub_policies : int, default=3
        Number of sub-policies per policy; each row is changed by one of them, at
        random.
    n_operations : int, default=2
        Number of operations per sub-policy.
    operations : sequence of str, default=None
        Names of the operations to draw from, as for ``RandAugment``. None takes
        all: the search rejects harmful ones.
    validation_share : float, default=0.2
        Fraction of the training rows that candidates are scored on, in (0, 1).

    See Also
    --------
    TrivialAugment : Random augmentation without a search or parameters to tune.
    Policy : The result of the search.

    Notes
    -----
    The reinforcement learning of the first paper trains thousands of
    networks. This class does a random search over policies with short trainings
    instead, at a few times the cost of a fit.

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
        """Return the batch unchanged: ``fit`` replaces this object by a policy.

        Parameters
        ----------
        batch : named tuple of x, y and weight
            Rows, targets and weights.
        generator : torch.Generator
            Not used.

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
    """Candidates of a search: no augmentation, and random policies from weak to strong.

    Parameters
    ----------
    search : AutoAugment
    kind : {"table", "series", "images"}
        Kind of rows.
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
    # Rounded, so that policies are easy to read and write down.
    which = torch.randint(len(names), (n_steps,), generator=generator).tolist()
    numbers = torch.rand(n_steps, 2, generator=generator, dtype=torch.float64).tolist()
    return [
        (names[k], round(0.2 + 0.8 * chance, 2), round(strongest * (0.5 + half / 2), 2))
        for k, (chance, half) in zip(which, numbers, strict=True)
    ]
