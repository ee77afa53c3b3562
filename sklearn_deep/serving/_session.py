"""An exported file in memory."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from sklearn_deep.exceptions import MissingDependencyError, OnnxFileError
from sklearn_deep.serving._feeds import make_feeds
from sklearn_deep.serving._guard import check_graph, read_metadata_props
from sklearn_deep.serving._metadata import (
    check_checksum,
    check_framing,
    has_checksum,
    is_ort_format,
    read_metadata,
)
from sklearn_deep.serving._metadata_and_graph import check_metadata_and_graph
from sklearn_deep.serving._outputs import check_no_refusals, output_names, refused_rows
from sklearn_deep.serving._sequence_inputs import row_lengths
from sklearn_deep.serving._tasks import metadata_of_task

# Rows that are predicted at once: what a network computes of them fits the processor's
# cache.
_PIECE = 1024


class OnnxSession:
    """The metadata of an exported file, and the onnxruntime session that runs it."""

    def __init__(self, content: bytes, n_threads: int | None, verify: bool) -> None:
        if is_ort_format(content):
            self._open_ort_format(content, n_threads, verify)
            return
        check_framing(content)
        if has_checksum(content) and verify:
            check_checksum(content)
        self.metadata = read_metadata(read_metadata_props(content))
        if verify:  # every file with our metadata ends in a checksum
            check_checksum(content)
            check_graph(content)
        self.session = _start(content, n_threads)
        check_metadata_and_graph(self.metadata, self.session)

    def _open_ort_format(
        self, content: bytes, n_threads: int | None, verify: bool
    ) -> None:
        """Open a file in onnxruntime's format, which only onnxruntime can parse."""
        if verify:
            raise OnnxFileError(
                "The file is in onnxruntime's own format (to_onnx with format='ort'), whose"
                " operators cannot be verified. Give the file in the ONNX format; or, if you"
                " trust it, read it with verify=False."
            )
        if has_checksum(content):
            check_checksum(content)
        self.session = _start(content, n_threads)
        props = self.session.get_modelmeta().custom_metadata_map
        self.metadata = read_metadata(props)
        check_metadata_and_graph(self.metadata, self.session)

    def of_task(self, name: Any) -> "OnnxSession":
        """The part of a file of several tasks that one of them is; the graph is shared.

        Raises
        ------
        KeyError
            If there is no such task; the message names those that there are.
        """
        part = copy.copy(self)
        part.metadata = metadata_of_task(self.metadata, name)
        return part

    def run(self, role: dict[str, Any], X: Any) -> tuple[list[Any], np.ndarray | None]:
        """Compute the outputs of the graph that make up one answer of the estimator.

        Returns
        -------
        outputs : list
        lengths : ndarray of shape (n,) or None
            Number of steps of each row without padding, if the model predicts steps.

        Raises
        ------
        ValueError
            For rows that the exported estimator refuses.
        """
        feeds = make_feeds(X, self.metadata)
        outputs, refused = self.run_feeds(feeds, output_names(role))
        if refused is not None:
            check_no_refusals(refused, self.metadata["estimator"])
        return outputs, row_lengths(feeds, self.metadata)

    def run_feeds(
        self, feeds: dict[str, np.ndarray], names: Sequence[str], options: Any = None
    ) -> tuple[list[Any], np.ndarray | None]:
        """Compute outputs of the graph from its input arrays, which are not checked.

        Parameters
        ----------
        feeds : dict of str to ndarray of shape (n, ...)
        names : sequence of str
            Outputs of the graph.
        options : onnxruntime.RunOptions, optional

        Returns
        -------
        outputs : list
        refused : ndarray of shape (n,) or None
            Rows that the exported estimator refuses; None where the file does not say.
        """
        refusals = self.metadata.get("refusals")  # absent from older files
        marking = [] if refusals is None else [refusals["name"]]
        requested = list(dict.fromkeys([*names, *marking]))
        lengths = row_lengths(feeds, self.metadata)
        n_rows = len(next(iter(feeds.values())))
        # Padded steps are as many as the longest row of all has.
        size = _PIECE if lengths is None else n_rows
        with as_file_error("onnxruntime cannot run it on these rows"):
            pieces = [
                self.session.run(requested, piece, options)
                for piece in _pieces(feeds, n_rows, size)
            ]
            outputs = [_joined(parts) for parts in zip(*pieces, strict=True)]
        _check_rows(outputs, n_rows)
        by_name = dict(zip(requested, outputs, strict=True))
        outputs = [by_name[name] for name in names]
        if refusals is None:
            return outputs, None
        with as_file_error("it does not show which rows it refuses"):
            marks = by_name[refusals["name"]]
            return outputs, refused_rows(marks, refusals["form"], lengths)


def _pieces(
    feeds: dict[str, np.ndarray], n_rows: int, size: int
) -> Iterator[dict[str, np.ndarray]]:
    """The rows in pieces; no rows are one piece."""
    if n_rows <= size:
        yield feeds
        return
    for start in range(0, n_rows, size):
        yield {name: rows[start : start + size] for name, rows in feeds.items()}


def _joined(parts: Sequence[Any]) -> Any:
    """One output of all rows, from those of the pieces."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, list) and _of_arrays(first):  # one array per target
        return [_joined(targets) for targets in zip(*parts, strict=True)]
    if isinstance(first, list):  # a mapping per row
        return [row for part in parts for row in part]
    return np.concatenate(parts) if np.ndim(first) else first


def _check_rows(outputs: list[Any], n_rows: int) -> None:
    for output in outputs:
        parts = output if isinstance(output, list) and _of_arrays(output) else [output]
        if any(np.ndim(p) == 0 and not isinstance(p, list) for p in parts) or any(
            len(part) != n_rows for part in parts
        ):
            raise OnnxFileError(
                f"The model does not give a result for each of {n_rows} rows. Export it"
                " again."
            )


def _of_arrays(output: list[Any]) -> bool:
    return all(isinstance(part, np.ndarray) for part in output)


@contextmanager
def as_file_error(what: str) -> Iterator[None]:
    """Raise any error inside as an OnnxFileError with ``what`` in its message."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise ValueError(
            f"X contains text that is not valid Unicode: {error}. Decode its source with the"
            " right encoding."
        ) from error
    except Exception as error:  # onnxruntime's errors have no other common base class
        raise OnnxFileError(
            f"The ONNX model cannot be used: {what}: {error}"
        ) from error


def _start(content: bytes, n_threads: int | None) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "Reading an ONNX model", "onnxruntime", "onnx"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised as exceptions
    if n_threads is not None:
        options.intra_op_num_threads = int(n_threads)
        options.inter_op_num_threads = int(n_threads)
    with as_file_error(f"onnxruntime {onnxruntime.__version__} cannot read it"):
        return onnxruntime.InferenceSession(
            content,
            options,
            providers=["CPUExecutionProvider"],
            enable_fallback=False,  # else it prints the error and tries again
        )
