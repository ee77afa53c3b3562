"""Which parameters are trained from which epoch on, and how fast."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any

from torch import nn

from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.nn._stages import stages_of

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True)
class Stage:
    """A stage of a network that has parameters.

    Attributes
    ----------
    name : str
    tensors : frozenset of str
        Names of its parameters and buffers in the whole network.
    """

    name: str
    tensors: frozenset[str]


@dataclass(frozen=True)
class Phase:
    """Consecutive epochs with the same frozen parameters and buffers."""

    epochs: int
    frozen: frozenset[str]


@dataclass(frozen=True)
class Anatomy:
    """A network as stages from the input to the head.

    Attributes
    ----------
    stages : tuple of Stage
        The last one is the head.
    names : tuple of str
        Of all parameters.
    tensors : frozenset of str
        Names of all parameters and buffers.
    moments : frozenset of str
        Buffers of batch normalisations.
    """

    stages: tuple[Stage, ...]
    names: tuple[str, ...]
    tensors: frozenset[str]
    moments: frozenset[str]

    @classmethod
    def of(cls, module: nn.Module) -> "Anatomy":
        """The anatomy of a network; of a user's module its children are the stages."""
        named = [*module.named_parameters(), *module.named_buffers()]
        names = {id(tensor): name for name, tensor in named}
        parts = stages_of(module) or list(module.named_children())
        stages = [
            Stage(name, frozenset(names[id(t)] for t in _tensors(part)))
            for name, part in parts
            if any(True for _ in part.parameters())
        ]
        norms = [m for m in module.modules() if isinstance(m, _BATCH_NORMS)]
        return cls(
            tuple(stages) or (Stage("", frozenset(names.values())),),
            tuple(name for name, _ in module.named_parameters()),
            frozenset(names.values()),
            frozenset(names[id(b)] for norm in norms for b in norm.buffers()),
        )

    @property
    def body(self) -> frozenset[str]:
        """All but the head."""
        return self.tensors - self.stages[-1].tensors

    def below(self, place: int) -> frozenset[str]:
        """What belongs to the stages before a place; all that is in no stage, too."""
        above = frozenset[str]().union(*(s.tensors for s in self.stages[place:]))
        return self.tensors - above if place else frozenset()

    def matching(
        self, owner: str, name: str, patterns: Iterable[str]
    ) -> frozenset[str]:
        """Names that stages or patterns select.

        Raises
        ------
        InvalidParameterError
            For one that selects nothing; the message lists the names there are.
        """
        found: set[str] = set()
        for pattern in patterns:
            selected = {t for t in self.tensors if _selects(pattern, t)}
            if not selected:
                raise InvalidParameterError(
                    f"{name}={pattern!r} of {owner} selects nothing. Stages:"
                    f" {', '.join(stage.name for stage in self.stages)}; parameters:"
                    f" {', '.join(self.names)}."
                )
            found |= selected
        return frozenset(found)

    def place(self, owner: str, stage: int | str) -> int:
        """The place of a stage that is given by name or place.

        Raises
        ------
        InvalidParameterError
            If there is none.
        """
        names = [each.name for each in self.stages]
        if isinstance(stage, str) and stage in names:
            return names.index(stage)
        if not isinstance(stage, str) and -len(names) <= stage < len(names):
            return range(len(names))[stage]
        listed = ", ".join(f"{i} ({name!r})" for i, name in enumerate(names))
        raise InvalidParameterError(
            f"unfreeze_at of {owner} names the stage {stage!r}. There are: {listed}."
        )


def _tensors(part: nn.Module) -> list[Any]:
    return [*part.parameters(), *part.buffers()]


def _selects(pattern: str, name: str) -> bool:
    return name.startswith(f"{pattern}.") or fnmatchcase(name, pattern)


def as_patterns(value: str | Sequence[str]) -> list[str]:
    """One pattern, or several, as a list."""
    return [value] if isinstance(value, str) else list(value)


def frozen_by(owner: str, anatomy: Anatomy, freeze: Any) -> frozenset[str]:
    """Names of parameters and buffers that ``freeze`` selects."""
    n = len(anatomy.stages)
    if freeze is None:
        return frozenset()
    if isinstance(freeze, str) and freeze == "auto":
        return anatomy.body
    if isinstance(freeze, float):
        return anatomy.below(round(freeze * n))
    if not isinstance(freeze, (str, list, tuple)):
        if not -n < freeze < n:
            raise InvalidParameterError(
                f"freeze={freeze} of {owner} must leave a stage to train: the network has"
                f" {n} ({', '.join(stage.name for stage in anatomy.stages)})."
            )
        return anatomy.below(freeze % n)
    return anatomy.matching(owner, "freeze", as_patterns(freeze))


@dataclass(frozen=True)
class Plan:
    """How a network is frozen and unfrozen: the parameters of ``FineTuned``."""

    freeze: Any
    unfreeze_at: Any
    head_epochs: int
    batch_norm: str
    layer_decay: float

    def phases(
        self, owner: str, anatomy: Anatomy, fresh: frozenset[str], n_epochs: int
    ) -> list[Phase]:
        """The phases of a training.

        Parameters
        ----------
        owner : str
            For errors.
        anatomy : Anatomy
        fresh : frozenset of str
            What begins anew, beside the head, and has to be trained.
        n_epochs : int
        """
        starts = self._starts(owner, anatomy)
        moments = anatomy.moments if self.batch_norm == "frozen" else frozenset()
        frozen = {
            epoch: (names | moments) - fresh for epoch, names in sorted(starts.items())
        }
        trained = [set(anatomy.names) - names for names in frozen.values()]
        if not all(trained):
            raise InvalidParameterError(
                f"freeze={self.freeze!r} of {owner} leaves nothing to train."
            )
        return _as_phases(frozen, n_epochs)

    def rates(self, anatomy: Anatomy, fresh: frozenset[str]) -> dict[str, float] | None:
        """Factors on the learning rate, by name of a parameter; None for all 1."""
        if self.layer_decay == 1:
            return None
        top = len(anatomy.stages) - 1
        factors = {
            name: float(self.layer_decay) ** (top - place)
            for place, stage in enumerate(anatomy.stages)
            for name in stage.tensors
        }
        deepest = float(self.layer_decay) ** top
        return {
            name: 1.0 if name in fresh else factors.get(name, deepest)
            for name in anatomy.names
        }

    def _starts(self, owner: str, anatomy: Anatomy) -> dict[int, frozenset[str]]:
        """What is frozen from an epoch on, by that epoch."""
        frozen = frozen_by(owner, anatomy, self.freeze)
        starts = {0: frozen}
        if self.head_epochs and not frozen >= anatomy.stages[-1].tensors:
            starts = {0: frozen | anatomy.body, self.head_epochs: frozen}
        if self.unfreeze_at is None:
            return starts
        if isinstance(self.unfreeze_at, Mapping):
            for epoch, stage in self.unfreeze_at.items():
                place = anatomy.place(owner, stage)
                starts[epoch] = frozen & anatomy.below(place)
            return starts
        if isinstance(self.unfreeze_at, str):  # "gradual"
            return self._gradual(anatomy, frozen)
        before = {e: names for e, names in starts.items() if e < self.unfreeze_at}
        return {**before, self.unfreeze_at: frozenset()}

    def _gradual(
        self, anatomy: Anatomy, frozen: frozenset[str]
    ) -> dict[int, frozenset[str]]:
        """One stage more after each ``head_epochs`` epochs, from the head down."""
        kept = frozenset() if self.freeze == "auto" else frozen
        every, top = max(1, self.head_epochs), len(anatomy.stages) - 1
        return {
            every * k: kept | anatomy.below(top - k) for k in range(len(anatomy.stages))
        }


def _as_phases(frozen: Mapping[int, frozenset[str]], n_epochs: int) -> list[Phase]:
    bounds = [*(epoch for epoch in frozen if epoch < n_epochs), n_epochs]
    phases: list[Phase] = []
    for start, stop in pairwise(bounds):
        n, names = stop - start, frozen[start]
        if phases and phases[-1].frozen == names:
            n += phases.pop().epochs
        phases.append(Phase(n, names))
    return phases
