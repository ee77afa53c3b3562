"""What each task makes of the raw outputs of the network."""

from typing import Any

import numpy as np
import torch

from sklearn_deep.data._scores import known_score
from sklearn_deep.data._target_columns import TargetColumn
from sklearn_deep.estimators.core._fitted import Fitted
from sklearn_deep.estimators.tasks._several import SeveralTargets, TaskPart
from sklearn_deep.nn._losses import probabilities


def decoded(part: TaskPart, raw: torch.Tensor) -> np.ndarray:
    """Labels, or numbers in the units of y."""
    location = raw if part.is_classifier else part.loss.decode(raw)[0]
    return part.targets.decode(location.numpy())


def probabilities_of(part: TaskPart, raw: torch.Tensor) -> np.ndarray:
    """Probabilities of a classification, as its own estimator gives them."""
    binary = part.targets.kind == "sigmoid"
    raw = torch.cat([-raw, raw], 1) if binary else raw
    return probabilities(raw, part.targets.kind).numpy()


def score_of(
    part: TaskPart, raw: torch.Tensor, column: TargetColumn, weight: Any
) -> float:
    """Accuracy or R^2 of a task over its known targets."""
    return known_score(decoded(part, raw), column, part.is_classifier, weight)


def learnt_weights(targets: SeveralTargets, fitted: Fitted) -> dict[Any, float]:
    """Factors of the losses of tasks, learnt ones included."""
    factors = np.array(targets.factors)
    names = [part.name for part in targets.parts]
    if targets.learns_weights:
        state = fitted.module.state_dict()
        biases = [v for k, v in state.items() if k.endswith("output.bias")]
        logs = torch.stack(biases)[:, targets.n_predicted :].mean(0).double().cpu()
        of_task = dict(zip(targets.order, torch.exp(-logs).tolist(), strict=True))
        factors = np.array([of_task[j] for j in range(len(names))])
    return dict(zip(names, (factors / factors.mean()).tolist(), strict=True))
