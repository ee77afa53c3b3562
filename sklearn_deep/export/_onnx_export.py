"""What an export comes to: the model, the content of its file, and the receipt."""

from pathlib import Path

from sklearn_deep._disk import write_whole
from sklearn_deep.export._ort_format import convert_to_ort, list_operators
from sklearn_deep.serving._metadata import with_checksum


class OnnxExport:
    """An ONNX model, and the receipt of the comparison with its estimator.

    Parameters
    ----------
    model : onnx.ModelProto
        The model; its metadata contain the receipt too.
    receipt : dict
        ``"differences"``: largest difference of each output, absolute and relative to
        the output's scale; ``"rows"`` and ``"edge_rows"``: number of compared rows,
        passed and generated; ``"ties"``: number of labels that differ because the two
        best classes are tied within the tolerance; ``"tolerance"``; ``"versions"``;
        ``"ort"``: the differences of the file in onnxruntime's format, if it is one.
    format : {"onnx", "ort"}, default="onnx"
        Format of the file.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> export = to_onnx(MLPClassifier(random_state=0).fit(X, y), X)
    >>> [out.name for out in export.model.graph.output]
    ['label', 'probabilities']
    >>> export.receipt["rows"]
    150
    """

    def __init__(self, model, receipt, format="onnx"):
        self.model = model
        self.receipt = receipt
        self.format = format
        content = model.SerializeToString()
        self._content = with_checksum(
            convert_to_ort(content) if format == "ort" else content
        )

    def list_operators(self):
        """List the operators that a build of onnxruntime needs for the file.

        Returns
        -------
        operators : str
            Lines of domain, version of the operator set and names, as onnxruntime's
            build option ``--include_ops_by_config`` reads them from a file.
        """
        return list_operators(self.model.SerializeToString())

    def to_bytes(self):
        """Return the content of the file.

        Returns
        -------
        content : bytes
            The serialized model, and a checksum that the readers compare.
        """
        return self._content

    def save(self, path):
        """Write the file atomically.

        Parameters
        ----------
        path : str or os.PathLike
            The file.

        Returns
        -------
        self : OnnxExport
            The export.
        """
        write_whole(Path(path), self._content)
        return self

    def __repr__(self):
        """Show the outputs, the size, and the largest difference."""
        outputs = ", ".join(out.name for out in self.model.graph.output)
        worst = max(d["relative"] for d in self.receipt["differences"].values())
        return (
            f"OnnxExport({outputs}; {len(self._content) / 1024:.1f} KiB; largest"
            f" difference {worst:.1e} of the output's scale on"
            f" {self.receipt['rows']} + {self.receipt['edge_rows']} rows)"
        )
