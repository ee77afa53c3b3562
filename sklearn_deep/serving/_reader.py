"""The base class of the Onnx estimators, which keep the file they read."""

import os
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
from sklearn_deep.exceptions import OnnxFileError
from sklearn_deep.serving._session import OnnxSession

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
