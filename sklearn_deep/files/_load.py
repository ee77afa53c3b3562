"""From a file to a fitted estimator."""

import os
from collections.abc import Iterable
from typing import Any

from sklearn_deep._params import OneOf, check_value
from sklearn_deep.estimators.core._unpacking import checking_with
from sklearn_deep.exceptions import ModelFileError
from sklearn_deep.files import _skops
from sklearn_deep.files._container import Container
from sklearn_deep.files._manifest import Manifest
from sklearn_deep.files._signature import check_signature
from sklearn_deep.files._validate import check_model, check_packed_network
from sklearn_deep.files._walk import networks_in
from sklearn_deep.training.job._devices import DEVICES, resolve_device


def load(
    path: str | os.PathLike,
    *,
    trusted: Iterable[str | type] = (),
    device: str = "cpu",
    public_key: Any = None,
) -> Any:
    """Read a fitted estimator from a file of :func:`save`.

    Parameters
    ----------
    path : str or path-like
        Name of the file.
    trusted : iterable of str or type, default=()
        Types that may be built beside those of this package, of scikit-learn and of plain
        data: classes of your own modules, augmentations, callbacks, scorers. A file with
        other types is refused, and the error lists them.
    device : {"cpu", "cuda", "mps", "auto"}, default="cpu"
        Where the networks are put and predict.
    public_key : Ed25519PublicKey of cryptography, bytes (PEM) or None, default=None
        Where it is given, only a file that :func:`sign` signed with its private key is
        loaded.

    Returns
    -------
    model : estimator
        It predicts the same bits as the one that was saved, and goes on training.

    Raises
    ------
    FileNotFoundError
        Where there is no file.
    ModelFileError
        For a file that is none of :func:`save`, is damaged, is not signed with the key,
        or holds types that are not trusted or values that its own types do not take.
    MissingDependencyError
        Without skops, which the extra ``files`` installs.

    See Also
    --------
    save : Write the file.
    describe : What is in a file, without loading it.
    sign : Sign a file.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, load, save
    >>> X, y = load_iris(return_X_y=True)
    >>> path = os.path.join(tempfile.mkdtemp(), "model.skd")
    >>> save(MLPClassifier((8,), max_epochs=2, random_state=0).fit(X, y), path)
    >>> load(path).predict(X).shape
    (150,)
    """
    file = Container.read(path)
    if public_key is not None:
        check_signature(file, public_key)
    Manifest.parse(file.manifest, file.path)
    check_value("load", "device", device, (OneOf(*DEVICES),))
    where = resolve_device("load", device)
    model = model_in(file, trusted)
    for network in networks_in(model):
        network.module_.to(where)
    return model


def model_in(file: Container, trusted: Iterable[str | type]) -> Any:
    """The model in a file whose sums are right."""
    with checking_with(check_packed_network):
        model = _skops.load(file.data, file.path, trusted)
    try:
        check_model(model)
    except Exception as error:  # whatever attributes of a wrong type raise
        raise ModelFileError(f"{file.path!r} cannot be used: {error}") from error
    return model
