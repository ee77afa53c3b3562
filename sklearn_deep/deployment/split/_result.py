"""Both halves of a pipeline, and the receipt of their comparison with the whole."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, repr=False)
class OnnxSplit:
    """Two ONNX models that together predict what a pipeline predicts.

    Parameters
    ----------
    client : OnnxExport
        Preprocessing and the first layers. :class:`SplitClassifier` and
        :class:`SplitRegressor` read it; to :class:`OnnxTransformer` it is a transformer.
    server : OnnxExport
        The other layers; a file for a server.
    at : str
        Name of the layer after which the pipeline was cut.
    layers_ : list of str
        Names of all places at which it can be cut.
    receipt : dict
        The receipt of the comparison with the estimator, as in :class:`OnnxExport`, for
        both halves together; ``"at"``, ``"bits"`` and ``"row_bytes"``; ``"score"`` of both
        halves and ``"whole_score"``.

    See Also
    --------
    split : Makes it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, OnnxTransformer, split
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier((16, 4), max_epochs=5, random_state=0).fit(X, y)
    >>> halves = split(net, X, at="relu_2")
    >>> OnnxTransformer(halves.client.to_bytes()).transform(X).shape
    (150, 4)
    """

    client: Any
    server: Any
    at: str
    layers_: list[str]
    receipt: dict[str, Any]

    def save(self, client_path, server_path):
        """Write both files, each atomically.

        Parameters
        ----------
        client_path, server_path : str or os.PathLike
            The files.

        Returns
        -------
        self : OnnxSplit
            The halves.
        """
        self.client.save(client_path)
        self.server.save(server_path)
        return self

    def __repr__(self) -> str:
        sizes = [len(half.to_bytes()) / 1024 for half in (self.client, self.server)]
        return (
            f"OnnxSplit(at {self.at!r}: {self.receipt['row_bytes']} bytes per row;"
            f" client {sizes[0]:.1f} KiB, server {sizes[1]:.1f} KiB)"
        )
