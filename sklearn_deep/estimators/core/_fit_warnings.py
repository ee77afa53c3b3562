"""What a fit says of itself when it has ended: four warnings, each with a fix.

They look at the history and at some training rows, once, after the last epoch. A fit of
few rows is not judged.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sklearn_deep._not_converged import NotConvergedWarning
from sklearn_deep.data._batches import Batch
from sklearn_deep.data._layout import TabularLayout
from sklearn_deep.data._rows import row_values
from sklearn_deep.estimators.core._fitted import Fitted
from sklearn_deep.estimators.core._hooks import NetworkHooks
from sklearn_deep.exceptions import (
    DeadUnitsWarning,
    FitWarning,
    SmallValidationWarning,
    UnscaledFeaturesWarning,
)
from sklearn_deep.training.job._job import TrainJob, TrainResult
from sklearn_deep.training.loop._dead_units import has_dead_layer
from sklearn_deep.training.loop._feature_scales import unscaled_columns
from sklearn_deep.training.loop._outcome import constant_loss, sample
from sklearn_deep.training.loop._still_falling import is_still_falling
from sklearn_deep.training.stacking._tasks import first_of_its_kind

# Rows below which a fit is not judged, and rows that it is judged by: fewer of wide ones,
# so that the checks need no more time or memory than a few steps of the training.
_FEWEST_ROWS, _SAMPLE_ROWS, _SAMPLE_VALUES = 30, 256, 1 << 20

# Validation rows by which a loss, or a score that counts rows, says which epoch is best.
_ENOUGH_FOR_LOSS, _ENOUGH_FOR_SCORE = 10, 20

# Columns that a message names.
_NAMED = 3


@dataclass(frozen=True)
class EndedFit:
    """A fit that has ended, and what its checks share."""

    estimator: NetworkHooks
    job: TrainJob
    result: TrainResult
    fitted: Fitted

    @cached_property
    def batch(self) -> Batch:
        """Some training rows."""
        at_most = _SAMPLE_VALUES // max(1, row_values(self.job.rows.x))
        return sample(self.job, max(_FEWEST_ROWS, min(_SAMPLE_ROWS, at_most)))

    @property
    def owner(self) -> str:
        """Name of the estimator."""
        return self.job.owner


def warn_of_fit(fit: EndedFit) -> None:
    """Give the warnings of a fit; on the stacked backend each kind once per search."""
    if len(fit.job.rows) < _FEWEST_ROWS:
        return
    for kind, text_of in _CHECKS.items():
        text = text_of(fit)
        if text is not None and first_of_its_kind((kind, fit.owner)):
            warnings.warn(f"{fit.owner}: {text}", kind, stacklevel=2)


@contextmanager
def without_fit_warnings() -> Iterator[None]:
    """Silence the warnings of fits that are part of an examination, not of a result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        yield


def _unscaled(fit: EndedFit) -> str | None:
    layout = fit.job.layout
    if (
        not fit.estimator._wants_scaled
        or layout is None
        or layout.pixels
        or isinstance(layout, TabularLayout)
    ):
        return None
    columns = unscaled_columns(fit.batch.x, layout)
    if not columns:
        return None
    return (
        f"{_named(columns, fit.fitted.features.feature_names_in, layout.kind)} far from"
        " mean 0 and standard deviation 1, from which a network learns slowly and badly."
        " Scale X, e.g. make_pipeline(StandardScaler(), ...); divide pixels by 255."
    )


def _named(columns: list[int], names: Any, kind: str) -> str:
    """Name the first of some columns or channels, and say how many more there are."""
    shown = [str(i) if names is None else repr(names[i]) for i in columns[:_NAMED]]
    more = f" and {len(columns) - _NAMED} more" if len(columns) > _NAMED else ""
    what = "column" if kind == "table" else "channel"
    if len(columns) == 1:
        return f"{what} {shown[0]} of X is"
    return f"{what}s {', '.join(shown)}{more} of X are"


def _not_converged(fit: EndedFit) -> str | None:
    if not is_still_falling(fit.result, lambda: constant_loss(fit.job, fit.batch)):
        return None
    return (
        f"training ended at max_epochs={fit.job.stopping.max_epochs} while the loss was"
        " still falling. Raise max_epochs, or learning_rate if it is low"
        " (learning_rate='auto' picks one)."
    )


def _small_validation(fit: EndedFit) -> str | None:
    job, asked = fit.job, fit.estimator.early_stopping
    if job.validation is None or asked == "auto" or not job.stopping.on_validation:
        return None
    enough = _ENOUGH_FOR_LOSS if job.monitor is None else _ENOUGH_FOR_SCORE
    n_rows = len(job.validation)
    if n_rows >= enough:
        return None
    return (
        f"{n_rows} validation rows decide when training stops and which weights are kept,"
        f" at least {enough} are needed to tell epochs apart. Raise validation_fraction,"
        " pass X_val and y_val with more rows, or set early_stopping=False."
    )


def _dead_units(fit: EndedFit) -> str | None:
    job = fit.job
    sparse_on_purpose = job.weight_mask is not None or "l1" in job.penalties
    if sparse_on_purpose or not has_dead_layer(fit.result.module, fit.batch.x):
        return None
    return (
        "nearly all units of a ReLU layer are 0 on all training rows: they"
        " have no gradient and learn nothing any more. Scale X, lower learning_rate or"
        " weight_decay, set gradient_clip=1.0, or choose activation='silu'."
    )


_CHECKS: dict[type[FitWarning], Callable[[EndedFit], str | None]] = {
    UnscaledFeaturesWarning: _unscaled,
    NotConvergedWarning: _not_converged,
    SmallValidationWarning: _small_validation,
    DeadUnitsWarning: _dead_units,
}
