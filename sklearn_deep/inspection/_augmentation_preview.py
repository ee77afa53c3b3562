"""Plot of training rows after augmentation."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.validation import column_or_1d
from torch import Tensor

from sklearn_deep._params import SEED, Number, check_value
from sklearn_deep._plotting import pyplot
from sklearn_deep.augmentation._auto import AutoAugment
from sklearn_deep.data._batches import Batch, Rows
from sklearn_deep.data._layout import Layout
from sklearn_deep.estimators.core._augmenting import augmentations
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.nn._layout import as_floats

_NAME = "augmentation_preview"

# Rows per augmented batch: the plotted rows, and others to mix them with.
_BATCH = 64


def augmentation_preview(
    estimator, X, y=None, *, n_rows=6, n_draws=3, random_state=None
):
    """Plot some rows of X, and augmented copies of them as a network is trained on.

    The first line of the figure shows the original rows, each further line one random
    augmentation of them. Images are shown as such, series as curves with the original
    in grey, tables as heat maps of rows by features.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A network of sklearn_deep with ``augmentation=``, fitted or not; a Pipeline that
        ends in one; or a fitted search over either. The steps before the network
        transform X; unfitted ones are fitted on X.
    X : array-like of shape (n_samples, ...)
        Rows, as ``fit`` takes them.
    y : array-like of shape (n_samples,), default=None
        Classes, shown above each image or series; mixed rows show both.
    n_rows : int, default=6
        Number of rows to plot.
    n_draws : int, default=3
        Number of augmented copies of each row.
    random_state : int, RandomState instance or None, default=None
        Seed of the choice of rows and of the augmentation. None varies between calls.

    Returns
    -------
    figure : matplotlib Figure
        The figure.

    Raises
    ------
    TypeError
        If the estimator contains no network.
    ValueError
        If X and y differ in length, the network has no augmentation or an
        ``AutoAugment`` that has not been fitted, or the series have unequal lengths.

    See Also
    --------
    AutoAugment : Searches for a policy; plot it after the fit.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import GaussianNoise, MLPClassifier, augmentation_preview
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier(augmentation=GaussianNoise(std=0.3))
    >>> figure = augmentation_preview(net, X, random_state=0)
    >>> len(figure.axes)
    5
    """
    for name, value in (("n_rows", n_rows), ("n_draws", n_draws)):
        check_value(_NAME, name, value, (Number(Integral, 1),))
    check_value(_NAME, "random_state", random_state, SEED)
    random = check_random_state(random_state)
    seen = _seen(estimator, X, y, n_rows, n_draws, random)
    return _DRAWN[seen.layout.kind](seen)


@dataclass(frozen=True)
class _Seen:
    """Rows to plot, (n, channel, ...), and their labels.

    ``draws`` starts with the original rows; the others are augmented.
    """

    layout: Layout
    draws: list[np.ndarray]
    labels: list[list[str]]

    @property
    def grid(self) -> tuple[int, int]:
        """Numbers of lines and columns of the figure."""
        return len(self.draws), len(self.draws[0])


def _seen(
    estimator: Any, X: Any, y: Any, n_rows: int, n_draws: int, random: Any
) -> _Seen:
    network, X = _inner(estimator, X)
    rows, layout, dtype, items = _rows(network, X)
    chosen = torch.from_numpy(random.permutation(len(rows))[: max(n_rows, _BATCH)])
    x: Any = rows.take(chosen).x
    if not isinstance(x, Tensor):
        raise ValueError(
            f"{_NAME} plots series of equal length; these have unequal lengths. Pass"
            " series of equal length, or pad them."
        )
    x = layout.canonical(as_floats(x, dtype)).to(dtype)
    classes, codes = _classes(y, len(rows))
    target = F.one_hot(codes[chosen], max(len(classes), 1)).to(dtype)
    generator = torch.Generator().manual_seed(int(random.randint(2**31)))
    draws = [Batch(x, target, None)]
    for _ in range(n_draws):
        batch = draws[0]
        for item in items:
            batch = item.augment(batch, generator)
        draws.append(batch)
    return _Seen(
        layout,
        [batch.x[:n_rows].numpy() for batch in draws],
        [[_label(share, classes) for share in batch.y[:n_rows]] for batch in draws],
    )


def _classes(y: Any, n_rows: int) -> tuple[list[Any], Tensor]:
    """The classes (none without y), and the index of each row's class."""
    if y is None:
        return [], torch.zeros(n_rows, dtype=torch.int64)
    y = column_or_1d(y)
    if len(y) != n_rows:
        raise ValueError(
            f"X has {n_rows} rows and y has {len(y)}; the numbers must be equal."
        )
    classes, codes = np.unique(y, return_inverse=True)
    return classes.tolist(), torch.from_numpy(codes)


def _inner(estimator: Any, X: Any) -> tuple[DeepEstimator, Any]:
    """The network in an estimator, and X as transformed by the steps before it."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if isinstance(estimator, Pipeline):
        before, estimator = estimator[:-1], estimator.steps[-1][1]
        if len(before):
            fitted = hasattr(estimator, "module_")
            X = before.transform(X) if fitted else clone(before).fit_transform(X)
    if not isinstance(estimator, DeepEstimator):
        raise TypeError(
            f"{_NAME} needs a network of sklearn_deep, a Pipeline that ends in one or a"
            f" fitted search over such; got {type(estimator).__name__}."
        )
    return estimator, X


def _rows(
    network: DeepEstimator, X: Any
) -> tuple[Rows, Layout, torch.dtype, tuple[Any, ...]]:
    """Validated rows on the CPU, their layout and dtype, and the augmentations."""
    fresh = clone(network)
    features = fresh._make_features()
    X = features.check(X, None, [np.float64, np.float32], reset=True)
    layout = features.layout(X)
    owner = type(network).__name__
    items = getattr(network, "augmentation_", None) or augmentations(fresh, layout)
    if not items:
        raise ValueError(
            f"{owner} has no augmentation to preview. Set augmentation=, or fit it if"
            " it searches for a policy."
        )
    if any(isinstance(item, AutoAugment) for item in items):
        raise ValueError(
            f"{_NAME}: AutoAugment has no policy yet. Fit the {owner} first."
        )
    dtype = torch.float64 if X.dtype == np.float64 else torch.float32
    n = X.shape[0]
    rows = Rows.make(X, np.zeros((n, 1)), None, None, dtype, torch.device("cpu"))
    return rows, layout, dtype, items


def _label(share: Tensor, words: list[Any]) -> str:
    """The class of a row, or the classes that it is mixed from."""
    parts = [(float(s), w) for s, w in zip(share, words, strict=False) if s > 0.005]
    if len(parts) == 1:
        return str(parts[0][1])
    return "\n".join(f"{s:.0%} {word}" for s, word in sorted(parts, reverse=True))


def _axes(seen: _Seen, height: float) -> Any:
    n_lines, n_columns = seen.grid
    figure, axes = pyplot(_NAME).subplots(
        n_lines,
        n_columns,
        squeeze=False,
        figsize=(1.5 * n_columns, height * n_lines),
        layout="constrained",
    )
    for line, labels in zip(axes, seen.labels, strict=True):
        for ax, label in zip(line, labels, strict=True):
            ax.set_xticks([])
            ax.set_yticks([])
            ax.set_title(label, fontsize="x-small", pad=2)
    for line, name in zip(axes[:, 0], _names(seen), strict=True):
        line.set_ylabel(name, fontsize="small")
    return figure, axes


def _names(seen: _Seen) -> list[str]:
    return ["original", *(f"draw {k}" for k in range(1, len(seen.draws)))]


def _draw_images(seen: _Seen) -> Any:
    figure, axes = _axes(seen, height=1.6)
    low, high = float(seen.draws[0].min()), float(seen.draws[0].max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    for line, images in zip(axes, seen.draws, strict=True):
        for ax, image in zip(line, images, strict=True):
            shown = np.clip((image - low) / ((high - low) or 1.0), 0, 1)
            if len(image) == 3:
                ax.imshow(shown.transpose(1, 2, 0))
            else:
                ax.imshow(shown.mean(0), cmap="gray", vmin=0, vmax=1)
    return figure


def _draw_series(seen: _Seen) -> Any:
    figure, axes = _axes(seen, height=1.2)
    originals = seen.draws[0]
    for k, (line, rows) in enumerate(zip(axes, seen.draws, strict=True)):
        for ax, before, series in zip(line, originals, rows, strict=True):
            if k:
                ax.plot(before.T, color="0.8", linewidth=0.8)
            ax.set_prop_cycle(None)
            ax.plot(series.T, linewidth=0.9)
    return figure


def _draw_table(seen: _Seen) -> Any:
    n_lines = len(seen.draws)
    figure, axes = pyplot(_NAME).subplots(
        n_lines,
        1,
        squeeze=False,
        sharex=True,
        figsize=(6.0, 0.4 + 0.22 * n_lines * (seen.grid[1] + 2)),
        layout="constrained",
    )
    low, high = float(seen.draws[0].min()), float(seen.draws[0].max())
    for ax, rows, name in zip(axes[:, 0], seen.draws, _names(seen), strict=True):
        image = ax.imshow(rows, aspect="auto", vmin=low, vmax=high)
        ax.set(ylabel=name, yticks=[])
    axes[-1, 0].set_xlabel("feature")
    figure.colorbar(image, ax=axes[:, 0].tolist())
    return figure


_DRAWN = {"images": _draw_images, "series": _draw_series, "table": _draw_table}
