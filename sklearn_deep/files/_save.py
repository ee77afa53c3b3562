"""From a fitted estimator to a file."""

import os
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.files._container import Container
from sklearn_deep.files._load import model_in
from sklearn_deep.files._manifest import Manifest
from sklearn_deep.files._skops import dump, untrusted
from sklearn_deep.files._walk import networks_in


def save(model: Any, path: str | os.PathLike) -> None:
    """Write a fitted estimator to a file that is safe to load.

    The file is written whole or not at all: a process that is killed at any moment, or a
    full disk, leaves the file that was there before. It has a SHA-256 of its content, which
    :func:`load` compares before it reads anything. The model is read back before the file
    is written, so that what :func:`load` cannot read is an error here.

    Parameters
    ----------
    model : estimator
        A fitted estimator of this package, or one of scikit-learn with such inside: a
        Pipeline, a search, an ensemble, a compression.
    path : str or path-like
        Name of the file, by convention with the ending ``.skd``. A file of this name is
        replaced.

    Raises
    ------
    ModelFileError
        Where the model holds an object that cannot be stored: a lambda, an object of
        ``__main__``, a compiled one without a Python state. The message names it.
    NotFittedError
        Before the fit.
    OSError
        From the system; the file is then as it was.
    MissingDependencyError
        Without skops, which the extra ``files`` installs.

    See Also
    --------
    load : Read the file.
    describe : What is in a file.
    sign : Sign a file.

    Notes
    -----
    Networks are stored as arrays, on no device. Callbacks and a module of your own are
    stored by the names of their classes, which :func:`load` wants named.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, load, save
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifier((8,), max_epochs=2, random_state=0).fit(X, y)
    >>> path = os.path.join(tempfile.mkdtemp(), "model.skd")
    >>> save(clf, path)
    >>> bool((load(path).predict_proba(X) == clf.predict_proba(X)).all())
    True
    """
    if not isinstance(model, BaseEstimator):
        raise TypeError(
            "sklearn_deep.save takes a fitted scikit-learn estimator; got"
            f" {type(model).__name__}."
        )
    check_is_fitted(model)
    file = packed(model, path)
    file.write()


def packed(model: Any, path: str | os.PathLike) -> Container:
    """The content of a file, which was read back."""
    archive = dump(model)
    types = untrusted(archive)
    manifest = Manifest.of(model, list(map(_line, networks_in(model))), types)
    file = Container.make(path, manifest.dump(), archive)
    model_in(file, types)
    return file


def _line(network: DeepEstimator) -> str:
    n = sum(parameter.numel() for parameter in network.module_.parameters())
    return f"{type(network).__name__}: {n} parameters, {network.n_iter_} epochs"
