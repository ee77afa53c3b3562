"""The table of losses: one value per row from raw outputs and targets.

A loss belongs to a *kind* of output:

- ``"sigmoid"``: one logit per label (binary, multilabel); targets in [0, 1], of shape
  (..., n, n_labels);
- ``"softmax"``: one logit per class; targets are class codes of shape (..., n);
- ``"real"``: one or more raw outputs per target; targets of shape (..., n, n_targets),
  standardised as ``scaling`` says.

Every function reduces the last axis only, so raw outputs may carry leading axes.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_deep._params import BOOLEAN, Number, Rules, Satisfies, merge_named
from sklearn_deep.nn import _gaussian, _quantiles
from sklearn_deep.nn._scores import SCORES

# Numbers in the widest vector register of a CPU.
_REGISTER = 16


@dataclass(frozen=True)
class LossRow:
    """A row of the table.

    Attributes
    ----------
    rows : callable ``(raw, target, **params) -> Tensor of shape (..., n)``
        The loss of each row.
    rules, defaults : dict
        Its parameters, given by the user as ``loss_params``.
    scaling : {"standard", "mean", None}
        How regression targets are scaled; ``"mean"`` divides by the mean, for
        targets that must stay positive.
    raw_per_target : callable ``(**params) -> int``
        Number of raw outputs per target.
    prior : callable ``(target, weight, **params) -> Tensor`` or None
        Best constant raw output, for ``bias_init="prior"``.
    decode : callable ``(raw, **params) -> tuple of Tensors``
        Raw outputs to predictions in scaled units: the location, and for the
        gaussian loss the standard deviation. Several quantiles are one tensor of
        shape (..., n, n_targets, n_quantiles).
    location : callable ``(decoded, **params) -> Tensor of shape (..., n, n_targets)``
        The prediction that R^2 is computed of, from the first part of ``decode``.
    calibration : callable ``(raw, target, weight, **params) -> Tensor`` or None
        Correction of ``decode`` from rows that the network was not trained on; None
        where nothing is corrected. ``decode`` takes it as ``calibration``.
    """

    rows: Callable[..., Tensor]
    rules: Rules = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    scaling: str | None = None
    raw_per_target: Callable[..., int] = lambda **params: 1
    prior: Callable[..., Tensor] | None = None
    decode: Callable[..., tuple[Tensor, ...]] = lambda raw, **params: (raw,)
    location: Callable[..., Tensor] = lambda decoded, **params: decoded
    calibration: Callable[..., Tensor] | None = None


def _log_loss_sigmoid(raw: Tensor, target: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(raw, target, reduction="none").mean(-1)


def _log_loss_softmax(raw: Tensor, target: Tensor) -> Tensor:
    log_p = F.log_softmax(raw, -1)
    if target.is_floating_point():
        return -(target * log_p).sum(-1)
    return -log_p.gather(-1, target.unsqueeze(-1)).squeeze(-1)


def _brier_sigmoid(raw: Tensor, target: Tensor) -> Tensor:
    return (torch.sigmoid(raw) - target).square().mean(-1)


def _brier_softmax(raw: Tensor, target: Tensor) -> Tensor:
    return (torch.softmax(raw, -1) - _soft(target, raw)).square().sum(-1)


def _focal_sigmoid(raw: Tensor, target: Tensor, gamma: float) -> Tensor:
    p = torch.sigmoid(raw)
    missed = target * (1 - p) ** gamma * F.softplus(-raw)
    false = (1 - target) * p**gamma * F.softplus(raw)
    return (missed + false).mean(-1)


def _focal_softmax(raw: Tensor, target: Tensor, gamma: float) -> Tensor:
    log_p = F.log_softmax(raw, -1)
    return -(_soft(target, raw) * (1 - log_p.exp()) ** gamma * log_p).sum(-1)


def _soft(target: Tensor, raw: Tensor) -> Tensor:
    """Class codes (..., n) as one-hot rows (..., n, n_classes); the rest as it is."""
    if target.is_floating_point():
        return target
    classes = torch.arange(raw.shape[-1], device=raw.device)
    return (target.unsqueeze(-1) == classes).to(raw.dtype)


def _squared_error(raw: Tensor, target: Tensor) -> Tensor:
    return (raw - target).square().mean(-1)


def _absolute_error(raw: Tensor, target: Tensor) -> Tensor:
    return (raw - target).abs().mean(-1)


def _huber(raw: Tensor, target: Tensor, delta: float) -> Tensor:
    return F.huber_loss(raw, target, reduction="none", delta=delta).mean(-1)


def _poisson(raw: Tensor, target: Tensor) -> Tensor:
    return (raw.exp() - target * raw).mean(-1)


def _log_odds(target: Tensor, weight: Tensor) -> Tensor:
    share = _weighted_mean(target, weight).clamp(1e-6, 1 - 1e-6)
    return torch.log(share / (1 - share))


def _log_shares(target: Tensor, weight: Tensor, n_classes: int) -> Tensor:
    counts = torch.bincount(target, weight, minlength=n_classes)
    return torch.log((counts / counts.sum()).clamp_min(1e-6))


def _weighted_mean(target: Tensor, weight: Tensor) -> Tensor:
    return (target * weight[:, None]).sum(0) / weight.sum()


def _gaussian_prior(target: Tensor, weight: Tensor) -> Tensor:
    mean = _weighted_mean(target, weight)
    return torch.cat([mean, torch.zeros_like(mean)])


def _log_mean(target: Tensor, weight: Tensor) -> Tensor:
    return _weighted_mean(target, weight).clamp_min(1e-6).log()


def _median(target: Tensor, weight: Tensor) -> Tensor:
    return _quantiles.prior(target, weight, 0.5)


_FOCAL: dict[str, Any] = {
    "rules": {"gamma": (Number(low=0),)},
    "defaults": {"gamma": 2.0},
}
_DELTA = {"delta": (Number(low=0, open_low=True),)}
_SHARE = Number(low=0, high=1, open_low=True, open_high=True)


def _are_quantiles(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple, np.ndarray))
        and len(value) > 0
        and all(map(_SHARE.allows, value))
        and all(a < b for a, b in itertools.pairwise(value))
    )


_QUANTILE: Rules = {
    "quantile": (
        _SHARE,
        Satisfies(
            _are_quantiles,
            "a sequence of such floats in increasing order, none of them twice",
        ),
    ),
}
_CALIBRATE: Rules = {"calibrate": (BOOLEAN,)}

LOSSES: dict[tuple[str, str], LossRow] = {
    ("log_loss", "sigmoid"): LossRow(_log_loss_sigmoid),
    ("log_loss", "softmax"): LossRow(_log_loss_softmax),
    ("brier", "sigmoid"): LossRow(_brier_sigmoid),
    ("brier", "softmax"): LossRow(_brier_softmax),
    ("focal", "sigmoid"): LossRow(_focal_sigmoid, **_FOCAL),
    ("focal", "softmax"): LossRow(_focal_softmax, **_FOCAL),
    ("squared_error", "real"): LossRow(
        _squared_error, scaling="standard", prior=_weighted_mean
    ),
    ("absolute_error", "real"): LossRow(
        _absolute_error, scaling="standard", prior=_median
    ),
    ("huber", "real"): LossRow(
        _huber,
        rules=_DELTA,
        defaults={"delta": 1.0},
        scaling="standard",
        prior=lambda target, weight, delta: _median(target, weight),
    ),
    ("quantile", "real"): LossRow(
        _quantiles.rows,
        rules={**_QUANTILE, **_CALIBRATE},
        defaults={"quantile": 0.5, "calibrate": True},
        scaling="standard",
        raw_per_target=_quantiles.n_raw,
        prior=_quantiles.prior,
        decode=_quantiles.decode,
        location=_quantiles.location,
        calibration=_quantiles.calibration,
    ),
    ("poisson", "real"): LossRow(
        _poisson,
        scaling="mean",
        prior=_log_mean,
        decode=lambda raw, **params: (raw.exp(),),
    ),
    ("gaussian", "real"): LossRow(
        _gaussian.rows,
        rules=_CALIBRATE,
        defaults={"calibrate": True},
        scaling="standard",
        raw_per_target=lambda **params: 2,
        prior=_gaussian_prior,
        decode=_gaussian.decode,
        calibration=_gaussian.calibration,
    ),
}

CLASSIFIER_LOSSES = tuple(dict.fromkeys(n for n, kind in LOSSES if kind != "real"))
REGRESSOR_LOSSES = tuple(name for name, kind in LOSSES if kind == "real")


@dataclass(frozen=True)
class Loss:
    """A row of the table with the values of its parameters: what a fit minimises.

    Parameters
    ----------
    name, kind : str
        Key into ``LOSSES``.
    params : dict
        Values of the row's own parameters.
    smoothing : float, or Tensor of shape (n_nets, 1, 1)
        Label smoothing in [0, 1): the share of each target that is spread evenly
        over the classes (Szegedy et al., arXiv:1512.00567). Networks that are trained
        at once may have one each.
    calibrate : bool
        Whether predictions are corrected by rows that are held out.
    calibration : ndarray or None
        The correction; None before there is one.
    """

    name: str
    kind: str
    params: Mapping[str, Any]
    smoothing: Any
    calibrate: bool
    calibration: np.ndarray | None = field(default=None, compare=False)

    @classmethod
    def make(
        cls,
        owner: str,
        name: str,
        kind: str,
        params: Mapping | None,
        smoothing: float = 0.0,
    ) -> "Loss":
        """Check the user's ``loss_params`` and add the defaults."""
        row = LOSSES[name, kind]
        values = merge_named(owner, "loss_params", params, row.rules, row.defaults)
        calibrate = bool(values.pop("calibrate", False))
        if _are_quantiles(values.get("quantile")):
            values["quantile"] = tuple(map(float, values["quantile"]))
        else:  # a single quantile is given as it is learnt
            calibrate = calibrate and name != "quantile"
        return cls(name, kind, values, float(smoothing), calibrate)

    @property
    def row(self) -> LossRow:
        """The row of the table."""
        return LOSSES[self.name, self.kind]

    @property
    def raw_per_target(self) -> int:
        """Number of raw outputs per target."""
        return self.row.raw_per_target(**self.params)

    @property
    def has_several_quantiles(self) -> bool:
        """Whether each target has several quantiles, on a last axis of ``decode``."""
        return isinstance(self.params.get("quantile"), tuple)

    def decode(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Predictions in scaled units, corrected where the loss is calibrated."""
        if self.calibration is None:
            return self.row.decode(raw, **self.params)
        correction = raw.new_tensor(self.calibration)
        return self.row.decode(raw, calibration=correction, **self.params)

    def location(self, raw: Tensor) -> Tensor:
        """The prediction that R^2 is computed of, of shape (..., n, n_targets)."""
        return self.row.location(self.decode(raw)[0], **self.params)

    def score(self, raw: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Accuracy or R^2 of raw outputs; of each network, if they have such an axis."""
        return SCORES[self.kind](self.location(raw), target, weight)

    def calibrated(self, raw: Tensor, target: Tensor, weight: Tensor | None) -> "Loss":
        """The loss with a correction learnt from rows that were held out."""
        assert self.row.calibration is not None
        raw, target = raw.cpu().double(), target.cpu().double()
        rows = (
            torch.ones(len(raw)).double() if weight is None else weight.cpu().double()
        )
        correction = self.row.calibration(raw, target, rows, **self.params)
        return replace(self, calibration=correction.numpy())

    def rows(self, raw: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, without smoothing: what validation measures."""
        return self.row.rows(raw, target, **self.params)

    def training_rows(self, raw: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, with smoothing: what training minimises."""
        return self.rows(raw, self.smooth(raw, target, self.smoothing))

    def smooth(self, raw: Tensor, target: Tensor, smoothing: Any) -> Tensor:
        """Spread the share ``smoothing`` of each target evenly over the classes."""
        if not smooths(smoothing):
            return target
        n_ways = 2 if self.kind == "sigmoid" else raw.shape[-1]
        return _soft(target, raw) * (1 - smoothing) + smoothing / n_ways

    def prior(self, target: Tensor, weight: Tensor, n_outputs: int) -> Tensor:
        """Best constant raw output, of shape (n_outputs,), for these targets."""
        if self.kind == "sigmoid":
            return _log_odds(target, weight)
        if self.kind == "softmax":
            return _log_shares(target, weight, n_outputs)
        assert self.row.prior is not None
        return self.row.prior(target, weight, **self.params)


def smooths(smoothing: Any) -> bool:
    """Tell whether a label smoothing changes a target."""
    return isinstance(smoothing, Tensor) or smoothing > 0


def probabilities(raw: Tensor, kind: str) -> Tensor:
    """Raw outputs to the probability of each label (sigmoid) or class (softmax)."""
    if kind == "sigmoid":
        return torch.sigmoid(raw)
    # Over the last axis torch treats short rows one by one, which takes ten times as
    # long. Columns that fill no vector register would be rounded otherwise than those
    # that do: a row's probabilities would depend on where it stands.
    n, columns = raw.shape[-2], raw.mT
    if n % _REGISTER:
        columns = F.pad(columns, (0, -n % _REGISTER))
    return torch.softmax(columns, -2)[..., :n].mT
