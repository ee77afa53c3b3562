"""Values of a pretrained network in a network for other columns and other targets."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_deep.data._targets import ClassTargets, RealTargets
from sklearn_deep.estimators.core._fitted import Fitted


@dataclass(frozen=True)
class ColumnMatch:
    """Columns that the pretrained network knows.

    Attributes
    ----------
    n_old, n_new : int
        Number of columns before and now.
    old, new : list of int
        Places of the known columns before and now.
    """

    n_old: int
    n_new: int
    old: list[int]
    new: list[int]

    @property
    def adds(self) -> bool:
        """Whether there are new columns."""
        return len(self.new) < self.n_new


def match_columns(owner: str, how: str, old: Any, new: Any) -> ColumnMatch | None:
    """Find the columns of new features among those of the pretrained network.

    Parameters
    ----------
    owner : str
        For errors.
    how : {"match", "position"}
    old, new : Features
        Before and now.

    Returns
    -------
    ColumnMatch or None
        None where they are the same columns.

    Raises
    ------
    ValueError
        Where no column is known, or there are no names to find them by.
    """
    n_old, n_new = old.n_features_in, new.n_features_in
    before, now = old.feature_names_in, new.feature_names_in
    if n_old is None or n_new is None:
        return None
    if how == "match" and before is not None and now is not None:
        if np.array_equal(before, now):
            return None
        places = {name: i for i, name in enumerate(before)}
        known = [j for j, name in enumerate(now) if name in places]
        if not known:
            raise ValueError(
                f"{owner}: none of the {n_new} columns of X is one of the pretrained"
                f" network, which knows {', '.join(map(str, before[:10]))}. Rename the"
                " columns of X, or set columns='position'."
            )
        return ColumnMatch(n_old, n_new, [places[now[j]] for j in known], known)
    if n_old == n_new:
        return None
    if how == "match":
        raise ValueError(
            f"{owner}: X has {n_new} columns, and the pretrained network knows {n_old}."
            " Fit both on frames, whose columns are found by name, or set"
            " columns='position' to take the first columns as the same ones."
        )
    shared = list(range(min(n_old, n_new)))
    return ColumnMatch(n_old, n_new, shared, shared)


def carry(
    owner: str,
    module: nn.Module,
    values: dict[str, Tensor],
    fresh: Collection[str],
    columns: ColumnMatch | None,
) -> None:
    """Copy values into a network, but for those that begin anew.

    Raises
    ------
    ValueError
        For values that do not fit; the message lists them.
    """
    misfits = []
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if name in fresh:
                continue
            old = values.get(name)
            if old is not None and columns is not None and _reads(value, old, columns):
                value.zero_()
                value[:, columns.new] = old[:, columns.old].to(value)
            elif old is not None and old.shape == value.shape:
                value.copy_(old)
            else:
                there = "is missing" if old is None else f"has {tuple(old.shape)}"
                misfits.append(f"{name} of {tuple(value.shape)} {there}")
    if misfits:
        raise ValueError(
            f"{owner}: these values of the network do not come from the pretrained one:"
            f" {'; '.join(misfits)}. Rows have to be of the same kind, and the same"
            " layers; name those that begin anew in reset."
        )


def _reads(value: Tensor, old: Tensor, columns: ColumnMatch) -> bool:
    """Whether a weight is multiplied with the columns of X."""
    return (
        value.ndim == old.ndim == 2
        and value.shape == (old.shape[0], columns.n_new)
        and old.shape[1] == columns.n_old
    )


def carry_head(head: nn.Module, old: nn.Module, now: Fitted, before: Fitted) -> None:
    """Keep what the head knows of classes, or of targets, that are there again.

    Rows of other classes stay as they were drawn.
    """
    if not (isinstance(head, nn.Linear) and isinstance(old, nn.Linear)):
        return
    if head.in_features != old.in_features:
        return
    rows = _ROWS.get((type(before.targets), type(now.targets)), _no_rows)
    weights = torch.cat([old.weight, old.bias[:, None]], 1).detach()
    with torch.no_grad():
        for place, row in rows(weights, before, now).items():
            head.weight[place] = row[:-1].to(head.weight)
            head.bias[place] = row[-1].to(head.bias)


def _no_rows(weights: Tensor, before: Fitted, now: Fitted) -> dict[int, Tensor]:
    return {}


def _class_rows(weights: Tensor, before: Fitted, now: Fitted) -> dict[int, Tensor]:
    """Weights of the outputs of known classes, by place of the output."""
    old, new = before.targets, now.targets
    if old.multilabel or new.multilabel:
        alike = old.multilabel and new.multilabel
        same = alike and len(old.classes) == len(new.classes)
        return dict(enumerate(weights)) if same else {}
    # One output of two classes is the difference of two outputs, the first of zeros.
    if old.n_outputs == 1:
        weights = torch.cat([torch.zeros_like(weights), weights])
    by_class = dict(zip(old.classes.tolist(), weights, strict=True))
    labels = new.classes.tolist()
    if new.n_outputs == 1:
        known = all(label in by_class for label in labels)
        return {0: by_class[labels[1]] - by_class[labels[0]]} if known else {}
    return {i: by_class[label] for i, label in enumerate(labels) if label in by_class}


def _real_rows(weights: Tensor, before: Fitted, now: Fitted) -> dict[int, Tensor]:
    """Weights in the units of the new targets."""
    old, new = before.targets, now.targets
    plain = before.loss.raw_per_target == now.loss.raw_per_target == 1
    same_link = (old.scaling == "mean") == (new.scaling == "mean")
    if not (plain and same_link and old.n_outputs == new.n_outputs):
        return {}
    if new.scaling == "mean":  # a log link: another unit is another constant
        shift = torch.from_numpy(np.log(old.scale / new.scale)).to(weights)
        weights = weights.clone()
        weights[:, -1] += shift
        return dict(enumerate(weights))
    factor = torch.from_numpy(old.scale / new.scale).to(weights)[:, None]
    shift = torch.from_numpy((old.center - new.center) / new.scale).to(weights)
    weights = weights * factor
    weights[:, -1] += shift
    return dict(enumerate(weights))


_ROWS = {
    (ClassTargets, ClassTargets): _class_rows,
    (RealTargets, RealTargets): _real_rows,
}
