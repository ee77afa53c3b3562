"""The variants of a model: files, measurements, and the choice for each budget."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn_deep._disk import write_whole
from sklearn_deep.serving._variants import INDEX, write_index


@dataclass(frozen=True)
class Variants:
    """Files of one model in several sizes, and the best of them for each budget.

    Parameters
    ----------
    report : CompressionReport
        One row per variant: ``"score"`` on the rows given, ``"onnx_bytes"``, the median
        ``"onnx_us_N"`` of microseconds per row with N rows at once, and whether no other
        variant is better in all three (``"front"``, 1 or 0). Its notes say what could
        not be made, and which budgets are not met.
    chosen : dict of str to (str or None)
        Name of the best variant for each budget; None if no variant meets it.
    exports : dict of str to OnnxExport
        Each variant's ONNX model, with its receipt.
    measured : list of object
        Measurements of each variant, in the order of the report.
    about : dict
        How the variants were measured; stored in the index of the folder.

    See Also
    --------
    variants : Makes them.
    CompressionDisplay : Plots the report, with the Pareto front.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, variants
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier((64,), max_epochs=10, random_state=0).fit(X[::2], y[::2])
    >>> found = variants(
    ...     net, X[1::2], y[1::2], budgets={"score": 0.0}, keep=(), bits=(8,)
    ... )
    >>> list(found.exports)
    ['dense', 'quantized-8']
    >>> found.chosen
    {'score >= 0': 'quantized-8'}
    """

    report: Any
    chosen: dict[str, str | None]
    exports: dict[str, Any]
    measured: list[Any]
    about: dict[str, Any]

    def save(self, folder):
        """Write each variant's file and an index, for a server.

        Parameters
        ----------
        folder : str or os.PathLike
            Folder to write to; created if it does not exist. The index,
            ``variants.json``, is written last.

        Returns
        -------
        self : Variants
            The variants.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for variant in self.measured:
            self.exports[variant.name].save(folder / variant.file)
        write_whole(folder / INDEX, write_index(self.measured, self.about))
        return self

    def __str__(self) -> str:
        return "\n".join([str(self.report), *_choices(self.chosen)])


def _choices(chosen: Mapping[str, str | None]) -> list[str]:
    return [f"{budget}: {name}" for budget, name in chosen.items() if name is not None]
