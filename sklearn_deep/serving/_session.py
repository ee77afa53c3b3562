"""An exported file in memory, and the base of the estimators over it."""

import os
from collections.abc import Iterator
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
from sklearn_deep.serving._guard import check_graph, read_metadata
from sklearn_deep.serving._metadata import (
    check_checksum,
    check_framing,
    has_checksum,
    read_card,
)
from sklearn_deep.serving._metadata_and_graph import check_card_and_graph
from sklearn_deep.serving._outputs import check_taken, names_of, refused_rows
from sklearn_deep.serving._sequence_inputs import row_lengths


class OnnxSession:
    """A file in memory, its card, and the session that runs it."""

    def __init__(self, content: bytes, n_threads: int | None, verify: bool) -> None:
        check_framing(content)
        if has_checksum(content) and verify:
            check_checksum(content)
        self.card = read_card(read_metadata(content))
        if verify:  # what has the card was sealed too
            check_checksum(content)
            check_graph(content)
        self.session = _start(content, n_threads)
        check_card_and_graph(self.card, self.session)

    def run(self, role: dict[str, Any], X: Any) -> tuple[list[Any], np.ndarray | None]:
        """Compute one output, or the several that it is made of.

        Returns
        -------
        outputs : list
        lengths : ndarray of shape (n,) or None
            How many steps of each row are true ones, where it matters.

        Raises
        ------
        ValueError
            For rows that the exported estimator refuses.
        """
        feeds, names = make_feeds(X, self.card), names_of(role)
        shown_by = self.card.get("refusals")  # older files do not say
        asked = names if shown_by is None else [*names, shown_by["name"]]
        with blaming_file("onnxruntime cannot run it on these rows"):
            outputs = self.session.run(asked, feeds)
        _check_rows(outputs, len(next(iter(feeds.values()))))
        lengths = row_lengths(feeds, self.card)
        if shown_by is not None:
            marks = outputs.pop()
            with blaming_file("it does not say which rows it refuses"):
                refused = refused_rows(marks, shown_by["form"], lengths)
            check_taken(refused, self.card["estimator"])
        return outputs, lengths


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
def blaming_file(what: str) -> Iterator[None]:
    """Turn whatever goes wrong inside into an error about the file."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise ValueError(
            f"X holds text that is no valid Unicode: {error}. Decode the file that it"
            " comes from with its own encoding."
        ) from error
    except Exception as error:  # onnxruntime's classes share no base but this
        raise OnnxFileError(f"The ONNX model is no good: {what}: {error}") from error


def _start(content: bytes, n_threads: int | None) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "Reading an ONNX model", "onnxruntime", "onnx"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors come as exceptions
    if n_threads is not None:
        options.intra_op_num_threads = int(n_threads)
        options.inter_op_num_threads = int(n_threads)
    with blaming_file(f"onnxruntime {onnxruntime.__version__} cannot read it"):
        return onnxruntime.InferenceSession(
            content,
            options,
            providers=["CPUExecutionProvider"],
            enable_fallback=False,  # it would print the error, and try again
        )


_BYTES = (bytes, bytearray, memoryview)
_MOST_THREADS = 1024


class OnnxEstimator(BaseEstimator):
    """What the readers share: the file is opened at its first use."""

    _rules: ClassVar[Rules] = {
        "model": (InstanceOf((str, os.PathLike, *_BYTES), "a path or bytes"),),
        "n_threads": (NONE, Number(Integral, 1, _MOST_THREADS)),
        "verify": (BOOLEAN,),
    }
    _task: ClassVar[str]

    def __init__(self, model, *, n_threads=None, verify=True):
        self.model = model
        self.n_threads = n_threads
        self.verify = verify

    def fit(self, X, y=None, **params):
        """Refuse: there is nothing to learn.

        Parameters
        ----------
        X, y : object
            Not looked at.
        **params : dict
            Not looked at.

        Returns
        -------
        self : object
            Never.

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
        """Tell that it can predict at once."""
        return True

    # The open file. It is kept with the parameters that it was opened by.

    @property
    def _file(self) -> OnnxSession:
        by = (self.model, self.n_threads, self.verify)
        kept = self.__dict__.get("_kept")
        if kept is None or any(a is not b for a, b in zip(kept[0], by, strict=True)):
            check_params(self, self._rules)
            content = self.__dict__.get("_content")
            if content is None or content[0] is not self.model:
                content = self.model, _read(self.model)
            opened = OnnxSession(content[1], self.n_threads, self.verify)
            self._check_task(opened.card)
            kept = by, opened
            self._kept, self._content = kept, content
        return kept[1]

    def _check_task(self, card: dict[str, Any]) -> None:
        if card["task"] != self._task:
            raise OnnxFileError(
                f"The file holds a {card['task']} ({card['estimator']}); read it with"
                f" sklearn_deep.Onnx{card['task'].capitalize()}."
            )

    def __getstate__(self):
        """Give the parameters and the content of the file, so that no path is needed."""
        _ = self._file
        state = dict(super().__getstate__())
        state.pop("_kept", None)
        state["_content"] = self._content[1]
        if isinstance(state["model"], memoryview):  # cannot be pickled
            state["model"] = self._content[1]
        return state

    def __setstate__(self, state):
        """Take the content for that of ``model``."""
        state = dict(state)
        content = state.pop("_content")
        super().__setstate__(state)
        self._content = self.model, content

    def __sklearn_clone__(self):
        """Give a reader of the same parameters, and of the content if it was read."""
        fresh = type(self)(**self.get_params(deep=False))
        if "_content" in self.__dict__:
            fresh._content = self._content
        return fresh

    def __deepcopy__(self, memo):
        """Copy the parameters; the content is never changed and is shared."""
        fresh = type(self)(**self.get_params(deep=False))
        fresh.__setstate__(self.__getstate__())
        return fresh

    # What is known of the estimator.

    @property
    def n_features_in_(self):
        """Number of features; sequences have none."""
        n_features = self._file.card["n_features_in"]
        if n_features is None:
            raise AttributeError(
                f"This {type(self).__name__} has no n_features_in_: it takes sequences."
            )
        return n_features

    @property
    def feature_names_in_(self):
        """Names of the features, where the estimator was fitted on a frame."""
        names = self._file.card["feature_names_in"]
        if names is None:
            raise AttributeError(
                f"This {type(self).__name__} has no feature_names_in_: the estimator was"
                " exported with an array."
            )
        return np.array(names, object)

    @property
    def receipt_(self):
        """What the export was compared on, and how far it was off."""
        return self._file.card["receipt"]

    def __sklearn_tags__(self):
        """Say that strings and missing values are for the model to judge."""
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
