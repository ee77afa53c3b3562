"""An exported file in memory, and the base class of the Onnx estimators."""

import copy
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_deep._params import (
    BOOLEAN,
    NONE,
    InstanceOf,
    Number,
    Rules,
    check_params,
)
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
        requested = [*names] if refusals is None else [*names, refusals["name"]]
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
        if refusals is None:
            return outputs, None
        marks = outputs.pop()
        with as_file_error("it does not show which rows it refuses"):
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


# The reader of each task in the metadata.
READERS = {
    "classifier": "OnnxClassifier",
    "regressor": "OnnxRegressor",
    "transformer": "OnnxTransformer",
    "several": "OnnxMultiTask",
}
_BYTES = (bytes, bytearray, memoryview)
_MAX_THREADS = 1024


class OnnxEstimator(BaseEstimator):
    """Base class of the readers. The file is opened when it is first used."""

    _rules: ClassVar[Rules] = {
        "model": (InstanceOf((str, os.PathLike, *_BYTES), "a path or bytes"),),
        "n_threads": (NONE, Number(Integral, 1, _MAX_THREADS)),
        "verify": (BOOLEAN,),
    }
    _task: ClassVar[str]

    def __init__(self, model, *, n_threads=None, verify=True):
        self.model = model
        self.n_threads = n_threads
        self.verify = verify

    def fit(self, X, y=None, **params):
        """Raise TypeError: a model from a file cannot be fitted.

        Parameters
        ----------
        X, y : object
            Ignored.
        **params : dict
            Ignored.

        Returns
        -------
        self : object
            Never returned.

        Raises
        ------
        TypeError
            Always. Meta-estimators that call ``fit`` take the reader inside a
            :class:`sklearn.frozen.FrozenEstimator`.
        """
        raise TypeError(
            f"{type(self).__name__} predicts with a model read from a file and cannot be"
            " fitted. Where a meta-estimator calls fit, wrap it in a"
            " sklearn.frozen.FrozenEstimator."
        )

    def __sklearn_is_fitted__(self):
        """Return True: the model was fitted before it was exported."""
        return True

    # The session is cached together with the parameters it was opened with.

    @property
    def _file(self) -> OnnxSession:
        by = tuple(getattr(self, name) for name in self._rules)
        cached = self.__dict__.get("_cached")
        if cached is None or any(
            a is not b for a, b in zip(cached[0], by, strict=True)
        ):
            check_params(self, self._rules)
            content = self.__dict__.get("_content")
            if content is None or content[0] is not self.model:
                content = self.model, _read(self.model)
            opened = OnnxSession(content[1], self.n_threads, self.verify)
            cached = by, self._read_as(opened)
            self._cached, self._content = cached, content
        return cached[1]

    def _read_as(self, opened: OnnxSession) -> OnnxSession:
        """The session of a file of the reader's task; raise for others."""
        task = opened.metadata["task"]
        if task != self._task:
            article = "several tasks" if task == "several" else f"a {task}"
            raise OnnxFileError(
                f"The file holds {article} ({opened.metadata['estimator']}); read it with"
                f" sklearn_deep.{READERS[task]}."
            )
        return opened

    def __getstate__(self):
        """Return the parameters and the file's content, so that unpickling needs no file."""
        _ = self._file
        state = dict(super().__getstate__())
        state.pop("_cached", None)
        state["_content"] = self._content[1]
        if isinstance(state["model"], memoryview):  # cannot be pickled
            state["model"] = self._content[1]
        return state

    def __setstate__(self, state):
        """Restore the parameters; ``model`` is not read again."""
        state = dict(state)
        content = state.pop("_content")
        super().__setstate__(state)
        self._content = self.model, content

    def __sklearn_clone__(self):
        """Return a reader with the same parameters, and the same content if already read."""
        fresh = type(self)(**self.get_params(deep=False))
        if "_content" in self.__dict__:
            fresh._content = self._content
        return fresh

    def __deepcopy__(self, memo):
        """Copy the parameters; the content, which never changes, is shared."""
        fresh = type(self)(**self.get_params(deep=False))
        fresh.__setstate__(self.__getstate__())
        return fresh

    def _shared_by(self, other: "OnnxEstimator") -> Any:
        """Give another reader of the same parameters the content that is in memory."""
        opened = self._file
        other._content = self._content
        other._cached = (
            tuple(getattr(other, name) for name in other._rules),
            other._read_as(opened),
        )
        return other

    # Attributes of the exported estimator.

    @property
    def n_features_in_(self):
        """Number of features; not defined for sequences."""
        n_features = self._file.metadata["n_features_in"]
        if n_features is None:
            raise AttributeError(
                f"This {type(self).__name__} has no n_features_in_: it takes sequences."
            )
        return n_features

    @property
    def feature_names_in_(self):
        """Names of the features, if the estimator was exported with a frame."""
        names = self._file.metadata["feature_names_in"]
        if names is None:
            raise AttributeError(
                f"This {type(self).__name__} has no feature_names_in_: the estimator was"
                " exported with an array."
            )
        return np.array(names, object)

    @property
    def receipt_(self):
        """Rows that the export was compared on, and its largest differences."""
        return self._file.metadata["receipt"]

    def __sklearn_tags__(self):
        """Allow strings and missing values: the exported model decides about them."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def __repr__(self, N_CHAR_MAX=700):
        """Name the file, or the size of the content."""
        model = self.model
        shown = f"<{len(model)} bytes>" if isinstance(model, _BYTES) else repr(model)
        return f"{type(self).__name__}({shown})"


def _read(model: Any) -> bytes:
    if isinstance(model, _BYTES):
        return bytes(model)
    path = Path(os.fsdecode(model))
    if path.is_dir():
        raise OnnxFileError(
            f"{str(path)!r} is a directory. Give the path of a file that"
            " sklearn_deep.to_onnx wrote."
        )
    return path.read_bytes()


class OnnxPredictor(OnnxEstimator):
    """Base class of the readers that also take one task of a file of several."""

    _rules: ClassVar[Rules] = {
        **OnnxEstimator._rules,
        "task": (NONE, InstanceOf((str,), "the name of a task")),
    }

    def __init__(self, model, *, task=None, n_threads=None, verify=True):
        super().__init__(model, n_threads=n_threads, verify=verify)
        self.task = task

    def _read_as(self, opened: OnnxSession) -> OnnxSession:
        """The session of the file, or of one of its tasks."""
        several = opened.metadata["task"] == "several"
        if self.task is None or not several:
            self._check_single(opened.metadata)
            return super()._read_as(opened)
        try:
            part = opened.of_task(self.task)
        except KeyError as error:
            raise OnnxFileError(error.args[0]) from None
        return super()._read_as(part)

    def _check_single(self, metadata: dict[str, Any]) -> None:
        if self.task is not None:
            raise OnnxFileError(
                f"The file holds a single {metadata['task']}, which has no task"
                f" {self.task!r}. Leave task=None."
            )
        if metadata["task"] == "several":
            names = [task["name"] for task in metadata["tasks"]]
            raise OnnxFileError(
                f"The file holds several tasks, {names}. Read one with"
                f" {type(self).__name__}(..., task={names[0]!r}), or all of them with"
                " sklearn_deep.OnnxMultiTask."
            )
