"""Tasks divided into groups: each is one task of another joblib backend."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from sklearn_deep.training.stacking._kinds import Call, fold_of, kind_of

# A stack of this many networks has most of the gain that a stack can have.
_WORTH_A_STACK = 8

# Groups per core at most: the core that ends first takes another one.
_ROUNDS = 4


def divide(calls: Sequence[Call], cores: int) -> list[list[int]]:
    """Divide tasks into groups of about equal size, like ones together.

    Parameters
    ----------
    calls : sequence of tuple
        Function, arguments and keyword arguments of each task.
    cores : int
        Groups that run at a time.

    Returns
    -------
    groups : list of list of int
        Numbers of the tasks of each group.
    """
    n_groups = min(len(calls), cores * _n_rounds(len(calls), cores))
    order = _alike_together(calls)
    bounds = [len(calls) * i // n_groups for i in range(n_groups + 1)]
    return [order[a:b] for a, b in pairwise(bounds)]


def _n_rounds(n_calls: int, cores: int) -> int:
    return max(1, min(_ROUNDS, n_calls // (cores * _WORTH_A_STACK)))


def _alike_together(calls: Sequence[Call]) -> list[int]:
    """Numbers of tasks, sorted by kind and by rows, both in the order they came in."""
    kinds: dict[Any, int] = {}
    folds: dict[Any, int] = {}
    keys = [
        (
            kinds.setdefault(kind_of(call), len(kinds)),
            folds.setdefault(fold_of(call), len(folds)),
        )
        for call in calls
    ]
    return sorted(range(len(calls)), key=keys.__getitem__)


@dataclass(frozen=True)
class Layout:
    """The tasks of a group, with every object named once by its number.

    An outer backend then finds objects such as X among the arguments of one function,
    and sends them its own way.
    """

    tasks: list[tuple[int, list[int], dict[str, int]]]
    arrays: set[int]

    def calls(self, objects: Sequence[Any]) -> list[Call]:
        """The tasks, from the objects as they arrived."""
        own = [
            np.asarray(each) if i in self.arrays else each  # a mapped file, it may be
            for i, each in enumerate(objects)
        ]
        return [
            (
                own[function],
                tuple(own[i] for i in args),
                {name: own[i] for name, i in kwargs.items()},
            )
            for function, args, kwargs in self.tasks
        ]


def lay_out(calls: Sequence[Call]) -> tuple[Layout, list[Any]]:
    """Name the objects of tasks by numbers.

    Returns
    -------
    layout : Layout
    objects : list
        Each once, whatever number of tasks have it.
    """
    objects: list[Any] = []
    numbers: dict[int, int] = {}

    def number(value: Any) -> int:
        if id(value) not in numbers:
            numbers[id(value)] = len(objects)
            objects.append(value)
        return numbers[id(value)]

    tasks = [
        (
            number(function),
            [number(each) for each in args],
            {name: number(each) for name, each in kwargs.items()},
        )
        for function, args, kwargs in calls
    ]
    arrays = {i for i, each in enumerate(objects) if type(each) is np.ndarray}
    return Layout(tasks, arrays), objects
