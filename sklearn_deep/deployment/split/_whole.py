"""The exported whole that is cut, and both halves of each cut as files."""

from dataclasses import dataclass
from typing import Any

from sklearn.base import is_classifier, is_regressor
from sklearn.utils.validation import check_is_fitted

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export._metadata import write_metadata
from sklearn_deep.export._to_onnx import OnnxExport, convert_compared
from sklearn_deep.export.halves._cuts import Cut, Feeds, find_cuts
from sklearn_deep.export.halves._halves import (
    Halves,
    cut_graph,
    metadata_of_client,
    metadata_of_server,
)
from sklearn_deep.export.inputs._declared import as_rows
from sklearn_deep.serving._feeds import make_feeds


@dataclass(frozen=True)
class Whole:
    """An exported model whose outputs do not mark refused rows, and where it can be cut.

    Attributes
    ----------
    model : fitted estimator
    X : array or frame
        Rows that the export was compared on.
    proto : onnx.ModelProto
    metadata : dict
    feeds : dict of str to ndarray
        Inputs of the graph for the rows.
    cuts : list of Cut
        From the inputs on; at least one.
    """

    model: Any
    X: Any
    proto: Any
    metadata: dict[str, Any]
    feeds: Feeds
    cuts: list[Cut]

    @classmethod
    def of(cls, model: Any, X: Any, tolerance: float) -> "Whole":
        """Export a model, and find its cuts.

        Raises
        ------
        OnnxExportError
            If the model has no ONNX form, or cannot be cut.
        """
        _check_model(model)
        X = as_rows(model, X)
        proto, metadata = convert_compared(
            model, X, tolerance=tolerance, refusals_apart=True
        )
        _check_outputs(model, metadata)
        feeds = make_feeds(X, metadata)
        cuts = find_cuts(proto, metadata, feeds)
        if not cuts:
            raise OnnxExportError(
                f"{type(model).__name__} cannot be split: no single array of numbers"
                " connects its inputs and its predictions. Send the rows to a server, or"
                " give the client the whole model."
            )
        return cls(model, X, proto, metadata, feeds, cuts)

    @property
    def names(self) -> list[str]:
        """Names of the cuts."""
        return [cut.layer for cut in self.cuts]

    def export(self, proto: Any = None) -> OnnxExport:
        """A file with the inputs and outputs of the whole; by default the whole."""
        return _as_file(self.proto if proto is None else proto, self.metadata)

    def halves(
        self, cut: Cut, bits: int | None, receipt: dict[str, Any] | None = None
    ) -> tuple[Halves, OnnxExport, OnnxExport]:
        """Both graphs of a cut, and the files of the client's and the server's half."""
        found = cut_graph(self.proto, self.metadata, cut, bits)
        about = {"id": found.tensor, "at": cut.layer, "bits": bits}
        metadata = {**self.metadata, "receipt": receipt or self.metadata["receipt"]}
        server = metadata_of_server(metadata, cut, found, about)
        client = metadata_of_client(metadata, server, found, about)
        return found, _as_file(found.client, client), _as_file(found.server, server)


def _as_file(proto: Any, metadata: dict[str, Any]) -> OnnxExport:
    write_metadata(proto, metadata)
    return OnnxExport(proto, metadata["receipt"])


def _check_model(model: Any) -> None:
    check_is_fitted(model)
    if not (is_classifier(model) or is_regressor(model)):
        raise OnnxExportError(
            f"{type(model).__name__} cannot be split: it is neither a classifier nor a"
            " regressor with one task."
        )


def _check_outputs(model: Any, metadata: dict[str, Any]) -> None:
    reasons = {
        "it predicts every step of a sequence": metadata["by_step"],
        "it predicts several targets with classes of their own": isinstance(
            metadata["classes"], list
        ),
    }
    for reason, holds in reasons.items():
        if holds:
            raise OnnxExportError(
                f"{type(model).__name__} cannot be split: {reason}, which a reader of a"
                " half does not support."
            )
