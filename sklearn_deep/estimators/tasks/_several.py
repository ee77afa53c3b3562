"""Several tasks at once: the encoding of their targets, and the loss over all of them.

Targets are one matrix of numbers with a column per task: places of labels among the
classes, or numbers; NaN where a target is missing. Encoded targets hold one weight per
cell, which is 0 there; so a row of the network's data is a row as any other.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_deep.data._features import Features
from sklearn_deep.data._targets import ClassTargets, RealTargets
from sklearn_deep.data._tasks import Task
from sklearn_deep.data._weights import class_weights
from sklearn_deep.nn._losses import LOSSES, Loss
from sklearn_deep.nn._several_losses import (
    AlikeTasks,
    SeveralLoss,
    loss_of_constant,
)
from sklearn_deep.nn._tabular import Ensemble


@dataclass(frozen=True)
class TaskSpec:
    """What one task is, before anything is learnt from its targets.

    Attributes
    ----------
    name : str or int
        Name of its column.
    classes : ndarray of shape (n_classes,) or None
        Sorted labels; None for numbers.
    dtype : str
        Floating dtype of numbers.
    loss : str
    loss_params : dict or None
    smoothing : float
        Label smoothing.
    class_weight : dict, "balanced" or None
    """

    name: Any
    classes: np.ndarray | None
    dtype: str
    loss: str
    loss_params: Any = None
    smoothing: float = 0.0
    class_weight: Any = None


@dataclass(frozen=True)
class TaskPart:
    """What was learnt about the targets of one task.

    Attributes
    ----------
    name : str or int
    targets : ClassTargets or RealTargets
    loss : Loss
    """

    name: Any
    targets: Any
    loss: Loss

    @property
    def n_raw(self) -> int:
        """Number of raw outputs."""
        return self.targets.n_outputs * self.loss.raw_per_target

    @property
    def is_classifier(self) -> bool:
        """Whether it predicts labels."""
        return isinstance(self.targets, ClassTargets)

    @property
    def alike(self) -> AlikeTasks:
        """The task as a group of its own."""
        return AlikeTasks(self.loss, 1, self.n_raw, self.targets.n_outputs)

    def encode(self, y: np.ndarray, known: np.ndarray, name: str) -> np.ndarray:
        """A column of targets as values (n, n_values); zeros where they are missing."""
        if not self.is_classifier:
            filled = np.where(known, y, self.targets.center[0])
            return self.targets.encode(filled, np.float64, name)
        codes = np.where(known, y, 0).astype(np.intp)
        if self.targets.kind == "sigmoid":
            return np.where(known, codes, 0)[:, None].astype(np.float64)
        return np.eye(self.targets.n_outputs)[codes] * known[:, None]


@dataclass(frozen=True)
class SeveralTargets:
    """What was learnt about the targets of several tasks.

    Attributes
    ----------
    parts : tuple of TaskPart
        In the order of the columns of y.
    order : tuple of int
        Places of the tasks in the order of the outputs: those that are alike, together.
    factors : tuple of float
        Weight of a known target of each task.
    class_factors : tuple of (ndarray or None)
        Weights of the classes of each task.
    learns_weights : bool
        Whether the network has a log-variance per task, behind its other outputs.
    """

    parts: tuple[TaskPart, ...]
    order: tuple[int, ...]
    factors: tuple[float, ...]
    class_factors: tuple[Any, ...]
    learns_weights: bool

    @property
    def kind(self) -> str:
        """Kind of output: numbers, which mean what each task takes them for."""
        return "real"

    @property
    def n_outputs(self) -> int:
        """Number of raw outputs, log-variances included."""
        return self.n_predicted + (len(self.parts) if self.learns_weights else 0)

    @property
    def n_predicted(self) -> int:
        """Number of raw outputs that predict."""
        return sum(part.n_raw for part in self.parts)

    @property
    def n_columns(self) -> int:
        """Number of tasks."""
        return len(self.parts)

    @property
    def slices(self) -> list[slice]:
        """Where the raw outputs of each task are, in the order of the columns."""
        found, start = [slice(0)] * len(self.parts), 0
        for j in self.order:
            found[j] = slice(start, start + self.parts[j].n_raw)
            start = found[j].stop
        return found

    def codes(self, y: np.ndarray) -> np.ndarray:
        """Targets as numbers in which equal ones are equal, missing ones too."""
        missing = np.isnan(y)
        return np.column_stack([np.where(missing, 0.0, y), missing])

    def encode(self, y: np.ndarray, dtype: Any, name: str = "y") -> np.ndarray:
        """Values of all tasks, then one weight per task."""
        known = ~np.isnan(y)
        blocks = [
            self.parts[j].encode(
                y[:, j], known[:, j], f"{name}[{self.parts[j].name!r}]"
            )
            for j in self.order
        ]
        weights = [self._weights(j, y[:, j], known[:, j]) for j in self.order]
        return np.column_stack([*blocks, *weights]).astype(dtype, copy=False)

    def decode(self, raw: np.ndarray) -> np.ndarray:
        """Raw outputs, which the tasks decode."""
        return raw

    def _weights(self, j: int, y: np.ndarray, known: np.ndarray) -> np.ndarray:
        weight = np.where(known, self.factors[j], 0.0)
        if self.class_factors[j] is None:
            return weight
        return weight * self.class_factors[j][np.where(known, y, 0).astype(np.intp)]


@dataclass(frozen=True)
class SeveralTasks(Task):
    """Several tasks, each with a column of targets.

    Attributes
    ----------
    settings : Settings
    specs : tuple of TaskSpec
    weight : "equal", "balanced", "uncertainty" or tuple of float
    n_hidden : int
        Number of the last hidden layers whose units belong to one task each.
    """

    specs: tuple[TaskSpec, ...] = ()
    weight: Any = "balanced"
    n_hidden: int = 0

    def check(self, y: np.ndarray) -> np.ndarray:
        """Give the matrix as it is: it was made of validated columns."""
        return y

    def check_rows(
        self, features: Features, X: Any, y: np.ndarray, dtype: Any, *, reset: bool
    ) -> tuple[Any, np.ndarray]:
        """Validate features; row numbers stand for targets, which may be missing."""
        X, rows = features.check(
            X, np.arange(len(y), dtype=np.float64), dtype, reset=reset
        )
        return X, y[rows.astype(np.intp)]

    def learn(
        self, y: np.ndarray, weight: np.ndarray | None, classes: Any
    ) -> SeveralTargets:
        """Learn the encoding of each column from its known targets."""
        weight = np.ones(len(y)) if weight is None else weight
        known = ~np.isnan(y)
        self._check_known(known)
        parts = tuple(
            self._part(spec, y[known[:, j], j], weight[known[:, j]])
            for j, spec in enumerate(self.specs)
        )
        keys = [part.alike.key for part in parts]
        order = tuple(sorted(range(len(parts)), key=lambda j: (keys.index(keys[j]), j)))
        factors = [
            self._factor(part, y[known[:, j], j], weight[known[:, j]], weight.sum())
            for j, part in enumerate(parts)
        ]
        if not isinstance(self.weight, str):
            share = np.asarray(self.weight, float) / np.mean(self.weight)
            factors = [f * s for f, s in zip(factors, share, strict=True)]
        return SeveralTargets(
            parts,
            order,
            tuple(factors),
            tuple(
                self._class_factors(spec, y[known[:, j], j], weight[known[:, j]])
                for j, spec in enumerate(self.specs)
            ),
            self.weight == "uncertainty",
        )

    def _check_known(self, known: np.ndarray) -> None:
        without = [
            spec.name
            for spec, column in zip(self.specs, known.T, strict=True)
            if not column.any()
        ]
        if without:
            raise ValueError(
                f"{self.settings.owner}: no training row has a target of"
                f" {without}. Leave these columns out of y, or check the split that made"
                " it."
            )

    def _part(self, spec: TaskSpec, y: np.ndarray, weight: np.ndarray) -> TaskPart:
        owner = f"task {spec.name!r} of {self.settings.owner}"
        targets: Any
        if spec.classes is None:
            scaling = LOSSES[spec.loss, "real"].scaling
            real = RealTargets.learn(y.astype(spec.dtype), weight, scaling)
            targets, kind = real, real.kind
        else:
            targets = ClassTargets.learn(y, spec.classes)
            kind = targets.kind
        loss = Loss.make(owner, spec.loss, kind, spec.loss_params, spec.smoothing)
        return TaskPart(spec.name, targets, loss)

    def _factor(
        self, part: TaskPart, y: np.ndarray, weight: np.ndarray, total: float
    ) -> float:
        """Weight of a known target: tasks with fewer of them count as much as others."""
        factor = total / weight.sum() / len(self.specs)
        if self.weight != "balanced":
            return float(factor)
        values = torch.from_numpy(part.encode(y, np.ones(len(y), bool), "y"))
        constant = loss_of_constant(part.alike, values, torch.from_numpy(weight))
        return float(factor / constant)

    def _class_factors(
        self, spec: TaskSpec, y: np.ndarray, weight: np.ndarray
    ) -> np.ndarray | None:
        if spec.classes is None or spec.class_weight is None:
            return None
        codes = y.astype(np.intp)
        return class_weights(spec.class_weight, spec.classes, codes, weight)

    def loss(self, targets: SeveralTargets) -> SeveralLoss:
        """The loss over the outputs of all tasks."""
        alike: list[AlikeTasks] = []
        for j in targets.order:
            each = targets.parts[j].alike
            if alike and _same(alike[-1], each):
                last = alike.pop()
                each = AlikeTasks(
                    last.loss, last.n_tasks + 1, last.n_raw, last.n_values
                )
            alike.append(each)
        return SeveralLoss.of(alike, targets.learns_weights)

    def separated(
        self, module: Any, targets: SeveralTargets
    ) -> dict[str, Tensor] | None:
        """Remove connections between the heads of a new network, and log-variances' own.

        Returns
        -------
        mask : dict of str to Tensor, or None
            By name of a parameter: 1 where a value is trained, 0 where there is none.
        """
        if not (self.n_hidden or targets.learns_weights):
            return None
        networks = {"": module}
        if isinstance(module, Ensemble):
            networks = {f"networks.{i}.": net for i, net in enumerate(module.networks)}
        mask: dict[str, Tensor] = {}
        for prefix, network in networks.items():
            for name, kept in _head_masks(network, targets, self.n_hidden).items():
                weight = network.get_parameter(name)
                mask[prefix + name] = kept.to(weight)
                # As if a layer had the units of one task for its input.
                scale = (kept.shape[1] / kept.sum(1).clamp_min(1)).sqrt()
                with torch.no_grad():
                    weight.mul_(mask[prefix + name] * scale[:, None].to(weight))
        return mask


def _same(alike: AlikeTasks, other: AlikeTasks) -> bool:
    return alike.key[:-3] == other.key[:-3] and alike.key[-2:] == other.key[-2:]


def _head_masks(
    network: nn.Module, targets: SeveralTargets, n_hidden: int
) -> dict[str, Tensor]:
    """Masks of the weights of the layers in which tasks are apart, by name."""
    n_tasks, masks = len(targets.parts), {}
    hidden: Any = getattr(network, "hidden", ())
    for i in range(len(hidden) - n_hidden + 1, len(hidden) if n_hidden else 0):
        linear = hidden[i].layers[0]
        rows, columns = (_owners(linear.weight.shape[a], n_tasks) for a in (0, 1))
        kept = (rows[:, None] == columns).float()
        masks[f"hidden.{i}.layers.0.weight"] = kept
        if isinstance(hidden[i].shortcut, nn.Linear):
            masks[f"hidden.{i}.shortcut.weight"] = kept
    output: Any = network.get_submodule("output")
    outputs = torch.full((output.out_features,), -1)
    for j, part in enumerate(targets.slices):
        outputs[part] = j
    if n_hidden:
        kept = (outputs[:, None] == _owners(output.in_features, n_tasks)).float()
    else:
        kept = (outputs >= 0).float()[:, None].expand(-1, output.in_features)
    masks["output.weight"] = kept
    return masks


def _owners(width: int, n_tasks: int) -> Tensor:
    """The task that each unit of a layer belongs to."""
    return torch.arange(n_tasks).repeat_interleave(width // n_tasks)
